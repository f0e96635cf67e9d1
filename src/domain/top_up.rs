//! Automatic top-up (rule 19): when a pack is bought because credits run low, while nobody is there. Worked out from the
//! attempts so far alone, so that there is nothing beside them to fall out of step.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Account, Amount, Credits, PurchaseState,
    catalog::{Pack, PackKey, Price},
};

/// Between the beginnings of two attempts.
pub const PAUSE: TimeDelta = TimeDelta::hours(1);

/// After so many attempts in a row that did not come through there is no other until the holder wants one.
pub const FAILURES_MAX: usize = 2;

/// No more of the latest attempts can matter: those of the longest month.
pub const ATTEMPTS_MAX: usize = 31 * 24 + 1;

/// What the holder of an account has agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Below so much available, the pack is bought.
    pub threshold: Amount,
    pub pack: PackKey,
    /// For so much in a calendar month (UTC) at most.
    pub month_limit: Price,
    /// Since when it is on as it is; what failed before does not count any more. `None`: it is off.
    pub on_since: Option<DateTime<Utc>>,
}

/// An automatic purchase: when it began, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub at: DateTime<Utc>,
    pub price: Price,
    pub state: PurchaseState,
}

/// Why nothing is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Off,
    Paused(PausedBy),
    Unlimited,
    /// Enough is available.
    Enough,
    /// The account owes credits: what was bought would be gone before it could be used.
    Owing,
    /// It is not known yet what becomes of the last attempt.
    UnderWay,
    /// The last attempt was less than an hour ago.
    Until(DateTime<Utc>),
    /// The catalog does not have the pack, or no longer at a price in the currency of the limit.
    NotSold,
    /// With another pack, the month's limit would be passed.
    MonthSpent,
}

/// Why nothing is bought until the holder turns it on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PausedBy {
    /// The last attempts did not come through, and as many as are made.
    Declines,
    /// The money of the last one that came through went back, at least in part. Nobody wants it to be taken once more.
    MoneyBack,
}

impl TopUp {
    /// Whether the pack is to be bought for an account as it is at `now`. `attempts`: at least the latest
    /// [`ATTEMPTS_MAX`], the latest first. `pack`: as the catalog has it.
    pub fn decide(
        &self,
        account: &Account,
        attempts: &[Attempt],
        pack: Option<&Pack>,
        now: DateTime<Utc>,
    ) -> Result<(), Wait> {
        if self.on_since.is_none() {
            return Err(Wait::Off);
        }
        if let Some(by) = self.paused(attempts) {
            return Err(Wait::Paused(by));
        }
        if account.is_unlimited(now) {
            return Err(Wait::Unlimited);
        }
        if account.available(now) >= self.threshold.credits() {
            return Err(Wait::Enough);
        }
        if account.debt() > Credits::ZERO {
            return Err(Wait::Owing);
        }
        if attempts.iter().any(|attempt| attempt.state == PurchaseState::Pending) {
            return Err(Wait::UnderWay);
        }
        let rested = attempts.iter().map(|attempt| attempt.at + PAUSE).max();
        if let Some(rested) = rested.filter(|rested| now < *rested) {
            return Err(Wait::Until(rested));
        }
        let price = pack.map(|pack| pack.price);
        let price = price.filter(|price| price.currency() == self.month_limit.currency());
        let price = price.ok_or(Wait::NotSold)?;
        if price.minor() > self.left(attempts, now) {
            return Err(Wait::MonthSpent);
        }
        Ok(())
    }

    /// What the attempts since it was turned on have paused it by. `attempts`: as for [`TopUp::decide`].
    pub fn paused(&self, attempts: &[Attempt]) -> Option<PausedBy> {
        let since = |attempt: &&Attempt| self.on_since.is_some_and(|since| attempt.at >= since);
        let failed = attempts.iter().take_while(since).take_while(|attempt| attempt.has_failed()).count();
        if failed >= FAILURES_MAX {
            return Some(PausedBy::Declines);
        }
        let last = attempts.iter().take_while(since).nth(failed)?;
        last.has_gone_back().then_some(PausedBy::MoneyBack)
    }

