//! The account as a state machine: [`decide`] takes a command and a time, and answers with an entry or a
//! refusal. Nothing else changes an account.
//!
//! Each act is first planned, which changes nothing, as a `Change`; `recording` is the one place where credits
//! move and entries come into being. So a refusal can't leave anything half done.

mod giving;
mod open;
mod recording;
mod refusal;
mod settling;
mod spending;
mod subscribing;
mod taking;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};

use self::open::Open;
pub use self::{
    refusal::{Refusal, Shortfall},
    settling::CLOCK_SLACK,
    spending::{Allocation, HOLDS_MAX, Quote, Uses},
};
use super::{
    AccountId, Act, Chain, Command, Credits, Entry, Hold, KeyDigest, Kind, Lot, LotNumber, Movement,
    Subscription, Usage, Version,
    credits::total,
    entry::{Cause, Clawed, Opened},
    moment,
    note::Description,
};

/// One account in memory: as it was loaded, and what has been decided since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    standing: Standing,
    balance: Credits,
    held: Credits,
    /// Shared with the account as it goes on ([`Account::continued`]) until one of the two changes.
    open: Arc<Open>,
    past: Past,
    /// Entries that are decided and not yet written.
    journal: Vec<Arc<Entry>>,
    /// Months of usage that were over before some of these.
    closed_usage: Vec<Usage>,
    /// The chain before the first of these.
    written_chain: Chain,
}

/// What an account is besides its lots and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub id: AccountId,
    pub version: Version,
    pub debt: Credits,
    pub last_entry_at: Option<DateTime<Utc>>,
    pub last_lot: LotNumber,
    pub chain: Chain,
    /// Until when its spends cost nothing (rule 10).
    pub unlimited_until: Option<DateTime<Utc>>,
    pub uses: Uses,
    /// From when the months of its usage are counted.
    pub opened_at: DateTime<Utc>,
    /// Of the last month in which it ran anything.
    pub usage: Arc<Usage>,
    /// Shared with the entry that says it.
    pub subscription: Option<Arc<Subscription>>,
}

/// What came before, as far as commands ask for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Past {
    /// The entries that answered earlier commands.
    answered: HashMap<KeyDigest, Arc<Entry>>,
    /// The entries that commands name.
    entries: HashMap<Version, Arc<Entry>>,
    /// How much of a spend was refunded.
    refunded: HashMap<Version, Credits>,
    /// How much of a lot was clawed back.
    clawed: HashMap<LotNumber, Clawed>,
}

/// What a command led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub entry: Arc<Entry>,
    /// The command had been carried out before; this is the first answer again.
    pub replayed: bool,
}

/// A change that the law allows, before it is made.
struct Change {
    kind: Kind,
    movements: Vec<Movement>,
    opened: Option<Opened>,
    debt_change: i64,
    description: Option<Description>,
}

/// Decides one command. On a refusal nothing has changed but what had fallen due by itself (rule 13).
pub fn decide(account: &mut Account, command: &Command, now: DateTime<Utc>) -> Result<Receipt, Refusal> {
    debug_assert_eq!(account.id(), command.account, "a command reaches the account that it names");
    let cause = Cause { key: command.key.within(account.id()), fingerprint: command.fingerprint() };
    if let Some(entry) = account.past.answered.get(&cause.key) {
        return if entry.cause == Some(cause) {
            Ok(Receipt { entry: Arc::clone(entry), replayed: true })
        } else {
            Err(Refusal::KeyReused)
        };
    }
    let now = account.lift(now)?;
    account.settle(now);
    let change = account.plan(&command.act, now)?;
    if !change.is_kept() {
        return Err(Refusal::TimeOutOfRange);
    }
    let entry = account.record(change, now, Some((command, cause)));
    account.past.answered.insert(cause.key, Arc::clone(&entry));
    // What came back to a lot that had ended meanwhile ends with it.
    account.settle(now);
    Ok(Receipt { entry, replayed: false })
}

impl Account {
    /// An account as it was written. `lots` are at least all that are open, in any order; `holds` all that
    /// are open.
    pub fn restore(standing: Standing, lots: Vec<Lot>, holds: Vec<Hold>) -> Self {
        let balance = total(lots.iter().map(|lot| lot.remaining));
        let held = total(lots.iter().map(|lot| lot.held));
        let mut open = Open::new(lots, holds);
        open.set_end_of_period(standing.subscription.as_ref().and_then(|current| current.due_at()));
        let open = Arc::new(open);
        let written_chain = standing.chain;
        Self {
            standing,
            balance,
            held,
            open,
            past: Past::default(),
            journal: Vec::new(),
            closed_usage: Vec::new(),
            written_chain,
        }
    }

    /// An account that has no history yet.
    pub fn new(id: AccountId, opened_at: DateTime<Utc>) -> Self {
        let standing = Standing {
            id,
            version: Version::default(),
            debt: Credits::ZERO,
            last_entry_at: None,
            last_lot: LotNumber::default(),
            chain: Chain::START,
            unlimited_until: None,
            uses: Uses::default(),
            opened_at,
            usage: Arc::default(),
            subscription: None,
        };
        Self::restore(standing, Vec::new(), Vec::new())
    }

    /// Tells the account of an earlier entry, so that the command which it answered is recognised and later
    /// commands can name it.
    pub fn recall(&mut self, entry: Arc<Entry>) {
        if let Some(cause) = entry.cause {
            self.past.answered.insert(cause.key, Arc::clone(&entry));
        }
        self.past.entries.insert(entry.version, entry);
    }

