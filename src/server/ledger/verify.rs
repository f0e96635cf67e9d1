//! Checking the books: every entry of every account is read again, and what is kept of the account is compared
//! with what they make of it (invariants 1 to 10 of ARCHITECTURE.md). All on one snapshot, beside a running
//! server, in memory that grows with the lots of single accounts but not with the ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use sqlx::{Connection, PgConnection, PgPool};

use crate::{
    domain::{AccountId, Replay, Tally, Used, Version, Violation, replay::Broken},
    server::store::{
        self,
        ledger::{self as tables, Bucket, Buckets, Found, Kept, Line},
        purchases,
    },
    text::hexadecimal,
};

/// How many accounts are read at a time.
const ACCOUNTS_AT_A_TIME: i64 = 256;

/// How many violations are told one by one.
pub const TOLD_MAX: usize = 100;

/// What a check came to.
#[derive(Debug, Default)]
pub struct Report {
    pub accounts: u64,
    pub entries: u64,
    pub violations: u64,
    /// The first of them, at most [`TOLD_MAX`].
    pub told: Vec<Told>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Checked {} of {}:",
            counted(self.entries, "entry", "entries"),
            counted(self.accounts, "account", "accounts")
        )?;
        for what in CHECKED {
            writeln!(f, "  {what}")?;
        }
        for Told { account, version, what } in &self.told {
            match version {
                Some(version) => writeln!(f, "WRONG {account} entry {}: {what}", version.0)?,
                None => writeln!(f, "WRONG {account}: {what}")?,
            }
        }
        match self.violations {
            0 => writeln!(f, "All of it holds."),
            count => writeln!(f, "{} found.", counted(count, "violation", "violations")),
        }
    }
}

/// What a report says was checked, in the order of ARCHITECTURE.md's invariants.
const CHECKED: [&str; 10] = [
    "1 each entry takes up where the one before it ended, and versions have no gaps",
    "2 what moved in a lot is what was granted, less what remains, is held, spent and lost",
    "3 an account has what its lots have, and holds what its holds do",
    "4 nothing is negative",
    "5 no key has two effects",
    "6 no entry spent from a lot while an earlier one had credits",
    "7 nothing was spent from a lot that was not active",
    "8 the chain of hashes holds",
    "9 subscriptions and the usage that was counted are what their entries make of them",
    "10 each purchase that was paid as agreed has brought its credits once",
];

fn counted(count: u64, one: &str, many: &str) -> String {
    let number = crate::text::number(i64::try_from(count).unwrap_or(i64::MAX));
    format!("{number} {}", if count == 1 { one } else { many })
}

/// A violation and where it is.
#[derive(Debug)]
pub struct Told {
    pub account: AccountId,
    pub version: Option<Version>,
    pub what: String,
}

/// Checks one account, or all of them. `progress` hears how many entries have been read, and about how many
/// there are.
pub async fn verify(
    pool: &PgPool,
    only: Option<AccountId>,
    mut progress: impl FnMut(u64, u64),
) -> sqlx::Result<Report> {
    let buckets = Buckets::read(pool).await?;
    let mut conn = store::connect_auditor(pool).await?;
    let mut snapshot = conn.begin_with(tables::SNAPSHOT).await?;
    let about = tables::count_entries(&mut snapshot).await?;
    let mut report = Report::default();
    match only {
        Some(account) => {
            let bucket = buckets.of(account);
            let found = tables::one_account(&mut snapshot, bucket, account).await?;
            report.check_accounts(&mut snapshot, bucket, found, &mut |_| {}).await?;
            report.check_keys(&mut snapshot, bucket, only).await?;
        }
        None => {
            for bucket in buckets.all() {
                report.check_bucket(&mut snapshot, bucket, &mut |read| progress(read, about)).await?;
            }
            for (account, version) in tables::misplaced(&mut snapshot, buckets).await? {
                report.tell(account, version, "it is in a bucket where nobody looks for it");
            }
        }
    }
    for (account, purchase) in purchases::without_grant(&mut snapshot, only).await? {
        report.tell(
            account,
            None,
            format_args!("purchase {purchase} was paid, and has not one lot of its own"),
        );
    }
    snapshot.commit().await?;
    Ok(report)
}

impl Report {
    async fn check_bucket(
        &mut self,
        conn: &mut PgConnection,
        bucket: Bucket,
        progress: &mut impl FnMut(u64),
    ) -> sqlx::Result<()> {
        let mut after = None;
        loop {
            let found = tables::next_accounts(conn, bucket, after, ACCOUNTS_AT_A_TIME).await?;
            let Some((last, _)) = found.last() else { break };
            after = Some(*last);
            self.check_accounts(conn, bucket, found, progress).await?;
        }
        self.check_keys(conn, bucket, None).await?;
        for (account, version) in tables::orphans(conn, bucket).await? {
            self.tell(account, Some(version), "its account is not there");
        }
        Ok(())
    }

    async fn check_keys(
        &mut self,
        conn: &mut PgConnection,
        bucket: Bucket,
        only: Option<AccountId>,
    ) -> sqlx::Result<()> {
        for (account, version) in tables::keys_used_twice(conn, bucket, only).await? {
            self.tell(account, Some(version), "its key was used before");
        }
        Ok(())
    }