    /// How much of this month's limit is left, in the smallest unit of its currency. What is under way is as good as
    /// spent, and what went back later was spent.
    pub fn left(&self, attempts: &[Attempt], now: DateTime<Utc>) -> i64 {
        let month = |at: DateTime<Utc>| (at.year(), at.month());
        let counts = |attempt: &&Attempt| {
            attempt.state != PurchaseState::Failed
                && month(attempt.at) == month(now)
                && attempt.price.currency() == self.month_limit.currency()
        };
        let spent = attempts.iter().filter(counts);
        spent
            .fold(self.month_limit.minor(), |left, attempt| left.saturating_sub(attempt.price.minor()))
            .max(0)
    }
}

impl Attempt {
    /// Whether no credits came of it: it was declined, or nobody could tell for too long.
    pub const fn has_failed(&self) -> bool {
        matches!(self.state, PurchaseState::Failed | PurchaseState::Expired)
    }

    /// Whether its money is not ours any more, or not all of it.
    const fn has_gone_back(&self) -> bool {
        use PurchaseState::{Disputed, PartlyRefunded, Refunded};
        matches!(self.state, Refunded | PartlyRefunded | Disputed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        Act, Clawback, Command, Priority, Unlimited, WhenSpent,
        catalog::Currency,
        decide,
        testing::{amount, grant, key, new_account, reason, spend},
    };

    const USD: &str = "usd";

    fn price(minor: i64, currency: &str) -> Price {
        Price::new(minor, Currency::named(currency).unwrap()).unwrap()
    }

    fn pack() -> Pack {
        Pack {
            key: "small".to_owned().try_into().unwrap(),
            title: "Small".to_owned(),
            description: String::new(),
            credits: amount(50),
            price: price(900, USD),
            expires_days: None,
            priority: Priority(10),
        }
    }

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Two packs a month, on since the beginning of May.
    fn top_up() -> TopUp {
        TopUp {
            threshold: amount(10),
            pack: pack().key,
            month_limit: price(2_000, USD),
            on_since: Some(moment("2027-05-01T00:00:00Z")),
        }
    }

    fn attempt(at: &str, state: PurchaseState) -> Attempt {
        Attempt { at: moment(at), price: price(900, USD), state }
    }

    fn holds(credits: i64) -> Account {
        let mut account = new_account();
        if credits > 0 {
            let given = Command::new(account.id(), key("given"), Act::Grant(grant(credits)));
            decide(&mut account, &given, moment("2027-04-01T00:00:00Z")).unwrap();
        }
        account
    }

    /// What is decided at noon of 20 May, with nothing left.
    fn at_noon(top_up: &TopUp, attempts: &[Attempt]) -> Result<(), Wait> {
        top_up.decide(&holds(0), attempts, Some(&pack()), moment("2027-05-20T12:00:00Z"))
    }

    #[test]
    fn a_pack_is_bought_below_the_threshold_and_not_at_it() {
        let now = moment("2027-05-20T12:00:00Z");
        let with = |credits| top_up().decide(&holds(credits), &[], Some(&pack()), now);
        assert_eq!([with(0), with(9)], [Ok(()), Ok(())]);
        assert_eq!([with(10), with(11)], [Err(Wait::Enough), Err(Wait::Enough)]);
    }

    #[test]
    fn nothing_is_bought_while_it_is_off_or_use_is_unlimited() {
        let off = TopUp { on_since: None, ..top_up() };
        assert_eq!(at_noon(&off, &[]), Err(Wait::Off));
        let (mut account, now) = (holds(0), moment("2027-05-20T12:00:00Z"));
        let act = Act::Unlimited(Unlimited { until: now + TimeDelta::days(1), reason: reason() });
        let unlimited = Command::new(account.id(), key("unlimited"), act);
        decide(&mut account, &unlimited, now).unwrap();
        assert_eq!(top_up().decide(&account, &[], Some(&pack()), now), Err(Wait::Unlimited));
    }

    #[test]
    fn one_attempt_is_under_way_at_a_time_and_one_begins_an_hour() {
        let pending = attempt("2027-05-02T12:00:00Z", PurchaseState::Pending);
        assert_eq!(at_noon(&top_up(), &[pending]), Err(Wait::UnderWay));
        for state in [PurchaseState::Paid, PurchaseState::Failed] {
            let just_now = attempt("2027-05-20T11:00:01Z", state);
            assert_eq!(at_noon(&top_up(), &[just_now]), Err(Wait::Until(moment("2027-05-20T12:00:01Z"))));
            assert_eq!(at_noon(&top_up(), &[attempt("2027-05-20T11:00:00Z", state)]), Ok(()));
        }
    }

    #[test]
    fn the_limit_holds_within_a_calendar_month_and_begins_anew_with_the_next() {
        let first = attempt("2027-05-03T12:00:00Z", PurchaseState::Paid);
        let second = attempt("2027-05-19T12:00:00Z", PurchaseState::Paid);
        assert_eq!(at_noon(&top_up(), &[first]), Ok(()));
        let refunded = Attempt { state: PurchaseState::Refunded, ..first };
        assert_eq!(at_noon(&top_up(), &[second, refunded]), Err(Wait::MonthSpent), "it was spent");
        assert_eq!(at_noon(&top_up(), &[second, first]), Err(Wait::MonthSpent));
        let in_time = |now| top_up().decide(&holds(0), &[second, first], Some(&pack()), moment(now));
        assert_eq!(in_time("2027-05-31T23:59:59Z"), Err(Wait::MonthSpent));
        assert_eq!(in_time("2027-06-01T00:00:00Z"), Ok(()));
        let failed = Attempt { state: PurchaseState::Failed, ..second };
        assert_eq!(at_noon(&top_up(), &[failed, first]), Ok(()), "no money was taken");
        assert_eq!(top_up().left(&[second, first], moment("2027-05-20T12:00:00Z")), 200);
    }

    #[test]
    fn after_two_failures_in_a_row_nothing_is_bought_until_it_is_turned_on_again() {
        let at = ["2027-05-10T12:00:00Z", "2027-05-10T10:00:00Z", "2027-05-10T08:00:00Z"];
        let of = |states: [PurchaseState; 3]| [0, 1, 2].map(|place| attempt(at[place], states[place]));
        use PurchaseState::{Expired, Failed, Paid};
        assert_eq!(at_noon(&top_up(), &of([Failed, Failed, Paid])), Err(Wait::Paused(PausedBy::Declines)));
        assert_eq!(at_noon(&top_up(), &of([Expired, Failed, Paid])), Err(Wait::Paused(PausedBy::Declines)));
        assert_eq!(at_noon(&top_up(), &of([Failed, Paid, Failed])), Ok(()));
        assert_eq!(at_noon(&top_up(), &of([Paid, Failed, Failed])), Ok(()));
        let again = TopUp { on_since: Some(moment("2027-05-10T11:00:00Z")), ..top_up() };
        assert_eq!(at_noon(&again, &of([Failed, Failed, Paid])), Ok(()), "one failure since");
    }

    #[test]
    fn after_money_went_back_the_card_is_not_charged_again_until_it_is_turned_on_again() {
        use PurchaseState::{Disputed, Failed, Paid, PartlyRefunded, Refunded};
        for back in [Refunded, PartlyRefunded, Disputed] {
            let back = attempt("2027-05-10T10:00:00Z", back);
            let paused = Err(Wait::Paused(PausedBy::MoneyBack));
            assert_eq!(at_noon(&top_up(), &[back]), paused);
            assert_eq!(at_noon(&top_up(), &[attempt("2027-05-10T12:00:00Z", Failed), back]), paused);
            let again = TopUp { on_since: Some(moment("2027-05-10T11:00:00Z")), ..top_up() };
            assert_eq!(at_noon(&again, &[back]), Ok(()));
            let roomy = TopUp { month_limit: price(9_000, USD), ..top_up() };
            assert_eq!(at_noon(&roomy, &[attempt("2027-05-10T12:00:00Z", Paid), back]), Ok(()));
        }
    }

    #[test]
    fn nothing_is_bought_while_the_account_owes() {
        let (mut account, now) = (holds(20), moment("2027-05-20T12:00:00Z"));
        let lot = account.lots()[0].number;
        let back = Clawback { lot, total: amount(20), when_spent: WhenSpent::Debt, reason: reason() };
        for (name, act) in [("spent", Act::Spend(spend("film", 19))), ("back", Act::Clawback(back))] {
            let command = Command::new(account.id(), key(name), act);
            decide(&mut account, &command, now).unwrap();
        }
        assert_eq!(account.debt().get(), 19);
        assert_eq!(top_up().decide(&account, &[], Some(&pack()), now), Err(Wait::Owing));
    }

    #[test]
    fn a_pack_that_is_gone_or_of_another_currency_or_dearer_than_the_limit_is_not_bought() {
        let now = moment("2027-05-20T12:00:00Z");
        let with = |pack: Option<&Pack>| top_up().decide(&holds(0), &[], pack, now);
        assert_eq!(with(None), Err(Wait::NotSold));
        assert_eq!(with(Some(&Pack { price: price(900, "eur"), ..pack() })), Err(Wait::NotSold));
        assert_eq!(with(Some(&Pack { price: price(2_000, USD), ..pack() })), Ok(()));
        assert_eq!(with(Some(&Pack { price: price(2_001, USD), ..pack() })), Err(Wait::MonthSpent));
    }

    /// How long after the last look the next one is, what becomes of what is under way by then, whether the holder turns
    /// it on again first, and what the pack costs.
    type Step = (i64, PurchaseState, bool, i64);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        use PurchaseState::{Expired, Failed, Paid, Pending, Refunded};
        let state = prop::sample::select(vec![Paid, Paid, Failed, Failed, Expired, Refunded, Pending]);
        let minutes = prop_oneof![1..90_i64, 1..3_000_i64, 10_000..50_000_i64];
        prop::collection::vec((minutes, state, prop::bool::weighted(0.1), 100..1_500_i64), 0..120)
    }