    /// Tells the account how much of an earlier spend was refunded.
    pub fn recall_refunded(&mut self, spend: Version, refunded: Credits) {
        self.past.refunded.insert(spend, refunded);
    }

    /// Tells the account how much of a lot was clawed back.
    pub fn recall_clawed(&mut self, lot: LotNumber, clawed: Clawed) {
        self.past.clawed.insert(lot, clawed);
    }

    /// The account as it goes on once its journal is written: with what is open, and without a past.
    #[must_use]
    pub fn continued(&self) -> Self {
        let mut open = Arc::clone(&self.open);
        if open.has_ended_lots() {
            Arc::make_mut(&mut open).drop_ended_lots();
        }
        let (standing, written_chain) = (self.standing.clone(), self.standing.chain);
        Self {
            standing,
            open,
            past: Past::default(),
            journal: Vec::new(),
            closed_usage: Vec::new(),
            written_chain,
            ..*self
        }
    }

    pub fn id(&self) -> AccountId {
        self.standing.id
    }

    pub fn version(&self) -> Version {
        self.standing.version
    }

    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What remains in all lots, active or not.
    pub fn balance(&self) -> Credits {
        self.balance
    }

    /// What open holds have set aside.
    pub fn held(&self) -> Credits {
        self.held
    }

    pub fn debt(&self) -> Credits {
        self.standing.debt
    }

    /// In spend order.
    pub fn lots(&self) -> &[Lot] {
        self.open.lots()
    }

    pub fn lot(&self, number: LotNumber) -> Option<&Lot> {
        self.open.lot(number)
    }

    /// Oldest first.
    pub fn holds(&self) -> impl ExactSizeIterator<Item = &Hold> {
        self.open.holds().values()
    }

    /// Those of the open holds that began with unwritten entries, oldest first.
    pub fn begun_holds(&self) -> impl Iterator<Item = &Hold> {
        let first = self.journal.first().map_or(self.version().next(), |first| first.version);
        self.open.holds().range(first..).map(|(_, hold)| hold)
    }

    /// How much of a spend was refunded, as far as it is known here.
    pub fn refunded(&self, spend: Version) -> Credits {
        self.past.refunded.get(&spend).copied().unwrap_or_default()
    }

    /// How much of a lot was clawed back, as far as it is known here.
    pub fn clawed(&self, lot: LotNumber) -> Clawed {
        self.past.clawed.get(&lot).copied().unwrap_or_default()
    }

    /// Entries that are decided and not yet written, oldest first.
    pub fn journal(&self) -> &[Arc<Entry>] {
        &self.journal
    }

    /// Months of usage that are over and not yet written, oldest first.
    pub fn closed_usage(&self) -> &[Usage] {
        &self.closed_usage
    }

    pub fn has_unwritten(&self) -> bool {
        !self.journal.is_empty()
    }

    /// The chain as it was before the journal: what all that is in there was decided on.
    pub fn written_chain(&self) -> Chain {
        self.written_chain
    }

    /// Whether all is known here that deciding this act takes, without looking into the past.
    pub fn knows_enough_for(&self, act: &Act) -> bool {
        let holds = |number| self.open.holds().contains_key(&number);
        match act {
            Act::Capture(capture) => holds(capture.hold),
            Act::Release(release) => holds(release.hold),
            act => !act.names_the_past(),
        }
    }

    /// What an act would change, if the law allows it.
    fn plan(&self, act: &Act, now: DateTime<Utc>) -> Result<Change, Refusal> {
        match act {
            Act::Grant(grant) => self.grant(grant, now),
            Act::Spend(spend) => self.spend(spend, now),
            Act::Hold(spend, life) => self.hold(spend, *life, now),
            Act::Capture(capture) => self.capture(capture, now),
            Act::Release(release) => self.release(release),
            Act::Refund(refund) => self.refund(refund, now),
            Act::Void(void) => self.void(void),
            Act::Adjust(adjust) => self.adjust(adjust, now),
            Act::Clawback(clawback) => self.clawback(clawback),
            Act::Reinstate(reinstate) => self.reinstate(reinstate, now),
            Act::Subscribe(asked) => self.subscribe(asked, now),
            Act::Unsubscribe(asked) => self.unsubscribe(asked, now),
            Act::Unlimited(unlimited) => Ok(Change {
                description: Some(unlimited.reason.clone()),
                ..Change::new(Kind::Unlimited { until: unlimited.until }, Vec::new())
            }),
        }
    }

    /// The entry of this version, where it was recalled or has just been decided.
    fn past_entry(&self, version: Version) -> Option<&Entry> {
        let decided = || {
            let place = self.journal.binary_search_by_key(&version, |entry| entry.version).ok()?;
            self.journal.get(place)
        };
        self.past.entries.get(&version).or_else(decided).map(Arc::as_ref)
    }
}

impl Change {
    fn new(kind: Kind, movements: Vec<Movement>) -> Self {
        Self { kind, movements, opened: None, debt_change: 0, description: None }
    }

    /// Whether the times that it brings into the ledger are read back as they are.
    fn is_kept(&self) -> bool {
        let of_lot = |opened: Opened| [Some(opened.effective_at), opened.expires_at];
        let times = self.opened.map(of_lot).into_iter().flatten().chain([self.kind.until()]);
        let of_subscription = self.kind.subscription().into_iter().flat_map(Subscription::times);
        times.flatten().chain(of_subscription).all(moment::is_kept)
    }
}
