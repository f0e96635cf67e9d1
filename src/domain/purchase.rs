//! What a purchase comes to (rule 18): how much of its money went back, how many of its credits go with it, and its state.
//! Worked out anew from all that is known of it, so that neither the order of the news nor its repetition matters.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Amount, Credits, Entry, Kind, LotNumber, note::Reference};

/// What is known of a purchase's money, in the smallest unit of its currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `None`: nobody has paid yet.
    pub paid: Option<i64>,
    /// The payment did not come.
    pub is_failed: bool,
    /// It can't be paid any more.
    pub is_expired: bool,
    /// The greatest sum of refunds that its charge ever told.
    pub refunded: i64,
    pub refunds: Vec<Refunded>,
    pub disputes: Vec<Disputed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refunded {
    pub amount: i64,
    /// The money is with us again, or never went.
    pub is_failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disputed {
    pub amount: i64,
    pub is_withdrawn: bool,
    pub is_reinstated: bool,
}

/// By what money goes back, or would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    Refund,
    Dispute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseState {
    Pending,
    Paid,
    Failed,
    Expired,
    Refunded,
    PartlyRefunded,
    Disputed,
}

/// Who is paid: the stand-in, or Stripe in one of its two modes. None knows what is another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Sandbox,
    Test,
    /// Real money is about.
    Live,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Sandbox, Self::Test, Self::Live];

    /// The word for it in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// The mode that this word stands for.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

impl Facts {
    /// How much went back, by refunds and disputes.
    pub fn money_back(&self) -> i64 {
        let sum = |is_failed| {
            let of_kind = self.refunds.iter().filter(move |refund| refund.is_failed == is_failed);
            of_kind.fold(0_i64, |sum, refund| sum.saturating_add(refund.amount))
        };
        // What the charge tells may be ahead of the refunds that are known, or behind them.
        let refunded = sum(false).max(self.refunded.saturating_sub(sum(true)));
        let lost = self.disputes.iter().filter(|dispute| dispute.is_lost());
        let back = lost.fold(refunded, |sum, dispute| sum.saturating_add(dispute.amount));
        back.clamp(0, self.paid.unwrap_or_default())
    }

    /// How many of these credits go with the money, rounded down; all of them go with all of it.
    pub fn clawed(&self, credits: Amount) -> Credits {
        let (back, paid) = (self.money_back(), self.paid.unwrap_or_default());
        if back == 0 {
            return Credits::ZERO;
        }
        let share = i128::from(credits.get()) * i128::from(back) / i128::from(paid);
        let share = i64::try_from(share).ok().and_then(|share| Credits::try_from(share).ok());
        share.unwrap_or(credits.credits())
    }

    /// By what as many of these credits go, or come back, where so many were gone before.
    pub fn went_back_by(&self, credits: Amount, before: Credits) -> Back {
        let refunds = Self { disputes: Vec::new(), ..self.clone() }.clawed(credits);
        let now = self.clawed(credits);
        let was_won = self.disputes.iter().any(|dispute| dispute.is_reinstated);
        // What refunds alone come to explains it, or a dispute has a part in it.
        let is_by_refunds = if now > before { refunds > before } else { !was_won };
        if is_by_refunds { Back::Refund } else { Back::Dispute }
    }

    pub fn state(&self) -> PurchaseState {
        let back = self.money_back();
        match self.paid {
            Some(_) if self.disputes.iter().any(Disputed::is_lost) => PurchaseState::Disputed,
            Some(paid) if back > 0 && back == paid => PurchaseState::Refunded,
            Some(_) if back > 0 => PurchaseState::PartlyRefunded,
            Some(_) => PurchaseState::Paid,
            None if self.is_failed => PurchaseState::Failed,
            None if self.is_expired => PurchaseState::Expired,
            None => PurchaseState::Pending,
        }
    }
}

/// A plan's credits for the last month that has begun within a time that was paid for: in which lot they came, and how
/// many were new. `None`: there were none. `entries`: those of the account's subscription, in their order; what of them is
/// by another reference, until the next by this one, was not paid for here.
pub fn allowance_within<'e>(
    entries: impl IntoIterator<Item = &'e Entry>,
    reference: &Reference,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Option<(LotNumber, Amount)> {
    let mut last: Option<(DateTime<Utc>, LotNumber, Amount)> = None;
    let mut is_its = false;
    for entry in entries {
        if let Kind::Subscription(_) = entry.kind {
            is_its = entry.reference.as_ref() == Some(reference);
        }
        let opened = entry.opened.filter(|_| is_its);
        let Some((after, opened)) = entry.kind.subscription().zip(opened) else { continue };
        let ends_at = after.period.end;
        // Of a month's lots the first: what a larger plan brings within it is paid for by another invoice.
        let is_next = last.is_none_or(|(before, ..)| before < ends_at);
        if is_next && start < ends_at && ends_at <= end && !after.terms.is_free {
            last = Amount::try_from(after.given.get()).ok().map(|given| (ends_at, opened.lot, given));
        }
    }
    last.map(|(_, lot, given)| (lot, given))
}

