//! A member's plan, in words.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Catalog, Entry, Subscription, SubscriptionState, Terms, subscription::Next},
    text,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionView {
    pub title: String,
    /// `100 credits a month · up to 200 kept`, or `unlimited`
    pub terms: String,
    pub state: SubscriptionState,
    /// The period, where the subscription has not ended.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// What happens next: `Renews on 3 Dec 2026`
    pub next: String,
}

impl SubscriptionView {
    pub fn of(subscription: &Subscription, catalog: &Catalog, now: DateTime<Utc>) -> Self {
        let Subscription { terms, period, .. } = subscription;
        Self {
            title: plan_title(terms, catalog),
            terms: text::allowance(terms.allowance, terms.rollover_cap),
            state: subscription.state(now),
            period: (!subscription.has_ended()).then_some((period.start, period.end)),
            next: next(subscription, catalog, now),
        }
    }
}

fn next(subscription: &Subscription, catalog: &Catalog, now: DateTime<Utc>) -> String {
    let Subscription { period, credits_until, ended_at, .. } = subscription;
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

/// A plan that is no longer in the catalog goes by its key.
pub(super) fn plan_title(terms: &Terms, catalog: &Catalog) -> String {
    let key = terms.plan.as_str();
    catalog.plan(key).map_or(key, |plan| &plan.title).to_owned()
}

/// What an entry did to a subscription: `Pro plan: 100 credits`, `Pro plan, then Free`, `Pro plan ended`.
pub(super) fn title(entry: &Entry, subscription: &Subscription, catalog: &Catalog) -> String {
    let plan = format!("{} plan", plan_title(&subscription.terms, catalog));
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
        let mut account = crate::domain::Account::new(AccountId::from(uuid::Uuid::nil()), at("2026-01-31"));
        for (number, (day, act)) in acts.iter().enumerate() {
            let key = IdempotencyKey::parse(&number.to_string()).unwrap();
            let command = Command::new(account.id(), key, act.clone());
            decide(&mut account, &command, at(day)).unwrap();
        }
        account.settle(at(now));
        let view = SubscriptionView::of(account.subscription().unwrap(), &catalog(), at(now));
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
}
