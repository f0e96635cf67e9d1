//! What was measured, round by round.

use std::collections::BTreeMap;

use crate::measure::Measure;

/// What one measurement came to. Waits are in milliseconds.
#[derive(Clone, Copy)]
pub struct Sample {
    /// Answers a second.
    pub rate: f64,
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub p999: Option<f64>,
    /// How many were not answered with what they asked for.
    pub refused: u64,
    /// Where there was more than can be done.
    pub excess: Option<Excess>,
    /// The share of the processors that was not ours meanwhile.
    pub others: Option<f64>,
}

/// What became of what was too much, from the first moment to the last.
#[derive(Clone, Copy)]
pub struct Excess {
    /// Told when to come back.
    pub turned_away: u64,
    /// Without an answer.
    pub lost: u64,
    /// The most memory that the server had, in MiB.
    pub peak_mb: Option<f64>,
}

impl Sample {
    /// Of somebody who tells no waits.
    pub fn of_rate(rate: f64) -> Self {
        Self { rate, p50: None, p99: None, p999: None, refused: 0, excess: None, others: None }
    }
}

/// One number for each round.
#[derive(Clone, Default)]
pub struct Series(Vec<f64>);

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut numbers: Vec<f64> = numbers.into_iter().collect();
        numbers.sort_by(f64::total_cmp);
        Self(numbers)
    }
}

impl Series {
    pub fn median(&self) -> Option<f64> {
        let (lower, upper) = (self.0.get(self.0.len().wrapping_sub(1) / 2)?, self.0.get(self.0.len() / 2)?);
        Some((lower + upper) / 2.0)
    }

    pub fn least(&self) -> Option<f64> {
        self.0.first().copied()
    }

    pub fn most(&self) -> Option<f64> {
        self.0.last().copied()
    }
}

#[derive(Default)]
pub struct Book(BTreeMap<(Measure, usize), Sample>);

impl Book {
    pub fn write(&mut self, round: usize, measure: Measure, sample: Sample) {
        self.0.insert((measure, round), sample);
    }

    /// A number of each round's measurement.
    pub fn series(&self, measure: Measure, number: impl Fn(&Sample) -> Option<f64>) -> Series {
        let samples = self.0.range((measure, 0)..=(measure, usize::MAX));
        samples.filter_map(|(_, sample)| number(sample)).collect()
    }

    /// How two measurements of the same round compare.
    pub fn ratio(&self, one: Measure, other: Measure, number: impl Fn(&Sample) -> Option<f64>) -> Series {
        let samples = self.0.range((one, 0)..=(one, usize::MAX));
        let ratio = |((_, round), sample): (&(Measure, usize), &Sample)| {
            Some(number(sample)? / number(self.0.get(&(other, *round))?)?)
        };
        samples.filter_map(ratio).collect()
    }

    /// How a measurement compares to the best of these in the same round.
    pub fn ratio_to_best(&self, one: Measure, of: impl Fn(Measure) -> bool) -> Series {
        let samples = self.0.range((one, 0)..=(one, usize::MAX));
        let ratio = |((_, round), sample): (&(Measure, usize), &Sample)| {
            let same = self.0.iter().filter(|((measure, in_round), _)| in_round == round && of(*measure));
            let best = same.map(|(_, sample)| sample.rate).max_by(f64::total_cmp)?;
            Some(sample.rate / best)
        };
        samples.filter_map(ratio).collect()
    }

    /// Which of these was the best so far.
    pub fn best(&self, of: impl Fn(Measure) -> bool) -> Option<(Measure, f64)> {
        let rates = self.0.iter().filter(|((measure, _), _)| of(*measure));
        let rates = rates.map(|((measure, _), sample)| (*measure, sample.rate));
        rates.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// The most that others had of the processors during any of this.
    pub fn others(&self) -> Option<f64> {
        self.0.values().filter_map(|sample| sample.others).max_by(f64::total_cmp)
    }

    pub fn refused(&self) -> u64 {
        self.0.values().map(|sample| sample.refused).sum()
    }
}
