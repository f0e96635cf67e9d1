//! A member's plan, in words.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Catalog, Entry, Subscription, SubscriptionState, Terms, catalog::PlanKey, subscription::Next},
    text,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionView {
    pub title: String,
    /// `100 credits a month · up to 200 kept`, or `unlimited`
    pub terms: String,
    pub state: SubscriptionState,
    /// Whether nothing is paid for this period, to try the plan.
    pub is_trial: bool,
    /// The period, where the subscription has not ended.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// What happens next: `Renews on 3 Dec 2026`
    pub next: String,
}

/// How a plan is paid for by card: by itself, each period, until somebody ends that.
#[derive(Clone, Debug, PartialEq)]
pub struct BillingView {
    /// The plan that is paid for from the next period on, where that is known.
    pub plan: Option<PlanKey>,
    pub is_trial: bool,
}

impl SubscriptionView {
    pub fn of(
        subscription: &Subscription,
        catalog: &Catalog,
        billing: Option<&BillingView>,
        now: DateTime<Utc>,
    ) -> Self {
        let Subscription { terms, period, .. } = subscription;
        Self {
            title: plan_title(terms, catalog),
            terms: text::allowance(terms.allowance, terms.rollover_cap),
            state: subscription.state(now),
            is_trial: !subscription.has_ended() && billing.is_some_and(|billing| billing.is_trial),
            period: (!subscription.has_ended()).then_some((period.start, period.end)),
            next: next(subscription, catalog, billing, now),
        }
    }
}

fn next(
    subscription: &Subscription,
    catalog: &Catalog,
    billing: Option<&BillingView>,
    now: DateTime<Utc>,
) -> String {
    let Subscription { period, credits_until, ended_at, .. } = subscription;
    let is_active = subscription.state(now) == SubscriptionState::Active;
    if let Some(billing) = billing.filter(|_| is_active && subscription.ends_at().is_some()) {
        return billed_next(subscription, catalog, billing);
    }
    let follows = subscription.follows();
    let then = follows.map(|terms| format!(", then {}", plan_title(terms, catalog))).unwrap_or_default();
    let end = text::date(period.end);
    let until = match subscription.state(now) {
        SubscriptionState::Ended => format!("Ended on {}", text::date(ended_at.unwrap_or(period.end))),
        SubscriptionState::Canceled => format!("Ends on {end}"),
        SubscriptionState::PastDue => {
            format!("Not paid since {end}: its credits stay until {}", text::date(*credits_until))
        }
        SubscriptionState::Active if subscription.ends_at().is_some() => format!("Paid until {end}"),
        SubscriptionState::Active if follows.is_some() => format!("Until {end}"),
        SubscriptionState::Active => format!("Renews on {end}"),
    };
    until + &then
}

/// Of one whose next period is paid by card.
fn billed_next(subscription: &Subscription, catalog: &Catalog, billing: &BillingView) -> String {
    let end = text::date(subscription.period.end);
    let present = &subscription.terms.plan;
    let key = billing.plan.as_ref().unwrap_or(present);
    let plan = catalog.plan(key.as_str());
    let title = plan.map_or(key.as_str(), |plan| &plan.title);
    let price = plan.map(|plan| text::plan_price(plan.price, plan.interval));
    match (billing.is_trial, key == present, price) {
        (false, true, _) => format!("Renews on {end}"),
        (true, true, Some(price)) => format!("Trial until {end}, then {price}"),
        (true, false, Some(price)) => format!("Trial until {end}, then {title} for {price}"),
        (true, _, None) => format!("Trial until {end}, then {title}"),
        (false, false, _) => format!("Until {end}, then {title}"),
    }
}

/// A plan that is no longer in the catalog goes by its key.
pub(super) fn plan_title(terms: &Terms, catalog: &Catalog) -> String {
    let key = terms.plan.as_str();
    catalog.plan(key).map_or(key, |plan| &plan.title).to_owned()
}

