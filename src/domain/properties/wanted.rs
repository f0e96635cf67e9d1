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
    anchor: Option<When>,
    paid: Paid,
    has_fallback: bool,
    odd: Option<Odd>,
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
    let all = (plans(sizes), option::weighted(0.4, sizes.anchors.clone()), paid, any::<bool>(), odd);
    all.prop_map(|(terms, anchor, paid, has_fallback, odd)| Wanted { terms, anchor, paid, has_fallback, odd })
}

impl Wanted {
    pub fn subscribe(&self, model: &Model, now: DateTime<Utc>) -> Subscribe {
        let asked = Subscribe {
            terms: self.terms.clone(),
            anchor: self.anchor.map(|when| when.after(now)),
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

impl Paid {
    fn until(&self, model: &Model, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let end = model.subscription.as_ref().map(|current| current.period.end);
        match self {
            Self::Open => None,
            Self::Until(when) => Some(when.after(now)),
            Self::Periods(more) => end.unwrap_or(now).checked_add_months(Months::new(*more)),
        }
    }
}
