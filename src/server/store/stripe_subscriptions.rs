//! Subscriptions as Stripe told of them, and what the account's own subscription was told of that.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::corrupt;
use crate::domain::{AccountId, catalog::PlanKey, purchase::Mode};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub id: String,
    /// Whose, and of which plan; `None`: not known yet, or not ours.
    pub terms: Option<(AccountId, PlanKey)>,
    pub purchase: Option<Uuid>,
    pub ends_with_period: bool,
    pub ended_at: Option<DateTime<Utc>>,
    pub applied: Applied,
}

/// What the account's subscription was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub plan: Option<PlanKey>,
    pub until: Option<DateTime<Utc>>,
    pub end: Option<End>,
    /// How many commands that took.
    pub commands: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    WithPeriod,
    AtOnce,
}

/// What an account pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paying {
    pub id: String,
    /// The plan that is paid for from the next period on.
    pub plan: Option<PlanKey>,
    pub is_trial: bool,
}

/// The subscription that an account pays for, or has yet to pay; the newest where there are several.
pub async fn paid_by(
    conn: &mut PgConnection,
    mode: Mode,
    account: AccountId,
) -> sqlx::Result<Option<Paying>> {
    let row = sqlx::query!(
        r#"select id, plan, status = 'trialing' as "is_trial!"
           from stripe_subscriptions
           where account_id = $1
             and mode = $2
             and ended_at is null
             and status not in ('canceled', 'incomplete_expired')
           order by told_at desc
           limit 1"#,
        Uuid::from(account),
        mode.as_str(),
    );
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    let plan = row.plan.map(PlanKey::try_from).transpose().map_err(corrupt)?;
    Ok(Some(Paying { id: row.id, plan, is_trial: row.is_trial }))
}

/// Keeps others who note something of the subscription waiting until the end of the transaction.
pub async fn lock(conn: &mut PgConnection, id: &str, mode: Mode) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into stripe_subscriptions (id, mode)
         values ($1, $2)
         on conflict (id) do nothing",
        id,
        mode.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "select id
         from stripe_subscriptions
         where id = $1
         for no key update",
        id,
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

/// Notes whose a subscription is, and of which plan, as of a moment. What was told later stays. Events bear whole seconds,
/// and an answer the end of its second: it is newer than whatever was known of that.
pub async fn note_terms(
    conn: &mut PgConnection,
    id: &str,
    (account, plan, purchase): (AccountId, &PlanKey, Option<Uuid>),
    told_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update stripe_subscriptions
         set account_id = $2,
             plan = $3,
             purchase = coalesce($4, purchase),
             terms_at = $5
         where id = $1
           and (
               terms_at is null
               or (terms_at, plan) < ($5, $3)
               or (terms_at = $5 and $5 <> date_trunc('second', $5::timestamptz))
           )",
        id,
        Uuid::from(account),
        plan.as_str(),
        purchase,
        told_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes whose a subscription is, and of which plan, where nothing is known of that. An invoice tells only what was so when
/// it was made, and may come late.
pub async fn note_first_terms(
    conn: &mut PgConnection,
    id: &str,
    (account, plan, purchase): (AccountId, &PlanKey, Option<Uuid>),
) -> sqlx::Result<()> {
    sqlx::query!(
        "update stripe_subscriptions
         set account_id = $2,
             plan = $3,
             purchase = $4
         where id = $1
           and account_id is null",
        id,
        Uuid::from(account),
        plan.as_str(),
        purchase,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes how a subscription stands as of a moment. What was told later stays, and within a second that it is to end, unless
/// an answer says otherwise; an end is for good.
pub async fn note_status(
    conn: &mut PgConnection,
    id: &str,
    status: &str,
    ends_with_period: bool,
    ended_at: Option<DateTime<Utc>>,
    told_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update stripe_subscriptions
         set ended_at = least(ended_at, $2)
         where id = $1",
        id,
        ended_at,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update stripe_subscriptions
         set status = $2,
             ends_with_period = $3,
             told_at = $4
         where id = $1
           and (
               told_at is null
               or (date_trunc('second', told_at), ends_with_period, status) < (date_trunc('second', $4::timestamptz), $3, $2)
               or (told_at <= $4 and $4 <> date_trunc('second', $4::timestamptz))
           )",
        id,
        status,
        ends_with_period,
        told_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn find(conn: &mut PgConnection, id: &str) -> sqlx::Result<Option<Subscription>> {
    let row = sqlx::query!(
        "select id, account_id, plan, purchase, ends_with_period, ended_at, applied_plan, applied_until, applied_end,
                commands
         from stripe_subscriptions
         where id = $1",
        id,
    );
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    let key = |plan: String| PlanKey::try_from(plan).map_err(corrupt);
    let end = match row.applied_end.as_deref() {
        None => None,
        Some("with_period") => Some(End::WithPeriod),
        Some("at_once") => Some(End::AtOnce),
        Some(other) => return Err(corrupt(other)),
    };
    let terms = row.account_id.map(AccountId::from).zip(row.plan.map(key).transpose()?);
    Ok(Some(Subscription {
        id: row.id,
        terms,
        purchase: row.purchase,
        ends_with_period: row.ends_with_period,
        ended_at: row.ended_at,
        applied: Applied {
            plan: row.applied_plan.map(key).transpose()?,
            until: row.applied_until,
            end,
            commands: row.commands,
        },
    }))
}

/// Whether another subscription of the account was begun later, or goes on.
pub async fn has_another(
    conn: &mut PgConnection,
    mode: Mode,
    account: AccountId,
    id: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from stripe_subscriptions
               where account_id = $1
                 and id <> $2
                 and mode = $4
                 and ended_at is null
                 and applied_until > $3
           ) as "exists!""#,
        Uuid::from(account),
        id,
        now,
        mode.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Notes what the account's subscription was told.
pub async fn settled(conn: &mut PgConnection, id: &str, applied: &Applied) -> sqlx::Result<()> {
    let end = applied.end.map(|end| match end {
        End::WithPeriod => "with_period",
        End::AtOnce => "at_once",
    });
    sqlx::query!(
        "update stripe_subscriptions
         set applied_plan = $2,
             applied_until = $3,
             applied_end = $4,
             commands = $5
         where id = $1",
        id,
        applied.plan.as_ref().map(PlanKey::as_str),
        applied.until,
        end,
        applied.commands,
    )
    .execute(conn)
    .await
    .map(drop)
}
