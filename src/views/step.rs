//! What choosing a plan does for a member, and what it charges.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::BillingView;
use crate::{
    domain::{
        Catalog, Subscription,
        catalog::{Plan, PlanKey},
        subscription::Next,
    },
    text,
};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum PlanStepView {
    /// It costs nothing: it comes by itself where there is no other.
    Free,
    /// It is the member's plan.
    Current,
    /// It is the member's plan, and not paid for yet: that begins at the end, unless they have ended it.
    Trial {
        until: DateTime<Utc>,
        goes_on: bool,
    },
    /// It is the member's plan, and another one follows.
    Keep {
        until: DateTime<Utc>,
    },
    /// The plan that follows at this moment.
    Next {
        from: DateTime<Utc>,
    },
    Begin,
    /// At once, and only the difference is paid.
    Up,
    /// With the next period.
    Down {
        from: DateTime<Utc>,
    },
    /// The member pays nothing for their plan, so this one is paid in full; it begins at once or with the next period.
    Replace {
        from: Option<DateTime<Utc>>,
    },
    /// It is billed by another interval than the member's plan, which has to end first.
    OtherInterval,
}

impl PlanStepView {
    /// `billing`: how the current plan is paid for by card, if it is.
    pub fn of(
        catalog: &Catalog,
        plan: &Plan,
        current: Option<&Subscription>,
        billing: Option<&BillingView>,
    ) -> Self {
        let Some(current) = current else { return if plan.is_free() { Self::Free } else { Self::Begin } };
        let from = current.period.end;
        let present = &current.terms;
        let is_other_interval =
            || catalog.plan(present.plan.as_str()).is_some_and(|known| known.interval != plan.interval);
        let is_larger = current.makes_way_for(&plan.key, plan.allowance);
        let follows = follows(current, billing);
        match billing {
            Some(_) if present.plan == plan.key && follows.is_some() && current.next != Next::End => {
                Self::Keep { until: from }
            }
            Some(BillingView { is_trial: true, .. }) if present.plan == plan.key => {
                Self::Trial { until: from, goes_on: current.next != Next::End }
            }
            _ if present.plan == plan.key => Self::Current,
            _ if follows == Some(&plan.key) => Self::Next { from },
            _ if plan.is_free() => Self::Free,
            _ if present.is_free => Self::Begin,
            _ if is_other_interval() => Self::OtherInterval,
            None => Self::Replace { from: (!is_larger).then_some(from) },
            Some(billing) if is_larger && !billing.is_trial => Self::Up,
            Some(_) => Self::Down { from },
        }
    }

    /// The word for a plan that the member is on.
    pub const fn tag(self) -> Option<&'static str> {
        match self {
            Self::Current | Self::Keep { .. } => Some("Your plan"),
            Self::Trial { .. } => Some("Your trial"),
            _ => None,
        }
    }

    /// What happens where it is chosen, or why it can't be.
    pub fn words(self) -> Option<String> {
        match self {
            Self::Current | Self::Begin => None,
            Self::Free => Some("Comes by itself where there is no other plan".to_owned()),
            Self::Trial { until, goes_on: true } => {
                Some(format!("Until {}: then it costs this", text::date(until)))
            }
            Self::Trial { until, goes_on: false } | Self::Keep { until } => {
                Some(format!("Until {}", text::date(until)))
            }
            Self::Next { from } => Some(format!("Follows on {}", text::date(from))),
            Self::Up => Some("At once: the difference is charged now".to_owned()),
            Self::Replace { from: None } => {
                Some("At once, in place of your plan: the full price is charged now".to_owned())
            }
            Self::Replace { from: Some(from) } => Some(format!(
                "From {}, in place of your plan: the full price is charged now",
                text::date(from)
            )),
            Self::OtherInterval => Some("Billed by another interval: end your plan first".to_owned()),
            Self::Down { from } => Some(format!("With the next period, from {}", text::date(from))),
        }
    }

    /// The word on the button by which it is chosen, where it can be.
    pub const fn verb(self) -> Option<&'static str> {
        match self {
            Self::Begin | Self::Replace { .. } => Some("Subscribe"),
            Self::Up => Some("Upgrade"),
            Self::Down { .. } => Some("Switch"),
            Self::Keep { .. } => Some("Keep"),
            Self::Free | Self::Current | Self::Trial { .. } | Self::Next { .. } | Self::OtherInterval => None,
        }
    }
}

