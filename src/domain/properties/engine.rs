//! What an engine does around [`decide`], without a database: it loads what a batch of commands needs and no
//! more, decides them, writes, and forgets. Whether that is enough is what it is here to find out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{account::Standing, testing::new_account, *},
    trial::{Answer, Timed},
};

/// Everything that is written of one account.
pub struct Engine {
    standing: Standing,
    pub lots: BTreeMap<LotNumber, Lot>,
    pub holds: Vec<Hold>,
    pub entries: Vec<Arc<Entry>>,
    refunded: BTreeMap<Version, Credits>,
    clawed: BTreeMap<LotNumber, Clawed>,
    /// The account as it was left in memory.
    cached: Account,
}

impl Engine {
    pub fn new() -> Self {
        let cached = new_account();
        Self {
            standing: cached.standing().clone(),
            lots: BTreeMap::new(),
            holds: Vec::new(),
            entries: Vec::new(),
            refunded: BTreeMap::new(),
            clawed: BTreeMap::new(),
            cached,
        }
    }

    /// Carries out a batch: on the account in memory if that may be and knows enough, else on one that is
    /// loaded anew.
    pub fn execute(&mut self, batch: &[Timed], may_cache: bool) -> Vec<Answer> {
        let knows_enough = |(command, _): &Timed| self.cached.knows_enough_for(&command.act);
        if !(may_cache && batch.iter().all(knows_enough)) {
            self.cached = self.load(batch.iter().map(|(command, _)| &command.act));
        }
        for (command, _) in batch {
            let key = command.key.within(command.account);
            let answers = |entry: &&Arc<Entry>| entry.cause.is_some_and(|cause| cause.key == key);
            if let Some(entry) = self.entries.iter().find(answers) {
                self.cached.recall(Arc::clone(entry));
            }
        }
        let answers = batch.iter().map(|(command, at)| decide(&mut self.cached, command, *at)).collect();
        self.write();
        answers
    }

    /// What is open, and what these acts name.
    fn load<'a>(&self, acts: impl Iterator<Item = &'a Act>) -> Account {
        let (mut entries, mut lots) = (BTreeSet::new(), BTreeSet::new());
        for act in acts {
            match act {
                Act::Capture(Capture { hold: version, .. })
                | Act::Release(Release { hold: version })
                | Act::Refund(Refund { spend: version, .. }) => entries.extend(self.entry(*version)),
                Act::Void(Void { lot, .. })
                | Act::Clawback(Clawback { lot, .. })
                | Act::Reinstate(Reinstate { lot, .. }) => lots.extend([*lot]),
                Act::Grant(_) | Act::Spend(_) | Act::Hold(..) | Act::Adjust(_) | Act::Unlimited(_) => {}
            }
        }
        for place in &entries {
            lots.extend(self.entries[*place].movements.iter().map(|movement| movement.lot));
        }
        let is_needed = |lot: &&Lot| lot.is_open() || lots.contains(&lot.number);
        let loaded = self.lots.values().filter(is_needed).cloned().collect();
        let mut account = Account::restore(self.standing.clone(), loaded, self.holds.clone());
        for place in entries {
            let entry = &self.entries[place];
            account.recall(Arc::clone(entry));
            if let Some(refunded) = self.refunded.get(&entry.version) {
                account.recall_refunded(entry.version, *refunded);
            }
        }
        for (lot, clawed) in self.clawed.iter().filter(|(lot, _)| lots.contains(lot)) {
            account.recall_clawed(*lot, *clawed);
        }
        account
    }

    fn entry(&self, version: Version) -> Option<usize> {
        self.entries.iter().position(|entry| entry.version == version)
    }

    fn write(&mut self) {
        let account = &mut self.cached;
        for entry in account.journal() {
            match entry.kind {
                Kind::Refund { spend } => {
                    self.refunded.insert(spend, account.refunded(spend));
                }
                Kind::Clawback(_) | Kind::Reinstatement(_) => {
                    let lot =
                        entry.movements.first().expect("it names its lot first, even if nothing moves").lot;
                    self.clawed.insert(lot, account.clawed(lot));
                }
                _ => {}
            }
        }
        self.entries.extend(account.journal().iter().cloned());
        self.lots.extend(account.lots().iter().map(|lot| (lot.number, lot.clone())));
        self.holds = account.holds().to_vec();
        self.standing = account.standing().clone();
        *account = account.continued();
    }
}
