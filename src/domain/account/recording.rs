//! The one place where an account changes: credits move, and the entry of it is written (rules 11 and 12).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Account, Allocation, Change};
use crate::domain::{
    Command, Credits, Entry, Hold, Kind, Lot, Movement,
    entry::{Cause, Opened},
};

impl Account {
    /// Moves the credits of a change, and writes the entry of it.
    pub(super) fn record(
        &mut self,
        change: Change,
        at: DateTime<Utc>,
        asked: Option<(&Command, Cause)>,
    ) -> Arc<Entry> {
        let Change { kind, movements, opened, debt_change, description } = change;
        let balance_before = self.balance;
        if let Some(opened) = opened {
            self.begin_lot(opened, &movements, at);
        }
        for movement in &movements {
            self.carry_out(movement, &kind);
        }
        self.standing.debt = self.debt().changed_by(debt_change).expect("no more debt is paid than is owed");
        let mut entry = Entry {
            account: self.id(),
            version: self.version().next(),
            at,
            kind,
            balance_before,
            balance_after: self.balance,
            movements,
            opened,
            debt_change,
            description,
            reference: asked.and_then(|(command, _)| command.reference.clone()),
            metadata: asked.and_then(|(command, _)| command.metadata.clone()),
            cause: asked.map(|(_, cause)| cause),
            link: 0,
        };
        self.take_note(&entry);
        self.standing.chain = self.standing.chain.after(&entry);
        self.standing.version = entry.version;
        self.standing.last_entry_at = Some(at);
        entry.link = self.standing.chain.link();
        let entry = Arc::new(entry);
        self.journal.push(Arc::clone(&entry));
        entry
    }

    fn begin_lot(&mut self, opened: Opened, movements: &[Movement], now: DateTime<Utc>) {
        let granted = movements.iter().find(|movement| movement.lot == opened.lot).map(|first| first.change);
        let granted = granted.and_then(|change| Credits::try_from(change).ok());
        let lot = Lot {
            number: opened.lot,
            source: opened.source,
            priority: opened.priority,
            granted: granted.expect("a lot begins with what it is granted"),
            remaining: Credits::ZERO,
            held: Credits::ZERO,
            lost: Credits::ZERO,
            is_void: false,
            effective_at: opened.effective_at,
            expires_at: opened.expires_at,
            created_at: now,
        };
        self.standing.last_lot = lot.number;
        Arc::make_mut(&mut self.open).add_lot(lot);
    }

    fn carry_out(&mut self, movement: &Movement, kind: &Kind) {
        Arc::make_mut(&mut self.open).change_lot(movement.lot, |lot| {
            lot.remaining = lot.remaining.changed_by(movement.change).expect("a lot pays only what it has");
            lot.held = lot.held.changed_by(movement.held).expect("a lot releases only what it holds");
            if let Kind::Expiry | Kind::Void = kind {
                lot.lost = lot.lost.changed_by(-movement.change).expect("a lot loses no more than it had");
                lot.is_void |= *kind == Kind::Void;
            }
        });
        self.balance = self.balance.changed_by(movement.change).expect("the balance is the sum of its lots");
        self.held = self.held.changed_by(movement.held).expect("what is held is the sum of the lots'");
    }

    /// What an entry means beyond its movements.
    fn take_note(&mut self, entry: &Entry) {
        if let Some(charge) = entry.kind.charge().filter(|_| entry.kind.is_spend()) {
            let credits = -(entry.delta() + entry.held_change());
            let usage = Arc::make_mut(&mut self.standing.usage);
            self.closed_usage.extend(usage.count(charge, credits, entry.at, self.standing.opened_at));
        }
        match &entry.kind {
            Kind::Spend(_) => self.standing.uses.count(entry.at),
            Kind::Hold { charge, until } => {
                self.standing.uses.count(entry.at);
                let allocations = entry.movements.iter().filter_map(Allocation::held).collect();
                let (charge, until) = (charge.clone(), *until);
                let hold = Hold { number: entry.version, until, charge, allocations };
                Arc::make_mut(&mut self.open).add_hold(hold);
            }
            Kind::Capture { hold, .. } | Kind::Release { hold } => {
                Arc::make_mut(&mut self.open).end_hold(*hold);
            }
            Kind::Refund { spend } => {
                let given_back = Credits::try_from(entry.delta()).expect("a refund gives");
                let refunded = self.refunded(*spend).checked_add(given_back);
                self.past.refunded.insert(*spend, refunded.expect("no more is refunded than was spent"));
            }
            Kind::Clawback(clawed) | Kind::Reinstatement(clawed) => {
                let lot = entry.movements.first().expect("the entry names the lot").lot;
                self.past.clawed.insert(lot, *clawed);
            }
            Kind::Subscription(after) | Kind::Renewal(after) => {
                let before = self.standing.subscription.replace(Arc::clone(after));
                if let (Kind::Renewal(_), Some(before)) = (&entry.kind, before) {
                    for lot in self.lots_left_of(&before, entry.opened, entry.at) {
                        Arc::make_mut(&mut self.open).end_lot(lot, entry.at);
                    }
                }
                Arc::make_mut(&mut self.open).set_end_of_period(after.due_at());
            }
            Kind::Unlimited { until } => self.standing.unlimited_until = Some(*until),
            Kind::Grant | Kind::Expiry | Kind::Void | Kind::Adjustment => {}
        }
    }
}
