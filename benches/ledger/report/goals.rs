//! What the ledger is to reach, and whether it does.

use crate::{
    book::{Book, Sample, Series},
    measure::{MANY, Measure},
};

use super::Results;

pub struct Goal {
    pub what: String,
    pub bound: Bound,
    pub unit: &'static str,
    /// Nothing, where it could not be measured.
    pub measured: Series,
}

#[derive(Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    /// Judged by the median. `None` where it could not be measured.
    pub fn is_met(&self) -> Option<bool> {
        let median = self.measured.median()?;
        Some(match self.bound {
            Bound::AtLeast(bound) => median >= bound,
            Bound::AtMost(bound) => median <= bound,
        })
    }
}

pub fn goals(results: &Results) -> Vec<Goal> {
    use Bound::{AtLeast, AtMost};
    let book = &results.book;
    let goal = |what: String, bound, unit, measured| Goal { what, bound, unit, measured };
    let times = |one: Measure, other: Measure, bound| {
        goal(format!("{} to {}", one.name(), other.name()), bound, "×", rates(book, one, other))
    };
    let mut goals = Vec::new();
    for callers in [512, MANY, 4_096] {
        goals.push(times(Measure::Uniform(callers), Measure::Tpcb, AtLeast(6.0)));
    }
    for callers in [MANY, 4_096] {
        goals.push(times(Measure::Hot(callers), Measure::Uniform(callers), AtLeast(2.0)));
    }
    for callers in [MANY, 4_096] {
        goals.push(times(Measure::Hot(callers), Measure::NaiveHot, AtLeast(50.0)));
    }
    goals.push(goal(
        "p50 of one caller to that of a bare update".to_owned(),
        AtMost(1.2),
        "×",
        book.ratio(Measure::Uniform(1), Measure::Bare, |sample| sample.p50),
    ));
    goals.push(goal(
        "p99 at half of the peak rate".to_owned(),
        AtMost(25.0),
        "ms",
        book.series(Measure::HalfOfPeak, |sample| sample.p99),
    ));
    goals.push(times(Measure::Old, Measure::Young, AtLeast(0.9)));
    goals.push(times(Measure::ManyLots, Measure::OneLot, AtLeast(2.0 / 3.0)));
    goals.push(goal(
        "p99 of spends while all accounts are renewed to that before".to_owned(),
        AtMost(2.0),
        "×",
        book.ratio(Measure::Renewals, Measure::BeforeRenewals, |sample| sample.p99),
    ));
    goals.extend(http_goals(book));
    let bytes = [results.growth.entries].into_iter().collect();
    goals.push(goal("entry of a spend, with its indexes".to_owned(), AtMost(220.0), "bytes", bytes));
    goals
}

/// Those of the HTTP API. Judged is the number of connections that did most.
fn http_goals(book: &Book) -> Vec<Goal> {
    use Bound::{AtLeast, AtMost};
    let goal = |what: &str, bound, unit, measured| Goal { what: what.to_owned(), bound, unit, measured };
    let best_to_t = |of: fn(Measure) -> bool| match book.best(of) {
        Some((best, _)) => rates(book, best, Measure::Tpcb),
        None => Series::default(),
    };
    let to_peak = |measure| book.ratio_to_best(measure, Measure::is_http);
    let waits = book.series(Measure::HttpBalances, |sample| sample.p99);
    let lost = |sample: &Sample| Some(sample.excess?.lost as f64);
    let lost = [Measure::HttpThrice, Measure::HttpFlood].map(|measure| book.series(measure, lost).most());
    vec![
        goal("`POST /spends` to T", AtLeast(2.0), "×", best_to_t(Measure::is_http)),
        goal("`POST /spends/batch`, spends to T", AtLeast(5.0), "×", best_to_t(Measure::is_http_batch)),
        goal("p99 of `GET /balance` beside half of the peak of `POST /spends`", AtMost(5.0), "ms", waits),
        goal(
            "3 × the connections of the peak, spends to the peak",
            AtLeast(0.9),
            "×",
            to_peak(Measure::HttpThrice),
        ),
        goal("3 × the rate of the peak, spends to the peak", AtLeast(0.9), "×", to_peak(Measure::HttpFlood)),
        goal("of these, most without an answer", AtMost(0.0), "", lost.into_iter().flatten().collect()),
        goal(
            "p99 of webhooks at half of their peak",
            AtMost(50.0),
            "ms",
            book.series(Measure::WebhooksHalfOfPeak, |sample| sample.p99),
        ),
    ]
}

fn rates(book: &Book, one: Measure, other: Measure) -> Series {
    book.ratio(one, other, |sample| Some(sample.rate))
}
