//! Plans that random sequences ask for: which, from when and until when, and now and then something that makes no sense.

use chrono::{DateTime, Months, Utc};
use proptest::{option, prelude::*, sample::select};

use super::{
    super::*,
    model::Model,
    sizes::{Sizes, When, free, plans},
};

/// A plan that is asked for, before it is known what there is.
#[derive(Clone, Debug)]
pub struct Wanted {
    terms: Terms,
    anchor: Option<Anchor>,
    paid: Paid,
    has_fallback: bool,
    odd: Option<Odd>,
}

#[derive(Clone, Copy, Debug)]
enum Anchor {
    When(When),
    /// Where the period ends that there is, so that two end at the same moment.
    PeriodEnd,
}

/// Until when it is paid for.
#[derive(Clone, Debug)]
enum Paid {
    Open,
    Until(When),
    /// Exactly until the end of the period, or so many months later.
    Periods(u32),
}

#[derive(Clone, Copy, Debug)]
enum Odd {
    /// What there is already.
    Repeat,
    Trial,
    /// It is paid for though it may cost nothing.
    PaidAnyway,
}

pub fn wanted(sizes: &Sizes) -> impl Strategy<Value = Wanted> + use<> {
    let paid = prop_oneof![
        2 => Just(Paid::Open),
        2 => sizes.paid.clone().prop_map(Paid::Until),
        4 => (0..3u32).prop_map(Paid::Periods),
    ];
    let odd = option::weighted(0.1, select(vec![Odd::Repeat, Odd::Trial, Odd::PaidAnyway]));
    let anchor = prop_oneof![4 => sizes.anchors.clone().prop_map(Anchor::When), 1 => Just(Anchor::PeriodEnd)];
    let all = (plans(sizes), option::weighted(0.4, anchor), paid, any::<bool>(), odd);
    all.prop_map(|(terms, anchor, paid, has_fallback, odd)| Wanted { terms, anchor, paid, has_fallback, odd })
}

impl Wanted {
    pub fn subscribe(&self, model: &Model, now: DateTime<Utc>) -> Subscribe {
        let asked = Subscribe {
            terms: self.terms.clone(),
            anchor: self.anchor.and_then(|anchor| anchor.at(model, now)),
            paid_until: self.paid.until(model, now),
            fallback: self.has_fallback.then(free),
            is_trial: false,
        };
        match (self.odd, &model.subscription) {
            (Some(Odd::Repeat), Some(current)) => Subscribe {
                terms: current.terms.clone(),
                paid_until: current.paid_until,
                fallback: current.fallback.clone(),
                ..asked
            },
            (Some(Odd::Trial), _) => Subscribe { is_trial: true, ..asked },
            (None, _) if self.terms.is_free => Subscribe { paid_until: None, ..asked },
            _ => asked,
        }
    }
}

impl Anchor {
    fn at(self, model: &Model, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::When(when) => Some(when.after(now)),
            Self::PeriodEnd => end_of_period(model),
        }
    }
}

impl Paid {
    fn until(&self, model: &Model, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Open => None,
            Self::Until(when) => Some(when.after(now)),
            Self::Periods(more) => end_of_period(model).unwrap_or(now).checked_add_months(Months::new(*more)),
        }
    }
}

fn end_of_period(model: &Model) -> Option<DateTime<Utc>> {
    model.subscription.as_ref().map(|current| current.period.end)
}