/// The other plan that somebody asked for, or that follows an end; not what would follow if nobody paid.
fn follows<'a>(current: &'a Subscription, billing: Option<&'a BillingView>) -> Option<&'a PlanKey> {
    let present = &current.terms.plan;
    let asked = match &current.next {
        Next::Change(next) => Some(&next.plan),
        Next::End => current.fallback.as_ref().map(|terms| &terms.plan),
        Next::Renew => billing.and_then(|billing| billing.plan.as_ref()),
    };
    asked.filter(|plan| *plan != present)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Credits, Period, Terms, catalog::Allowance},
        server::catalog,
    };

    fn catalog() -> Catalog {
        catalog::parse(include_str!("../../catalogs/video.toml")).unwrap()
    }

    /// On this plan, which ends on 28 Feb.
    fn on(plan: &Plan) -> Subscription {
        let at = |day: &str| format!("2026-{day}T12:00:00Z").parse().unwrap();
        let period = Period { start: at("01-31"), end: at("02-28") };
        let terms = Terms {
            plan: plan.key.clone(),
            allowance: plan.allowance,
            rollover_cap: plan.rollover_cap,
            priority: plan.priority,
            grace_days: 3,
            is_free: plan.is_free(),
        };
        Subscription {
            terms,
            anchor: period.start,
            credits_until: period.end,
            period,
            given: Credits::ZERO,
            paid_until: Some(period.end),
            next: Next::Renew,
            fallback: None,
            ended_at: None,
            free_until: None,
        }
    }

    #[test]
    fn what_is_said_of_a_plan_is_what_choosing_it_charges() {
        let catalog = catalog();
        let monthly: Vec<&Plan> = catalog.plans.iter().filter(|plan| !plan.is_free()).collect();
        let (small, large) = (monthly[0], monthly[1]);
        assert!(matches!(small.allowance, Allowance::Monthly(_)) && large.allowance > small.allowance);
        let said = |plan: &Plan, current: &Subscription, billing: Option<(&Plan, bool)>| {
            let billing =
                billing.map(|(plan, is_trial)| BillingView { plan: Some(plan.key.clone()), is_trial });
            let step = PlanStepView::of(&catalog, plan, Some(current), billing.as_ref());
            [step.tag().map(ToOwned::to_owned), step.words(), step.verb().map(ToOwned::to_owned)]
                .map(Option::unwrap_or_default)
        };
        let (on_small, on_large) = (on(small), on(large));
        let up = ["", "At once: the difference is charged now", "Upgrade"];
        assert_eq!(said(large, &on_small, Some((small, false))), up);
        let down = ["", "With the next period, from 28 Feb 2026", "Switch"];
        assert_eq!(said(small, &on_large, Some((large, false))), down);
        // Nobody pays for the plan that they have.
        let given = ["", "At once, in place of your plan: the full price is charged now", "Subscribe"];
        assert_eq!(said(large, &on_small, None), given);
        let given =
            ["", "From 28 Feb 2026, in place of your plan: the full price is charged now", "Subscribe"];
        assert_eq!(said(small, &on_large, None), given);
        // In a trial nothing is charged, and nothing comes, before it is over.
        let trial = ["Your trial", "Until 28 Feb 2026: then it costs this", ""];
        assert_eq!(said(small, &on_small, Some((small, true))), trial);
        assert_eq!(said(large, &on_small, Some((small, true))), down);
        let canceled = Subscription { next: Next::End, ..on_small.clone() };
        assert_eq!(said(small, &canceled, Some((small, true))), ["Your trial", "Until 28 Feb 2026", ""]);
        // A change that waits can be taken back.
        assert_eq!(said(large, &on_large, Some((small, false))), ["Your plan", "Until 28 Feb 2026", "Keep"]);
        assert_eq!(said(small, &on_large, Some((small, false))), ["", "Follows on 28 Feb 2026", ""]);
        assert_eq!(said(small, &on_small, Some((small, false))), ["Your plan", "", ""]);
    }
}
