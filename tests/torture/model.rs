//! The same commands once more, one after the other, by the law alone: an account whose history is not exactly
//! what that makes of them was not served one command at a time.

use std::{collections::HashMap, ops::Range, sync::Arc};

use chrono::{DateTime, Utc};
use scrip::domain::{
    Account, Command, Credits, Entry, Kind, Limits, Refusal, Shortfall, Subscription, decide,
};

/// A command that was carried out, and what the callers were told of it.
pub struct Effect {
    pub command: Command,
    pub entry: Arc<Entry>,
}

/// A spend that was refused for want of credits.
pub struct Shortage {
    pub shortfall: Shortfall,
    /// The versions of the account that it may have met.
    pub versions: Range<i64>,
    /// When it was asked and answered.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// Compares an account and its entries, oldest first, with what was acknowledged. `now`: after they were read.
pub fn compare(
    account: &Account,
    entries: &[Arc<Entry>],
    effects: &HashMap<i64, Effect>,
    mut shortages: Vec<Shortage>,
    now: DateTime<Utc>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut model = Account::new(account.id(), account.standing().opened_at);
    let mut told = 0;
    explain(&model, &mut shortages);
    for entry in entries {
        let Some(cause) = entry.cause else {
            if !matches!(entry.kind, Kind::Expiry | Kind::Release { .. } | Kind::Void | Kind::Renewal(_)) {
                faults.push(format!("nobody asked for {entry:?}"));
            }
            continue;
        };
        let Some(effect) = effects.get(&cause.key.get()) else {
            faults.push(format!("nobody was told of {entry:?}"));
            continue;
        };
        told += 1;
        if effect.entry != *entry {
            faults.push(format!("{:?} was told as {:?}", entry, effect.entry));
        }
        match decide(&mut model, &effect.command, entry.at) {
            Ok(receipt) if receipt.entry == *entry => {}
            made => faults.push(format!("by the law, {made:?} is what {entry:?} should be")),
        }
        explain(&model, &mut shortages);
        if faults.len() > 3 {
            return faults;
        }
    }
    if told != effects.len() {
        faults.push(format!("{} were told that something was done, {told} find it", effects.len()));
    }
    model.settle(now);
    explain(&model, &mut shortages);
    if !model.journal().starts_with(entries) {
        faults.push("its entries are not those of its commands, one after the other".to_owned());
    }
    let last = entries.last().map_or(Credits::ZERO, |last| last.balance_after);
    let sum: i64 = entries.iter().map(|entry| entry.delta()).sum();
    if (account.balance(), account.balance().get()) != (last, sum) {
        faults.push(format!("has {:?}, its entries leave {last:?} and add up to {sum}", account.balance()));
    }
    for shortage in shortages {
        let Shortage { shortfall, versions, .. } = shortage;
        faults.push(format!("{shortfall:?} was told between versions {versions:?}, and was never so"));
    }
    faults
}

/// Lets go of the shortages that were true of the account as it stands now, at any moment between question and
/// answer.
fn explain(model: &Account, shortages: &mut Vec<Shortage>) {
    shortages.retain(|Shortage { shortfall, versions, from, to }| {
        if !versions.contains(&model.version().0) {
            return true;
        }
        // What is available changes by itself only when a lot begins or lapses, a hold runs out, or a period is over.
        let lots = model.lots().iter().flat_map(|lot| [Some(lot.effective_at), lot.expires_at]).flatten();
        let holds = model.holds().map(|hold| hold.until);
        let period = model.subscription().and_then(Subscription::due_at);
        let turns = lots.chain(holds).chain(period).filter(|turn| from < turn && turn <= to);
        let mut moments = [*from, *to].into_iter().chain(turns);
        let last = model.standing().last_entry_at;
        !moments.any(|at| {
            let at = last.map_or(at, |last| at.max(last));
            let limits = Limits { min_balance: shortfall.min_balance, ..Limits::default() };
            model.quote(shortfall.needed, &limits, at).outcome == Err(Refusal::Insufficient(*shortfall))
        })
    });
}
