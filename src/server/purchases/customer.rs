//! Who an account is at Stripe.

use sha2::{Digest, Sha256};

use super::Till;
use crate::{
    domain::AccountId,
    server::{AppState, Error, store::stripe_customers, stripe},
    text::hexadecimal,
};

/// Who the account is at Stripe; made the first time. The inner error is Stripe's.
pub async fn customer_of(
    state: &AppState,
    till: &dyn Till,
    account: AccountId,
) -> Result<Result<String, stripe::Error>, Error> {
    let mut conn = state.pool.acquire().await?;
    if let Some(customer) = stripe_customers::of(&mut conn, state.stripe.mode(), account).await? {
        return Ok(Ok(customer));
    }
    // Not kept from others while Stripe answers.
    drop(conn);
    let profile = state.accounts.profile(account).await?;
    let (email, name) = (profile.email.as_deref(), profile.name.as_deref());
    // Under the same key Stripe takes only the same again.
    let digest = Sha256::digest(format!("{}\n{}", email.unwrap_or_default(), name.unwrap_or_default()));
    let key = format!("scrip:customer:{account}:{}", hexadecimal(&digest));
    let customer = match till.create_customer(account, email, name, &key).await {
        Ok(customer) => customer,
        Err(error) => return Ok(Err(error)),
    };
    let (mut conn, now) = (state.pool.acquire().await?, state.clock.now());
    let kept = stripe_customers::keep(&mut conn, state.stripe.mode(), account, &customer, now).await?;
    Ok(Ok(kept))
}
