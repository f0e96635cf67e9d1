//! Everything that is measured once in every round, by name.

use crate::{api::BATCH, webhooks::CONNECTIONS};

/// How many callers there are where nothing else is said.
pub const MANY: usize = 1_024;

/// Readers share the pool of 16 connections; more would only wait for each other.
pub const READERS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    Tpcb,
    NaiveUniform,
    NaiveHot,
    Bare,
    Uniform(usize),
    Zipf,
    NinetyTen,
    Hot(usize),
    Holds,
    Quotes,
    HalfOfPeak,
    Young,
    Old,
    OneLot,
    ManyLots,
    /// Spends at a steady rate where all accounts are subscribed, and the same while all are renewed.
    BeforeRenewals,
    Renewals,
    /// Over HTTP, with so many connections.
    Http(usize),
    HttpBatches(usize),
    HttpHalfOfPeak,
    HttpBalances,
    HttpThrice,
    HttpFlood,
    /// Deliveries of Stripe's.
    Webhooks,
    WebhooksHalfOfPeak,
}

pub const MEASURES: [Measure; 36] = [
    Measure::Tpcb,
    Measure::NaiveUniform,
    Measure::NaiveHot,
    Measure::Bare,
    Measure::Uniform(1),
    Measure::Uniform(16),
    Measure::Uniform(256),
    Measure::Uniform(512),
    Measure::Uniform(MANY),
    Measure::Uniform(4_096),
    Measure::HalfOfPeak,
    Measure::Zipf,
    Measure::NinetyTen,
    Measure::Hot(256),
    Measure::Hot(MANY),
    Measure::Hot(4_096),
    Measure::Holds,
    Measure::Quotes,
    Measure::Young,
    Measure::Old,
    Measure::OneLot,
    Measure::ManyLots,
    Measure::BeforeRenewals,
    Measure::Renewals,
    Measure::Http(64),
    Measure::Http(256),
    Measure::Http(512),
    Measure::Http(MANY),
    Measure::HttpBatches(4),
    Measure::HttpBatches(16),
    Measure::HttpHalfOfPeak,
    Measure::HttpBalances,
    Measure::HttpThrice,
    Measure::HttpFlood,
    Measure::Webhooks,
    Measure::WebhooksHalfOfPeak,
];

impl Measure {
    /// What tables and plots call it.
    pub fn name(self) -> String {
        let number = |number: usize| scrip::text::number(number as i64);
        let callers = |callers: usize| match callers {
            1 => "one caller".to_owned(),
            _ => format!("{} callers", number(callers)),
        };
        match self {
            Self::Tpcb => "T: pgbench, TPC-B-like".to_owned(),
            Self::NaiveUniform => "naive spend, uniform".to_owned(),
            Self::NaiveHot => "naive spend, one hot account".to_owned(),
            Self::Bare => "bare update, one caller".to_owned(),
            Self::Uniform(many) => format!("uniform, {}", callers(many)),
            Self::Zipf => format!("Zipf, {}", callers(MANY)),
            Self::NinetyTen => format!("90/10, {}", callers(MANY)),
            Self::Hot(many) => format!("hot, {}", callers(many)),
            Self::Holds => format!("holds with capture, {}", callers(MANY)),
            Self::Quotes => format!("quotes, {}", callers(READERS)),
            Self::HalfOfPeak => "uniform, at half of the peak rate".to_owned(),
            Self::Young => "uniform, young ledger".to_owned(),
            Self::Old => "uniform, old ledger".to_owned(),
            Self::OneLot => "hot account with one lot".to_owned(),
            Self::ManyLots => "hot account with many lots".to_owned(),
            Self::BeforeRenewals => "spends before renewals, at a steady rate".to_owned(),
            Self::Renewals => "renewals, all at once; waits of spends meanwhile".to_owned(),
            Self::Http(many) => format!("POST /spends, {} connections", number(many)),
            Self::HttpBatches(many) => {
                format!("POST /spends/batch of {BATCH}, {} connections", number(many))
            }
            Self::HttpHalfOfPeak => "POST /spends, at half of its peak rate".to_owned(),
            Self::HttpBalances => "GET /balance beside that".to_owned(),
            Self::HttpThrice => "POST /spends, 3 × the connections of its peak".to_owned(),
            Self::HttpFlood => "POST /spends, 3 × its peak rate".to_owned(),
            Self::Webhooks => format!("webhooks of purchases, {CONNECTIONS} connections"),
            Self::WebhooksHalfOfPeak => "webhooks of purchases, at half of that rate".to_owned(),
        }
    }

    /// Whether it is spending one by one over HTTP, as fast as so many connections can.
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http(_))
    }

    pub fn is_http_batch(self) -> bool {
        matches!(self, Self::HttpBatches(_))
    }

    /// Whether it is what others do, not Scrip.
    pub fn is_a_yardstick(self) -> bool {
        matches!(self, Self::Tpcb | Self::NaiveUniform | Self::NaiveHot | Self::Bare)
    }
}
