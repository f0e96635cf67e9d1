//! The address to which Stripe sends its events. It answers by its status alone: only what is not signed by Stripe is
//! refused for good; what could not be kept is asked for again.

use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
};

use super::inbox::{EVENT_BYTES_MAX, Endpoint, NotTaken, receive};
use crate::server::AppState;

const SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");

/// `POST /webhooks/stripe`.
pub async fn take_in(State(state): State<AppState>, request: Request) -> Response {
    let signature = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok());
    let signature = signature.unwrap_or_default().to_owned();
    // Longer than it may be, or broken off; whoever broke it off reads no answer.
    let Ok(body) = to_bytes(request.into_body(), EVENT_BYTES_MAX).await else {
        return answer(&NotTaken::TooLarge);
    };
    let endpoint = Endpoint { secrets: &state.stripe_secrets, is_live: state.stripe.is_live() };
    match receive(&state, endpoint, &signature, &body).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(not_taken) => answer(&not_taken),
    }
}

/// In words for whoever reads Stripe's list of deliveries.
fn answer(not_taken: &NotTaken) -> Response {
    let error: &dyn std::error::Error = not_taken;
    tracing::warn!(error, "a delivery was not taken in");
    let status = match not_taken {
        NotTaken::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        NotTaken::NotSigned(_) => StatusCode::BAD_REQUEST,
        NotTaken::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, format!("{not_taken}\n")).into_response()
}
