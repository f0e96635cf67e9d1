//! Which customer of Stripe's an account is, in each of its modes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{AccountId, purchase::Mode};

/// Notes whose a customer is, unless the account has one; returns the one that it has.
pub async fn keep(
    conn: &mut PgConnection,
    mode: Mode,
    account: AccountId,
    customer: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<String> {
    sqlx::query!(
        "insert into stripe_customers (account_id, mode, customer, created_at)
         values ($1, $2, $3, $4)
         on conflict (account_id, mode) do nothing",
        Uuid::from(account),
        mode.as_str(),
        customer,
        now,
    )
    .execute(&mut *conn)
    .await?;
    Ok(of(conn, mode, account).await?.unwrap_or_else(|| customer.to_owned()))
}

pub async fn of(conn: &mut PgConnection, mode: Mode, account: AccountId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "select customer
         from stripe_customers
         where account_id = $1
           and mode = $2",
        Uuid::from(account),
        mode.as_str(),
    )
    .fetch_optional(conn)
    .await
}