    /// `found`: accounts that follow one another in the order of their ids.
    async fn check_accounts(
        &mut self,
        conn: &mut PgConnection,
        bucket: Bucket,
        found: Vec<Found>,
        progress: &mut impl FnMut(u64),
    ) -> sqlx::Result<()> {
        let (Some((first, _)), Some((last, _))) = (found.first(), found.last()) else { return Ok(()) };
        let mut lines = tables::stream(conn, bucket, *first..=*last);
        let mut books = BTreeMap::new();
        for (account, kept) in found {
            match kept {
                Ok(kept) => drop(books.insert(account, Books::open(account, kept))),
                Err(error) => {
                    self.accounts += 1;
                    self.tell(account, None, format_args!("can't be read: {error}"));
                }
            }
        }
        let mut done = Vec::new();
        while let Some(line) = lines.next().await {
            let line = line?;
            self.entries += 1;
            progress(self.entries);
            // What belongs to no account is found as an orphan. An account whose entries have passed is done.
            done.extend(books.range(..line.account).map(|(id, _)| *id));
            for id in done.drain(..) {
                books.remove(&id).into_iter().for_each(|books| self.close(books));
            }
            if let Some(books) = books.get_mut(&line.account) {
                books.read(line, self);
            }
        }
        books.into_values().for_each(|books| self.close(books));
        Ok(())
    }

    fn close(&mut self, books: Books) {
        self.accounts += 1;
        let account = AccountId::from(books.kept.row.id);
        if books.is_sound {
            for Violation { version, what } in books.compare() {
                self.tell(account, version, what);
            }
        }
    }

    fn tell(&mut self, account: AccountId, version: Option<Version>, what: impl ToString) {
        self.violations += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(Told { account, version, what: what.to_string() });
        }
    }
}

/// One account under check.
struct Books {
    kept: Kept,
    replay: Replay,
    used: Used,
    /// As of now, so that what follows a broken entry is not told as well.
    is_sound: bool,
}

impl Books {
    fn open(account: AccountId, kept: Kept) -> Self {
        let used = Used::since(kept.row.created_at);
        Self { kept, replay: Replay::new(account), used, is_sound: true }
    }

    fn read(&mut self, line: Line, report: &mut Report) {
        if !self.is_sound {
            return;
        }
        let broken = match line.entry {
            Ok(entry) => {
                self.used.read(&entry);
                self.replay.read(&entry).err().map(|violation| violation.to_string())
            }
            Err(error) => Some(format!("can't be read: {error}")),
        };
        if let Some(broken) = broken {
            self.is_sound = false;
            report.tell(line.account, Some(line.version), broken);
        }
    }

    /// What is kept of the account, against what its entries make of it.
    fn compare(&self) -> Vec<Violation> {
        let Self { kept: Kept { row, lots, holds, refunded, clawed, subscription, usage }, replay, .. } =
            self;
        let mut broken = replay.compare(lots, holds);
        let mut differ = |what: &'static str, kept: String, made: String| {
            if kept != made {
                broken.push(Violation { version: None, what: Broken::Kept(what, kept, made) });
            }
        };
        differ("uses for fair use", format!("{:?}", row.uses()), format!("{:?}", replay.uses()));
        differ("version", row.version.to_string(), replay.version().0.to_string());
        differ("balance", row.balance.to_string(), replay.balance().get().to_string());
        differ("held", row.held.to_string(), replay.held().get().to_string());
        differ("debt", row.debt.to_string(), replay.debt().get().to_string());
        differ("chain", hexadecimal(&row.chain), hexadecimal(replay.chain().bytes()));
        differ("last entry", format!("{:?}", row.last_entry_at), format!("{:?}", replay.last_at()));
        differ(
            "unlimited use",
            format!("{:?}", row.unlimited_until),
            format!("{:?}", replay.unlimited_until()),
        );
        let refunded = refunded.iter().map(|(spend, sum)| (spend.0, sum.get())).collect::<Vec<_>>();
        let made = replay.refunded().map(|(spend, sum)| (spend.0, sum.get())).collect::<Vec<_>>();
        differ("refunds", format!("{refunded:?}"), format!("{made:?}"));
        let made = replay.clawed().collect::<Vec<_>>();
        differ("clawbacks", format!("{clawed:?}"), format!("{made:?}"));
        let (kept, made) = (subscription.as_deref(), replay.subscription());
        differ("subscription", format!("{kept:?}"), format!("{made:?}"));
        let current = row.usage().unwrap_or_default();
        let of_current = |tally| Some(shown(current.month?.start, tally));
        let over = usage.iter().map(|row| shown(row.month, &row.tally));
        let kept: BTreeSet<String> = over.chain(current.tallies.iter().filter_map(of_current)).collect();
        let made: BTreeSet<String> = self.used.tallies().map(|(month, tally)| shown(month, tally)).collect();
        differ("usage", format!("{kept:?}"), format!("{made:?}"));
        let last_lot = replay.lots().last().map_or(0, |lot| lot.number.0);
        differ("last lot", row.last_lot.to_string(), last_lot.to_string());
        broken
    }
}

fn shown(month: DateTime<Utc>, tally: &Tally) -> String {
    let Tally { count, units, credits, .. } = tally;
    format!("{} {} {count} times, {units} units, {credits} credits", month.to_rfc3339(), tally.action_name())
}
