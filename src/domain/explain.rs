//! "Explain this charge": which lots an entry took from, in which order, by which rule that order came about, and
//! at which price of its time.

use std::sync::Arc;

use super::{Amount, Credits, Entry, Kind, Lot, Movement, Replay};

/// An entry that took credits, with the lots as they stood before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub entry: Arc<Entry>,
    /// The lots that could pay, in the order in which they had to, down to the first that was not needed. Of a
    /// capture first those of its hold; one that paid beyond that as well is there twice. None where nothing
    /// was taken.
    pub lots: Vec<Considered>,
}

/// A lot that could pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// As it stood before the entry.
    pub lot: Lot,
    /// Whether the entry could take what a hold had set aside of the lot, or else what remained in it.
    pub is_held: bool,
    pub taken: Credits,
    /// Why it came before the next one; `None` for the last.
    pub because: Option<Because>,
}

/// What puts one lot before another: first what was held (rule 6), then rule 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    Held,
    LowerPriority,
    ExpiresEarlier,
    Older,
}

impl Explanation {
    /// `before`: the account just before the entry.
    pub fn of(entry: Arc<Entry>, before: &Replay) -> Self {
        let mut lots = match entry.kind {
            Kind::Spend(_) | Kind::Hold { .. } => remaining(&entry, before),
            Kind::Adjustment if entry.opened.is_none() => remaining(&entry, before),
            Kind::Capture { .. } => [held(&entry, before), remaining(&entry, before)].concat(),
            _ => Vec::new(),
        };
        for place in 1..lots.len() {
            lots[place - 1].because = Some(Because::of(&lots[place - 1], &lots[place]));
        }
        Self { entry, lots }
    }

    /// What was asked for at the time, whether or not use was unlimited; of an adjustment there is no price.
    pub fn price(&self) -> Option<Amount> {
        self.entry.kind.charge().map(|charge| charge.cost)
    }
}

/// The lots of the hold that a capture ends. What it takes of them was chosen when it was set aside.
fn held(capture: &Entry, before: &Replay) -> Vec<Considered> {
    let parts = capture.movements.iter().filter(|part| part.held < 0);
    considered(parts.filter_map(|part| Some((before.lot(part.lot)?, Some(part)))), true)
}

/// The lots from which an entry took what remained in them.
fn remaining(entry: &Entry, before: &Replay) -> Vec<Considered> {
    // A part that was held moves what is held; what pays beyond that does not.
    let payments = || entry.movements.iter().filter(|part| part.change < 0 && part.held >= 0);
    if payments().next().is_none() {
        return Vec::new();
    }
    let active = before.stocked().filter(|lot| lot.is_active(entry.at));
    considered(active.map(|lot| (lot, payments().find(|part| part.lot == lot.number))), false)
}

/// Lots in their order, each with what was taken of it, down to the first that was not needed.
fn considered<'a>(
    lots: impl Iterator<Item = (&'a Lot, Option<&'a Movement>)>,
    is_held: bool,
) -> Vec<Considered> {
    let mut found = Vec::new();
    for (lot, part) in lots {
        let taken = part.map_or(0, |part| if is_held { -part.change - part.held } else { -part.change });
        let taken = Credits::try_from(taken).unwrap_or_default();
        found.push(Considered { lot: lot.clone(), is_held, taken, because: None });
        if taken == Credits::ZERO {
            break;
        }
    }
    found
}

