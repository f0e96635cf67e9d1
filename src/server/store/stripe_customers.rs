//! Which customer of Stripe's an account is.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::AccountId;

/// Notes whose a customer is, unless the account has one; returns the one that it has.
pub async fn keep(
    conn: &mut PgConnection,
    account: AccountId,
    customer: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<String> {
    sqlx::query!(
        "insert into stripe_customers (account_id, customer, created_at)
         values ($1, $2, $3)
         on conflict (account_id) do nothing",
        Uuid::from(account),
        customer,
        now,
    )
    .execute(&mut *conn)
    .await?;
    Ok(of(conn, account).await?.unwrap_or_else(|| customer.to_owned()))
}

pub async fn of(conn: &mut PgConnection, account: AccountId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "select customer
         from stripe_customers
         where account_id = $1",
        Uuid::from(account),
    )
    .fetch_optional(conn)
    .await
}
