//! What concerns the program as a whole: its catalog, and the clock of a sandbox.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Fault,
    fault::Failure,
    fields,
    objects::CatalogObject,
    sent::{Body, Moment},
};
use crate::{
    problem::Problem,
    server::{AppState, test_clock},
};

/// Look at the catalog
///
/// What the product sells for credits, as it is in force.
#[utoipa::path(
    get, operation_id = "get_catalog", path = "/api/v1/catalog", tag = "Product", security(("key" = ["read"])),
    responses(
        (status = 200, description = "The catalog.", body = CatalogObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn catalog(State(state): State<AppState>) -> Json<CatalogObject> {
    Json(state.catalog().as_ref().into())
}

/// The time that the program goes by.
#[derive(Serialize, ToSchema)]
#[schema(as = TestClock)]
pub struct TestClockObject {
    now: DateTime<Utc>,
    /// Whether it was set, and stands still.
    standing: bool,
}

/// Look at the test clock
///
/// The time that the program goes by, in a sandbox.
#[utoipa::path(
    get, operation_id = "get_test_clock", path = "/api/v1/test/clock", tag = "Product", security(("key" = ["read"])),
    responses(
        (status = 200, description = "The time that the program goes by.", body = TestClockObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn clock(State(state): State<AppState>) -> Result<Json<TestClockObject>, Fault> {
    if !state.is_sandbox {
        return Err(Problem::NotASandbox.into());
    }
    Ok(Json(TestClockObject { now: state.clock.now(), standing: state.clock.standing().is_some() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTime {
    /// Where the clock is to stand still; null: it goes by the machine's again.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<fields::Time>, required = true)]
    now: Option<Moment>,
}

/// Set the test clock
///
/// In a sandbox only, for the whole program, forward or back; it is kept when the program starts again. What fell due by
/// then is written down. An account never goes back: what is dated before its last entry is refused (`clock_behind`).
#[utoipa::path(
    put, operation_id = "set_test_clock", path = "/api/v1/test/clock", tag = "Product", security(("key" = ["admin"])),
    request_body = NewTime,
    responses(
        (status = 200, description = "The time that the program goes by now.", body = TestClockObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn set_clock(
    State(state): State<AppState>,
    Body(new): Body<NewTime>,
) -> Result<Json<TestClockObject>, Fault> {
    test_clock::set(&state, new.now.map(|now| now.0)).await?;
    clock(State(state)).await
}
