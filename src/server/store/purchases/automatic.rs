//! Automatic purchases: those that an account has had, and what is noted of one while its card is charged.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        AccountId, PurchaseState,
        catalog::{Currency, Price},
        purchase::Mode,
        top_up::Attempt,
    },
    server::store::corrupt,
};

/// The latest automatic purchases of an account, the latest first.
pub async fn attempts(
    conn: &mut PgConnection,
    mode: Mode,
    account: AccountId,
    limit: i64,
) -> sqlx::Result<Vec<Attempt>> {
    let rows = sqlx::query!(
        "select created_at, price, currency, state
         from purchases
         where account_id = $1
           and mode = $2
           and is_automatic
         order by created_at desc, id desc
         limit $3",
        Uuid::from(account),
        mode.as_str(),
        limit,
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let currency = Currency::named(&row.currency).ok_or_else(|| corrupt(&row.currency))?;
        Ok(Attempt {
            at: row.created_at,
            price: Price::new(row.price, currency).map_err(corrupt)?,
            state: PurchaseState::named(&row.state).ok_or_else(|| corrupt(&row.state))?,
        })
    })
    .collect()
}

/// Notes the card that is charged, unless one is noted already; returns the one that is. `None`: none may be charged, since
/// the purchase is over, or its holder has turned top-up off.
pub async fn note_card(conn: &mut PgConnection, id: Uuid, card: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"update purchases
           set card = coalesce(card, $2)
           where id = $1
             and state = 'pending'
             and exists (
                 select
                 from top_ups
                 where top_ups.account_id = purchases.account_id
                   and top_ups.mode = purchases.mode
                   and top_ups.on_since is not null
             )
           returning card as "card!""#,
        id,
        card,
    )
    .fetch_optional(conn)
    .await
}
