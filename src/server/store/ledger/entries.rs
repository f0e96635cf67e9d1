//! Entries, as the ledger's tables hold them: written once, then only read.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt};
use crate::domain::{
    Account, AccountId, Amount, Credits, Entry, Fingerprint, IdempotencyKey, Kind, LotNumber, Movement,
    Version,
    catalog::{ActionKey, Price, Units},
    command::Description,
    entry::Cause,
};

/// The entries that answered earlier commands under these keys; one pair of account and key a command.
pub async fn answers(
    conn: &mut PgConnection,
    bucket: Bucket,
    commands: &[(AccountId, IdempotencyKey)],
) -> sqlx::Result<Vec<Entry>> {
    let (accounts, keys): (Vec<Uuid>, Vec<Vec<u8>>) =
        commands.iter().map(|(account, key)| (Uuid::from(*account), key.digest().to_vec())).unzip();
    sqlx::query_as!(
        EntryRow,
        r#"select entries.account_id,
                  entries.version,
                  entries.at,
                  entries.balance_before,
                  entries.balance_after,
                  entries.kind::text as "kind!",
                  entries.movements,
                  entries.action,
                  entries.units,
                  entries.price,
                  entries.description,
                  entries.key_digest,
                  entries.fingerprint
           from unnest($2::uuid[], $3::bytea[]) as asked (account_id, key_digest)
           join entries
             on entries.bucket = $1
            and entries.account_id = asked.account_id
            and entries.key_digest = asked.key_digest"#,
        bucket.0,
        &accounts,
        &keys,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(EntryRow::read)
    .collect()
}

/// An account's entries from `before` backwards (from the newest where it is `None`), newest first.
pub async fn history(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    before: Option<Version>,
    limit: usize,
) -> sqlx::Result<Vec<Entry>> {
    sqlx::query_as!(
        EntryRow,
        r#"select account_id,
                  version,
                  at,
                  balance_before,
                  balance_after,
                  kind::text as "kind!",
                  movements,
                  action,
                  units,
                  price,
                  description,
                  key_digest,
                  fingerprint
           from entries
           where bucket = $1
             and account_id = $2
             and version < $3
           order by version desc
           limit $4"#,
        bucket.0,
        Uuid::from(account),
        before.map_or(i64::MAX, |version| version.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(EntryRow::read)
    .collect()
}

pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[&Account]) -> sqlx::Result<()> {
    let entries: Vec<EntryRow> =
        accounts.iter().flat_map(|account| account.journal()).map(EntryRow::write).collect();
    let ids: Vec<Uuid> = entries.iter().map(|entry| entry.account_id).collect();
    let versions: Vec<i64> = entries.iter().map(|entry| entry.version).collect();
    let times: Vec<DateTime<Utc>> = entries.iter().map(|entry| entry.at).collect();
    let before: Vec<i64> = entries.iter().map(|entry| entry.balance_before).collect();
    let after: Vec<i64> = entries.iter().map(|entry| entry.balance_after).collect();
    let kinds: Vec<String> = entries.iter().map(|entry| entry.kind.clone()).collect();
    // An array of arrays would have to be rectangular; as text each keeps its own length.
    let movements: Vec<String> = entries.iter().map(|entry| array_literal(&entry.movements)).collect();
    let actions: Vec<Option<String>> = entries.iter().map(|entry| entry.action.clone()).collect();
    let units: Vec<Option<i64>> = entries.iter().map(|entry| entry.units).collect();
    let prices: Vec<Option<i64>> = entries.iter().map(|entry| entry.price).collect();
    let descriptions: Vec<Option<String>> = entries.iter().map(|entry| entry.description.clone()).collect();
    let keys: Vec<Option<Vec<u8>>> = entries.iter().map(|entry| entry.key_digest.clone()).collect();
    let fingerprints: Vec<Option<Vec<u8>>> = entries.iter().map(|entry| entry.fingerprint.clone()).collect();
    sqlx::query!(
        "insert into entries (
             bucket, account_id, version, at, balance_before, balance_after, kind, movements,
             action, units, price, description, key_digest, fingerprint
         )
         select $1, account_id, version, at, balance_before, balance_after, kind::entry_kind, movements::bigint[],
                action, units, price, description, key_digest, fingerprint
         from unnest(
                  $2::uuid[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
                  $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::bytea[], $14::bytea[]
              ) as decided (
                  account_id, version, at, balance_before, balance_after, kind, movements,
                  action, units, price, description, key_digest, fingerprint
              )",
        bucket.0,
        &ids,
        &versions,
        &times,
        &before,
        &after,
        &kinds,
        &movements,
        &actions as &[Option<String>],
        &units as &[Option<i64>],
        &prices as &[Option<i64>],
        &descriptions as &[Option<String>],
        &keys as &[Option<Vec<u8>>],
        &fingerprints as &[Option<Vec<u8>>],
    )
    .execute(conn)
    .await
    .map(drop)
}

fn array_literal(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

/// An entry as the table holds it.
struct EntryRow {
    account_id: Uuid,
    version: i64,
    at: DateTime<Utc>,
    balance_before: i64,
    balance_after: i64,
    kind: String,
    movements: Vec<i64>,
    action: Option<String>,
    units: Option<i64>,
    price: Option<i64>,
    description: Option<String>,
    key_digest: Option<Vec<u8>>,
    fingerprint: Option<Vec<u8>>,
}

impl EntryRow {
    fn write(entry: &Entry) -> Self {
        let (kind, price, description) = match &entry.kind {
            Kind::Grant(description) => ("grant", None, Some(description)),
            Kind::Spend(price) => ("spend", Some(price), None),
            Kind::Expiry => ("expiry", None, None),
        };
        Self {
            account_id: entry.account.into(),
            version: entry.version.0,
            at: entry.at,
            balance_before: entry.balance_before.get(),
            balance_after: entry.balance_after.get(),
            kind: kind.to_owned(),
            movements: entry
                .movements
                .iter()
                .flat_map(|movement| [movement.lot.0, movement.change])
                .collect(),
            action: price.map(|price| price.action.to_string()),
            units: price.and_then(|price| price.units).map(Units::get),
            price: price.map(|price| price.cost.get()),
            description: description.map(|description| description.as_str().to_owned()),
            key_digest: entry.cause.map(|cause| cause.key.digest().to_vec()),
            fingerprint: entry.cause.map(|cause| cause.fingerprint.digest().to_vec()),
        }
    }

    fn read(self) -> sqlx::Result<Entry> {
        let kind = match (self.kind.as_str(), self.action, self.price, self.description) {
            ("grant", None, None, Some(description)) => {
                Kind::Grant(Description::parse(description).map_err(corrupt)?)
            }
            ("spend", Some(action), Some(price), None) => Kind::Spend(Price {
                action: ActionKey::try_from(action).map_err(corrupt)?,
                units: self.units.map(Units::try_from).transpose().map_err(corrupt)?,
                cost: Amount::try_from(price).map_err(corrupt)?,
            }),
            ("expiry", None, None, None) => Kind::Expiry,
            _ => return Err(corrupt(format_args!("an entry of kind {} with the wrong columns", self.kind))),
        };
        let movements = self.movements.chunks_exact(2);
        let cause = match (self.key_digest, self.fingerprint) {
            (Some(key), Some(fingerprint)) => Some(Cause {
                key: IdempotencyKey::from_digest(bytes(&key)?),
                fingerprint: Fingerprint::from_digest(bytes(&fingerprint)?),
            }),
            _ => None,
        };
        Ok(Entry {
            account: self.account_id.into(),
            version: Version(self.version),
            at: self.at,
            kind,
            balance_before: Credits::try_from(self.balance_before).map_err(corrupt)?,
            balance_after: Credits::try_from(self.balance_after).map_err(corrupt)?,
            movements: movements.map(|pair| Movement { lot: LotNumber(pair[0]), change: pair[1] }).collect(),
            cause,
        })
    }
}

fn bytes<const N: usize>(column: &[u8]) -> sqlx::Result<[u8; N]> {
    column.try_into().map_err(|_| corrupt(format_args!("a digest of {} bytes", column.len())))
}