impl Disputed {
    /// Whether its money is gone, for now or for good.
    const fn is_lost(&self) -> bool {
        self.is_withdrawn && !self.is_reinstated
    }
}

impl PurchaseState {
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Paid,
        Self::Failed,
        Self::Expired,
        Self::Refunded,
        Self::PartlyRefunded,
        Self::Disputed,
    ];

    /// The word for it in the database and in calls.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Refunded => "refunded",
            Self::PartlyRefunded => "partly_refunded",
            Self::Disputed => "disputed",
        }
    }

    /// The state that this word stands for.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        Act, Subscribe, decide,
        testing::{amount, at, command, credits, new_account, terms},
    };

    fn paid(paid: i64) -> Facts {
        Facts { paid: Some(paid), ..Facts::default() }
    }

    fn refund(amount: i64) -> Refunded {
        Refunded { amount, is_failed: false }
    }

    const WITHDRAWN: Disputed = Disputed { amount: 1_000, is_withdrawn: true, is_reinstated: false };

    /// The entries of an account that is on a plan of a hundred a month, paid for a year.
    fn a_year(reference: &Reference) -> Vec<Entry> {
        let mut account = new_account();
        let subscribe = Subscribe {
            terms: terms("pro", 100),
            anchor: None,
            paid_until: Some(at(365 * DAY)),
            fallback: None,
            is_trial: false,
        };
        let mut command = command(&account, "k", Act::Subscribe(subscribe));
        command.reference = Some(reference.clone());
        decide(&mut account, &command, at(0)).unwrap();
        account.settle(at(70 * DAY));
        account.journal().iter().map(|entry| (**entry).clone()).collect()
    }

    const DAY: i64 = 86_400;

    #[test]
    fn an_invoice_brought_the_allowance_of_the_last_month_that_has_begun_in_its_time() {
        let [its, another] = ["sub_1", "sub_2"].map(|name| Reference::parse(name).unwrap());
        let entries = a_year(&its);
        let brought = |from, to| allowance_within(&entries, &its, (at(from * DAY), at(to * DAY)));
        let lot = |number| Some((LotNumber(number), amount(100)));
        assert_eq!([brought(0, 31), brought(31, 59), brought(0, 365)], [lot(1), lot(2), lot(3)]);
        assert_eq!([brought(90, 120), brought(0, 30)], [None, None]);
        assert_eq!(allowance_within(&entries, &another, (at(0), at(31 * DAY))), None, "paid for elsewhere");
    }

    #[test]
    fn partial_refunds_add_up_and_the_last_takes_the_rest() {
        let mut facts = paid(1_000);
        let taken = [333, 333, 334].map(|part| {
            facts.refunds.push(refund(part));
            facts.clawed(amount(1_000)).get()
        });
        assert_eq!(taken, [333, 666, 1_000]);
        assert_eq!(facts.state(), PurchaseState::Refunded);
        facts.refunds.pop();
        assert_eq!(facts.state(), PurchaseState::PartlyRefunded);
    }

    #[test]
    fn a_share_is_rounded_down_until_all_money_is_back() {
        let of = |back| Facts { refunded: back, ..paid(1_000) }.clawed(amount(7)).get();
        assert_eq!([of(0), of(1), of(142), of(143), of(999), of(1_000)], [0, 0, 0, 1, 6, 7]);
        let most = Facts { refunded: 99_999_998, ..paid(99_999_999) };
        assert_eq!(most.clawed(Amount::MAX).get(), 999_999_989_999);
    }

    #[test]
    fn a_refund_counts_once_whether_the_charge_tells_it_or_the_refund_or_both() {
        let (by_charge, mut by_both) = (Facts { refunded: 300, ..paid(1_000) }, paid(1_000));
        by_both.refunds.push(refund(300));
        assert_eq!((by_charge.money_back(), by_both.money_back()), (300, 300));
        by_both.refunded = 300;
        assert_eq!(by_both.money_back(), 300);
    }

    #[test]
    fn a_refund_that_fails_gives_back_what_the_charge_told_of_it_too() {
        let failed = Refunded { is_failed: true, ..refund(300) };
        let facts = Facts { refunded: 300, refunds: vec![failed], ..paid(1_000) };
        assert_eq!((facts.money_back(), facts.state()), (0, PurchaseState::Paid));
        let and_another = Facts { refunds: vec![failed, refund(200)], ..facts };
        assert_eq!(and_another.money_back(), 200);
        let before_the_charge = Facts { refunded: 0, ..and_another };
        assert_eq!(before_the_charge.money_back(), 200);
    }

    #[test]
    fn a_dispute_takes_while_its_money_is_gone_and_together_with_refunds_no_more_than_was_paid() {
        let mut facts = Facts { disputes: vec![WITHDRAWN], ..paid(1_000) };
        assert_eq!((facts.money_back(), facts.state()), (1_000, PurchaseState::Disputed));
        facts.refunds.push(refund(1_000));
        assert_eq!(facts.clawed(amount(50)), credits(50));
        facts.refunds.clear();
        facts.disputes[0].is_reinstated = true;
        assert_eq!((facts.money_back(), facts.state()), (0, PurchaseState::Paid));
        let inquiry = Disputed { is_withdrawn: false, ..WITHDRAWN };
        assert_eq!(Facts { disputes: vec![inquiry], ..paid(1_000) }.state(), PurchaseState::Paid);
    }

    #[test]
    fn what_goes_back_goes_by_a_refund_or_by_a_dispute() {
        let mut facts = paid(1_000);
        facts.refunds.push(refund(300));
        assert_eq!(facts.went_back_by(amount(10), credits(0)), Back::Refund);
        facts.disputes.push(WITHDRAWN);
        assert_eq!(facts.went_back_by(amount(10), credits(3)), Back::Dispute, "the rest of it");
        facts.disputes[0].is_reinstated = true;
        assert_eq!(facts.went_back_by(amount(10), credits(10)), Back::Dispute, "and back");
        let failed = Refunded { is_failed: true, ..refund(300) };
        let facts = Facts { refunds: vec![failed], ..paid(1_000) };
        assert_eq!(facts.went_back_by(amount(10), credits(3)), Back::Refund, "it never went");
    }

    #[test]
    fn what_was_paid_is_neither_failed_nor_expired() {
        let told = Facts { is_failed: true, is_expired: true, ..Facts::default() };
        assert_eq!(told.state(), PurchaseState::Failed);
        assert_eq!(Facts { is_failed: false, ..told.clone() }.state(), PurchaseState::Expired);
        assert_eq!(Facts { paid: Some(1_000), ..told }.state(), PurchaseState::Paid);
        assert_eq!(Facts::default().state(), PurchaseState::Pending);
    }

    #[test]
    fn nothing_goes_back_of_what_nobody_has_paid() {
        let facts = Facts { refunded: 500, disputes: vec![WITHDRAWN], ..Facts::default() };
        assert_eq!((facts.money_back(), facts.clawed(amount(9))), (0, Credits::ZERO));
        assert_eq!(facts.state(), PurchaseState::Pending);
    }

    #[test]
    fn a_state_is_found_by_its_word() {
        assert!(PurchaseState::ALL.iter().all(|state| PurchaseState::named(state.as_str()) == Some(*state)));
        assert_eq!(PurchaseState::named("bought"), None);
    }

    fn refunds() -> impl Strategy<Value = Vec<Refunded>> {
        let refund =
            (0..2_000_i64, any::<bool>()).prop_map(|(amount, is_failed)| Refunded { amount, is_failed });
        prop::collection::vec(refund, 0..5)
    }

    fn disputes() -> impl Strategy<Value = Vec<Disputed>> {
        let dispute = (0..2_000_i64, any::<bool>(), any::<bool>());
        let dispute = dispute.prop_map(|(amount, is_withdrawn, is_reinstated)| Disputed {
            amount,
            is_withdrawn,
            is_reinstated,
        });
        prop::collection::vec(dispute, 0..3)
    }

    prop_compose! {
        fn facts()(
            paid in prop::option::of(1..2_000_i64),
            is_failed in any::<bool>(),
            is_expired in any::<bool>(),
            refunded in 0..2_000_i64,
            refunds in refunds(),
            disputes in disputes(),
        ) -> Facts {
            Facts { paid, is_failed, is_expired, refunded, refunds, disputes }
        }
    }

    proptest! {
        #[test]
        fn never_more_goes_back_than_came(facts in facts(), granted in 1..1_000_000_i64) {
            let (back, paid) = (facts.money_back(), facts.paid.unwrap_or_default());
            let clawed = facts.clawed(amount(granted)).get();
            prop_assert!((0..=paid).contains(&back) && (0..=granted).contains(&clawed));
            prop_assert_eq!(clawed == granted, back == paid && paid > 0);
            prop_assert!(i128::from(clawed) * i128::from(paid) <= i128::from(granted) * i128::from(back));
        }

        #[test]
        fn the_order_of_the_news_does_not_matter(facts in facts(), granted in 1..1_000_000_i64) {
            let mut turned = facts.clone();
            turned.refunds.reverse();
            turned.disputes.reverse();
            prop_assert_eq!(facts.clawed(amount(granted)), turned.clawed(amount(granted)));
            prop_assert_eq!(facts.state(), turned.state());
        }

        #[test]
        fn another_refund_never_gives_credits_back(facts in facts(), more in 0..2_000_i64) {
            let mut after = facts.clone();
            after.refunds.push(refund(more));
            prop_assert!(after.clawed(amount(1_000)) >= facts.clawed(amount(1_000)));
        }

        #[test]
        fn a_refund_that_failed_leaves_no_trace_in_the_end(facts in facts(), more in 0..2_000_i64) {
            let told = Facts { refunded: 0, ..facts };
            let mut after = told.clone();
            after.refunds.push(Refunded { amount: more, is_failed: true });
            prop_assert_eq!(after.money_back(), told.money_back());
        }
    }
}
