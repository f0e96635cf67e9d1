//! What accounts have run: the month that is under way stands with the account's own row, which every spend writes
//! anyway; those that are over have a table.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt};
use crate::domain::{Account, AccountId, Tally, Usage, catalog::ActionKey};

/// What was run of one action in one of an account's months.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthTally {
    /// Its first moment.
    pub month: DateTime<Utc>,
    pub tally: Tally,
}

/// `action:count:units:credits` for each action, with spaces; nothing before the first colon where the caller named the
/// amounts. `None` where nothing was run.
pub fn render(usage: &Usage) -> Option<String> {
    let part =
        |tally: &Tally| format!("{}:{}:{}:{}", tally.action_name(), tally.count, tally.units, tally.credits);
    let parts: Vec<String> = usage.tallies.iter().map(part).collect();
    Some(parts.join(" ")).filter(|text| !text.is_empty())
}

pub fn parse(text: &str) -> sqlx::Result<Vec<Tally>> {
    let part = |part: &str| {
        let mut fields = part.split(':');
        let action = fields.next().filter(|action| !action.is_empty());
        let action = action.map(|action| ActionKey::try_from(action.to_owned())).transpose().ok()?;
        let mut number = || fields.next()?.parse().ok();
        let tally = Tally { action, count: number()?, units: number()?, credits: number()? };
        fields.next().is_none().then_some(tally)
    };
    text.split(' ')
        .filter(|part| !part.is_empty())
        .map(part)
        .collect::<Option<_>>()
        .ok_or_else(|| corrupt(text))
}

/// What an account has run in months that are over, newest month first, from `from` on and before `to`.
pub async fn of_months(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    action: Option<&ActionKey>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    limit: usize,
) -> sqlx::Result<Vec<MonthTally>> {
    let rows = sqlx::query!(
        "select month,
                action,
                count,
                units,
                credits
         from usage
         where bucket = $1
           and account_id = $2
           and ($3::text is null or action = $3)
           and ($4::timestamptz is null or month >= $4)
           and ($5::timestamptz is null or month < $5)
         order by month desc,
                  action
         limit $6",
        bucket.0,
        Uuid::from(account),
        action.map(ActionKey::as_str),
        from,
        to,
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter().map(|row| read(row.month, row.action, row.count, row.units, row.credits)).collect()
}

/// What accounts have run in months that are over, oldest month first, each with the account's id.
pub async fn of_accounts(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[Uuid],
) -> sqlx::Result<Vec<(Uuid, sqlx::Result<MonthTally>)>> {
    let rows = sqlx::query!(
        "select account_id,
                month,
                action,
                count,
                units,
                credits
         from usage
         where bucket = $1
           and account_id = any($2)
         order by month,
                  action",
        bucket.0,
        accounts,
    );
    let rows = rows.fetch_all(conn).await?;
    let read = rows
        .into_iter()
        .map(|row| (row.account_id, read(row.month, row.action, row.count, row.units, row.credits)));
    Ok(read.collect())
}

fn read(
    month: DateTime<Utc>,
    action: String,
    count: i64,
    units: i64,
    credits: i64,
) -> sqlx::Result<MonthTally> {
    let action = Some(action).filter(|action| !action.is_empty());
    let action = action.map(ActionKey::try_from).transpose().map_err(corrupt)?;
    Ok(MonthTally { month, tally: Tally { action, count, units, credits } })
}

/// Writes the months that were over before some of the accounts' unwritten entries.
pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[&Account]) -> sqlx::Result<()> {
    let (mut ids, mut months, mut actions) = (Vec::<Uuid>::new(), Vec::<DateTime<Utc>>::new(), Vec::new());
    let (mut counts, mut units, mut credits) = (Vec::<i64>::new(), Vec::<i64>::new(), Vec::<i64>::new());
    for account in accounts {
        for usage in account.closed_usage() {
            let Some(month) = usage.month else { continue };
            for tally in &usage.tallies {
                ids.push(account.id().into());
                months.push(month.start);
                actions.push(tally.action_name().to_owned());
                counts.push(tally.count);
                units.push(tally.units);
                credits.push(tally.credits);
            }
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into usage (bucket, account_id, month, action, count, units, credits)
         select $1, *
         from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])",
        bucket.0,
        &ids,
        &months,
        &actions,
        &counts,
        &units,
        &credits,
    )
    .execute(conn)
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_run_reads_back_as_it_was_written() {
        let tally = |action: &str, count, units, credits| Tally {
            action: ActionKey::try_from(action.to_owned()).ok(),
            count,
            units,
            credits,
        };
        let tallies =
            vec![tally("render", 2, 0, 9), tally("", 1, 0, i64::MAX), tally("generate", 3, 4_000, 2)];
        let text = render(&Usage { month: None, tallies: tallies.clone() }).unwrap();
        assert_eq!(text, "render:2:0:9 :1:0:9223372036854775807 generate:3:4000:2");
        assert_eq!(parse(&text).unwrap(), tallies);
        assert_eq!(render(&Usage::default()), None);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_no_ledger_wrote_is_refused() {
        for text in
            ["render", "render:1", "render:1:2", "render:1:2:3:4", "render:a:2:3", "NO KEY!:1:2:3", ":1:2:"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