/// What an entry did to a subscription: `Pro plan: 100 credits`, `Pro plan, then Free`, `Pro plan ended`.
pub(super) fn title(entry: &Entry, subscription: &Subscription, catalog: &Catalog) -> String {
    let plan = text::plan_named(&plan_title(&subscription.terms, catalog));
    if subscription.has_ended() {
        return format!("{plan} ended");
    }
    let opened = entry.opened.and_then(|opened| entry.movements.iter().find(|part| part.lot == opened.lot));
    match (opened, &subscription.next) {
        (Some(granted), _) => format!("{plan}: {}", text::credits(granted.change)),
        (None, Next::End) => format!("{plan} ends with its period"),
        (None, Next::Change(next)) if next.plan != subscription.terms.plan => {
            format!("{plan}, then {}", plan_title(next, catalog))
        }
        (None, _) => plan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{AccountId, Act, Command, IdempotencyKey, Subscribe, Unsubscribe, decide},
        server::{catalog, subscriptions},
    };

    fn catalog() -> Catalog {
        catalog::parse(include_str!("../../catalogs/tokens.toml")).unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        format!("{text}T12:00:00Z").parse().unwrap()
    }

    fn subscribe(plan: &str, paid_until: Option<&str>) -> Act {
        let catalog = catalog();
        let subscribe = subscriptions::subscribe(&catalog, catalog.plan(plan).unwrap());
        Act::Subscribe(Subscribe { paid_until: paid_until.map(at), ..subscribe })
    }

    /// What the account is told after these acts on their days: of its plan at `now`, and in its history.
    fn told(acts: &[(&str, Act)], now: &str) -> (String, Vec<String>) {
        told_with(acts, None, now)
    }

    fn told_with(acts: &[(&str, Act)], billing: Option<&BillingView>, now: &str) -> (String, Vec<String>) {
        let mut account = crate::domain::Account::new(AccountId::from(uuid::Uuid::nil()), at("2026-01-31"));
        for (number, (day, act)) in acts.iter().enumerate() {
            let key = IdempotencyKey::parse(&number.to_string()).unwrap();
            let command = Command::new(account.id(), key, act.clone());
            decide(&mut account, &command, at(day)).unwrap();
        }
        account.settle(at(now));
        let view = SubscriptionView::of(account.subscription().unwrap(), &catalog(), billing, at(now));
        let entries = account.journal().iter().filter(|entry| entry.kind.subscription().is_some());
        let titles = entries.map(|entry| super::super::title(entry, &catalog())).collect();
        (format!("{}, {:?}: {}", view.title, view.state, view.next), titles)
    }

    #[test]
    fn a_plan_says_what_happens_next_and_history_what_has_happened() {
        let pro = || ("2026-01-31", subscribe("pro", None));
        let (next, titles) = told(&[pro()], "2026-03-01");
        assert_eq!(next, "Pro, Active: Renews on 31 Mar 2026");
        assert_eq!(titles, ["Pro plan: 100 credits"; 2]);

        let end = Act::Unsubscribe(Unsubscribe { at_once: false });
        let (next, titles) = told(&[pro(), ("2026-02-02", end.clone())], "2026-02-03");
        assert_eq!(next, "Pro, Canceled: Ends on 28 Feb 2026, then Free");
        assert_eq!(titles, ["Pro plan: 100 credits", "Pro plan ends with its period"]);

        let enterprise = ("2026-01-31", subscribe("enterprise", None));
        let (next, titles) = told(&[enterprise, ("2026-02-02", subscribe("pro", None))], "2026-02-03");
        assert_eq!(next, "Enterprise, Active: Until 28 Feb 2026, then Pro");
        assert_eq!(titles[1], "Enterprise plan, then Pro");

        let paid = [("2026-01-31", subscribe("pro", Some("2026-02-28")))];
        assert_eq!(told(&paid, "2026-02-03").0, "Pro, Active: Paid until 28 Feb 2026, then Free");
        assert_eq!(
            told(&paid, "2026-03-01").0,
            "Pro, PastDue: Not paid since 28 Feb 2026: its credits stay until 3 Mar 2026, then Free"
        );
        let (next, titles) = told(&paid, "2026-03-05");
        assert_eq!(next, "Free, Active: Renews on 31 Mar 2026");
        assert_eq!(titles, ["Pro plan: 100 credits", "Free plan: 5 credits"]);
    }

    #[test]
    fn a_plan_that_is_paid_by_card_renews_by_itself_and_a_trial_says_what_it_costs_then() {
        let paid = ("2026-01-31", subscribe("pro", Some("2026-02-28")));
        let end = ("2026-02-02", Act::Unsubscribe(Unsubscribe { at_once: false }));
        let by_card = |plan: &str, is_trial, acts: &[(&str, Act)], now| {
            let plan = Some(PlanKey::try_from(plan.to_owned()).unwrap());
            told_with(acts, Some(&BillingView { plan, is_trial }), now).0
        };
        let runs = std::slice::from_ref(&paid);
        let now = "2026-02-03";
        assert_eq!(by_card("pro", false, runs, now), "Pro, Active: Renews on 28 Feb 2026");
        assert_eq!(
            by_card("enterprise", false, runs, now),
            "Pro, Active: Until 28 Feb 2026, then Enterprise"
        );
        assert_eq!(
            by_card("pro", true, runs, now),
            "Pro, Active: Trial until 28 Feb 2026, then $20.00 per month"
        );
        assert_eq!(
            by_card("enterprise", true, runs, now),
            "Pro, Active: Trial until 28 Feb 2026, then Enterprise for $180.00 per month"
        );
        assert_eq!(
            by_card("pro", false, runs, "2026-03-01"),
            "Pro, PastDue: Not paid since 28 Feb 2026: its credits stay until 3 Mar 2026, then Free"
        );
        let ends = [paid, end];
        assert_eq!(by_card("pro", false, &ends, now), "Pro, Canceled: Ends on 28 Feb 2026, then Free");
    }
}
