//! Subscriptions, as calls are told of them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        Amount, Subscription, SubscriptionState,
        catalog::{Allowance, PlanKey},
    },
    server::api::fields,
};

/// What plan an account is on, or was on last.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub struct SubscriptionObject {
    #[schema(value_type = fields::PlanKey)]
    plan: PlanKey,
    /// `past_due`: the period is over, and the next one is not paid; credits live on for the grace. `canceled`: it ends with
    /// the period.
    #[schema(value_type = fields::SubscriptionStateName)]
    state: SubscriptionState,
    /// Credits for each month; null: the plan is unlimited.
    #[schema(value_type = Option<fields::Amount>)]
    monthly_credits: Option<Amount>,
    unlimited: bool,
    /// How many allowances an account may have right after a renewal; null: what is left does not roll over.
    #[schema(minimum = 1, maximum = 100)]
    rollover_cap: Option<i64>,
    period_start: DateTime<Utc>,
    period_end: DateTime<Utc>,
    /// Months are counted from here.
    anchor: DateTime<Utc>,
    /// When the plan's credits of this period lapse.
    credits_until: DateTime<Utc>,
    /// Null: it goes on until somebody ends it.
    paid_until: Option<DateTime<Utc>>,
    /// What follows the period as things stand, where that is another plan.
    #[schema(value_type = Option<fields::PlanKey>)]
    next_plan: Option<PlanKey>,
    ended_at: Option<DateTime<Utc>>,
}

impl SubscriptionObject {
    pub fn of(subscription: &Subscription, now: DateTime<Utc>) -> Self {
        let Subscription { terms, anchor, period, credits_until, paid_until, ended_at, .. } = subscription;
        let monthly_credits = match terms.allowance {
            Allowance::Monthly(amount) => Some(amount),
            Allowance::Unlimited => None,
        };
        Self {
            plan: terms.plan.clone(),
            state: subscription.state(now),
            monthly_credits,
            unlimited: monthly_credits.is_none(),
            rollover_cap: terms.rollover_cap.map(Into::into),
            period_start: period.start,
            period_end: period.end,
            anchor: *anchor,
            credits_until: *credits_until,
            paid_until: *paid_until,
            next_plan: subscription.follows().map(|terms| terms.plan.clone()),
            ended_at: *ended_at,
        }
    }
}