impl Because {
    fn of(first: &Considered, second: &Considered) -> Self {
        let (one, other) = (&first.lot, &second.lot);
        if first.is_held && !second.is_held {
            Self::Held
        } else if one.priority != other.priority {
            Self::LowerPriority
        } else if one.expires_at != other.expires_at {
            Self::ExpiresEarlier
        } else {
            Self::Older
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Account, Act, Adjust, Adjustment, Capture, Grant, HoldLife, Priority, Release, Unlimited, Version,
        decide, testing::*,
    };

    /// Lot 3 is spent first, then 2, then 1, then 4.
    fn account() -> Account {
        let mut account = new_account();
        let grants = [
            grant(5),
            Grant { expires_at: Some(at(90)), ..grant(2) },
            Grant { priority: Priority(10), ..grant(1) },
            grant(7),
        ];
        for (seconds, grant) in (0..).zip(grants) {
            done(&mut account, seconds, Act::Grant(grant));
        }
        account
    }

    fn done(account: &mut Account, seconds: i64, act: Act) -> Arc<Entry> {
        let command = command(account, &format!("at-{}", account.version().0), act);
        decide(account, &command, at(seconds)).unwrap().entry
    }

    fn explained(account: &Account, entry: Arc<Entry>) -> Explanation {
        let mut before = Replay::new(account.id());
        for earlier in account.journal().iter().take_while(|earlier| earlier.version < entry.version) {
            before.read(earlier).unwrap();
        }
        Explanation::of(entry, &before)
    }

    /// The lots, as `(number, whether held, taken, because)`.
    type Part = (i64, bool, i64, Option<Because>);

    fn parts(explanation: &Explanation) -> Vec<Part> {
        let part = |part: &Considered| (part.lot.number.0, part.is_held, part.taken.get(), part.because);
        explanation.lots.iter().map(part).collect()
    }

    /// A capture of so many credits after a hold of so many.
    fn captured(hold: i64, capture: i64) -> Explanation {
        let mut account = account();
        let hold = Act::Hold(spend("render", hold), HoldLife::default());
        let hold = done(&mut account, 5, hold).version;
        let capture = Capture { hold, amount: Some(amount(capture)) };
        let entry = done(&mut account, 9, Act::Capture(capture));
        explained(&account, entry)
    }

    #[test]
    fn a_charge_names_its_lots_in_order_each_with_the_rule_that_put_it_there() {
        let mut account = account();
        let spent = done(&mut account, 9, Act::Spend(spend("render", 4)));
        let explained = explained(&account, spent);
        assert_eq!(
            parts(&explained),
            [
                (3, false, 1, Some(Because::LowerPriority)),
                (2, false, 2, Some(Because::ExpiresEarlier)),
                (1, false, 1, Some(Because::Older)),
                (4, false, 0, None),
            ]
        );
        assert_eq!(explained.price(), Some(amount(4)));
    }

    #[test]
    fn a_hold_is_explained_like_a_spend() {
        let mut account = account();
        let held = done(&mut account, 9, Act::Hold(spend("render", 2), HoldLife::default()));
        let expected =
            [(3, false, 1, Some(Because::LowerPriority)), (2, false, 1, Some(Because::ExpiresEarlier))];
        let explained = explained(&account, held);
        assert_eq!(parts(&explained)[..2], expected);
        assert_eq!(parts(&explained)[2], (1, false, 0, None));
    }

    #[test]
    fn an_exact_capture_took_what_was_held_in_the_order_in_which_it_was_set_aside() {
        let explained = captured(4, 4);
        let expected = [
            (3, true, 1, Some(Because::LowerPriority)),
            (2, true, 2, Some(Because::ExpiresEarlier)),
            (1, true, 1, None),
        ];
        assert_eq!(parts(&explained), expected);
        assert_eq!(explained.price(), Some(amount(4)));
    }

    #[test]
    fn a_capture_of_a_part_ends_at_the_first_lot_that_was_not_needed() {
        let explained = captured(4, 2);
        let expected = [
            (3, true, 1, Some(Because::LowerPriority)),
            (2, true, 1, Some(Because::ExpiresEarlier)),
            (1, true, 0, None),
        ];
        assert_eq!(parts(&explained), expected);
        assert_eq!(explained.price(), Some(amount(2)));
        let exactly_the_first = captured(4, 1);
        let expected = [(3, true, 1, Some(Because::LowerPriority)), (2, true, 0, None)];
        assert_eq!(parts(&exactly_the_first), expected);
    }

    #[test]
    fn a_capture_of_more_took_what_was_held_first_and_then_the_rest_of_the_same_lot() {
        let explained = captured(2, 5);
        let expected = [
            (3, true, 1, Some(Because::LowerPriority)),
            (2, true, 1, Some(Because::Held)),
            (2, false, 1, Some(Because::ExpiresEarlier)),
            (1, false, 2, Some(Because::Older)),
            (4, false, 0, None),
        ];
        assert_eq!(parts(&explained), expected);
        assert_eq!(explained.price(), Some(amount(5)));
    }

    #[test]
    fn what_was_held_came_before_a_lot_that_is_earlier_in_the_order() {
        let mut account = account();
        // All of lots 3 and 2 and some of 1 is held at first, and released once another hold has taken of 1.
        let hold = |cost| Act::Hold(spend("render", cost), HoldLife::default());
        let first = done(&mut account, 5, hold(4)).version;
        let second = done(&mut account, 6, hold(3)).version;
        done(&mut account, 7, Act::Release(Release { hold: first }));
        let capture = Act::Capture(Capture { hold: second, amount: Some(amount(7)) });
        let entry = done(&mut account, 8, capture);
        let expected = [
            (1, true, 3, Some(Because::Held)),
            (3, false, 1, Some(Because::LowerPriority)),
            (2, false, 2, Some(Because::ExpiresEarlier)),
            (1, false, 1, Some(Because::Older)),
            (4, false, 0, None),
        ];
        assert_eq!(parts(&explained(&account, entry)), expected);
    }

    #[test]
    fn what_was_held_of_a_lapsed_lot_is_among_what_a_capture_took() {
        let mut account = account();
        let hold = done(&mut account, 5, Act::Hold(spend("render", 2), HoldLife::default())).version;
        let capture = Act::Capture(Capture { hold, amount: Some(amount(3)) });
        let entry = done(&mut account, 95, capture);
        let expected = [
            (3, true, 1, Some(Because::LowerPriority)),
            (2, true, 1, Some(Because::Held)),
            (1, false, 1, Some(Because::Older)),
            (4, false, 0, None),
        ];
        assert_eq!(parts(&explained(&account, entry)), expected);
    }

    #[test]
    fn the_last_lot_that_there_was_came_before_none() {
        let mut account = account();
        let spent = done(&mut account, 9, Act::Spend(spend("render", 15)));
        assert_eq!(parts(&explained(&account, spent)).last(), Some(&(4, false, 7, None)));
    }

    #[test]
    fn a_correction_that_takes_is_explained_and_has_no_price() {
        let mut account = account();
        let adjust = |by| Act::Adjust(Adjust { by, reason: reason() });
        let taken = done(&mut account, 9, adjust(Adjustment::Take(amount(1))));
        let explanation = explained(&account, taken);
        let expected = [(3, false, 1, Some(Because::LowerPriority)), (2, false, 0, None)];
        assert_eq!((parts(&explanation), explanation.price()), (expected.to_vec(), None));
        let given = done(&mut account, 9, adjust(Adjustment::Give(amount(1))));
        assert_eq!(explained(&account, given).lots, []);
    }

    #[test]
    fn free_use_took_from_no_lot_and_has_its_price_all_the_same() {
        let mut account = account();
        done(&mut account, 5, Act::Unlimited(Unlimited { until: at(60), reason: reason() }));
        let spent = done(&mut account, 9, Act::Spend(spend("render", 4)));
        let hold = done(&mut account, 9, Act::Hold(spend("render", 4), HoldLife::default())).version;
        let captured = done(&mut account, 9, Act::Capture(Capture { hold, amount: Some(amount(6)) }));
        for (entry, price) in [(spent, 4), (captured, 6)] {
            let explained = explained(&account, entry);
            assert_eq!((explained.lots.as_slice(), explained.price()), (&[][..], Some(amount(price))));
        }
    }

    #[test]
    fn what_took_nothing_from_anybody_has_nothing_to_explain() {
        let mut account = account();
        let first = account.journal()[0].clone();
        assert_eq!(explained(&account, first).lots, []);
        account.settle(at(90));
        let lapsed = account.journal().last().unwrap().clone();
        assert_eq!((lapsed.version, explained(&account, lapsed).lots), (Version(5), Vec::new()));
    }
}
