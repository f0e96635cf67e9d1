//! What happens to an account by itself as time goes by: lots lapse, holds run out, periods end (rules 13, 14
//! and 16).

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Account, Change, Refusal, open::Due};
use crate::domain::{Hold, Kind, Lot, Movement, moment};

/// How far behind an account's last entry a command may be dated and still be lifted to it (rule 14).
pub const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(1);

impl Account {
    /// Writes down everything that fell due by `now`, in the order in which it did, each thing at its own
    /// moment (rule 13).
    pub fn settle(&mut self, now: DateTime<Utc>) {
        while let Some((at, due)) = self.open.next_due().filter(|(at, _)| *at <= now) {
            let at = self.standing.last_entry_at.map_or(at, |last| at.max(last));
            let change = match due {
                Due::Hold(number) => self.open.holds()[&number].released(),
                Due::Period => self.renewal(at, now),
                Due::Lot(number) => self.lot(number).expect("only what is there falls due").ended(),
            };
            self.record(change, at, None);
        }
    }

    /// The account as it stands at `at`, once what fell due is settled.
    pub(super) fn settled(&self, at: DateTime<Utc>) -> Cow<'_, Self> {
        if self.open.next_due().is_none_or(|(due, _)| due > at) {
            return Cow::Borrowed(self);
        }
        let mut settled = self.clone();
        settled.settle(at);
        Cow::Owned(settled)
    }

    /// The time at which a command dated `now` happens on this account (rule 14).
    pub(super) fn lift(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
        let now = moment::whole(now);
        if !moment::is_kept(now) {
            return Err(Refusal::TimeOutOfRange);
        }
        match self.standing.last_entry_at {
            Some(last_entry_at) if now + CLOCK_SLACK < last_entry_at => {
                Err(Refusal::ClockBehind { last_entry_at })
            }
            Some(last_entry_at) => Ok(now.max(last_entry_at)),
            None => Ok(now),
        }
    }
}

impl Hold {
    /// Everything goes back to where it came from.
    pub(super) fn released(&self) -> Change {
        let back = |held: i64, lot| Movement { lot, change: held, held: -held };
        let movements = self.allocations.iter().map(|held| back(held.amount.get(), held.lot)).collect();
        Change::new(Kind::Release { hold: self.number }, movements)
    }
}

impl Lot {
    fn ended(&self) -> Change {
        let kind = if self.is_void { Kind::Void } else { Kind::Expiry };
        Change::new(kind, vec![Movement::of(self.number, -self.remaining.get())])
    }
}