    proptest! {
        #[test]
        fn whatever_happens_attempts_keep_their_distance_their_limit_and_stop_after_two_failures(
            steps in steps(),
        ) {
            let (account, mut top_up) = (holds(0), top_up());
            let mut now = moment("2027-05-01T00:00:00Z");
            let mut attempts: Vec<Attempt> = Vec::new();
            for (minutes, becomes, turns_on, minor) in steps {
                now += TimeDelta::minutes(minutes);
                if let Some(last) = attempts.first_mut().filter(|last| last.state == PurchaseState::Pending) {
                    last.state = becomes;
                }
                if turns_on {
                    top_up.on_since = Some(now);
                }
                let sold = Pack { price: price(minor, USD), ..pack() };
                if top_up.decide(&account, &attempts, Some(&sold), now).is_ok() {
                    attempts.insert(0, Attempt { at: now, price: sold.price, state: PurchaseState::Pending });
                    let since = top_up.on_since.unwrap();
                    let before = attempts[1..].iter().take_while(|attempt| attempt.at >= since);
                    let failed = before.take_while(|attempt| attempt.has_failed()).count();
                    prop_assert!(failed < 2, "a third after two failures");
                    let came_through = attempts[1..].iter().find(|attempt| !attempt.has_failed());
                    let last = came_through.filter(|attempt| attempt.at >= since);
                    let is_refunded = last.is_some_and(|last| last.state == PurchaseState::Refunded);
                    prop_assert!(!is_refunded, "another after one that was refunded");
                }
                let pending = attempts.iter().filter(|attempt| attempt.state == PurchaseState::Pending);
                prop_assert!(pending.count() <= 1);
            }
            for two in attempts.windows(2) {
                prop_assert!(two[0].at - two[1].at >= TimeDelta::hours(1));
            }
            let mut months: HashMap<(i32, u32), i64> = HashMap::new();
            for attempt in attempts.iter().filter(|attempt| attempt.state != PurchaseState::Failed) {
                *months.entry((attempt.at.year(), attempt.at.month())).or_default() += attempt.price.minor();
            }
            prop_assert!(months.values().all(|spent| *spent <= 2_000), "{months:?}");
        }
    }
}
