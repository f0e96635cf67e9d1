//! What came out, as a document and a plot.

mod document;
mod goals;
mod machine;
mod plot;

use std::{fs, path::Path};

use crate::{
    age::Growth,
    book::{Book, Series},
    plan::Plan,
    verification::Verification,
};

pub use machine::Machine;

pub struct Results {
    pub plan: Plan,
    pub machine: Machine,
    pub book: Book,
    pub growth: Growth,
    /// The share of updates that touched no index.
    pub hot_accounts: f64,
    pub hot_lots: f64,
    pub verification: Verification,
}

impl Results {
    /// Into docs/, or out of the way where the run was too short to mean anything.
    pub fn write(&self) {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = if self.plan.is_quick { project.join("target/bench") } else { project.join("docs") };
        fs::create_dir_all(&folder).expect("a folder for the document");
        let document = document::render(self);
        fs::write(folder.join("benchmarks.md"), &document).expect("the document is written");
        fs::write(folder.join("benchmarks.svg"), plot::render(self)).expect("the plot is written");
        println!("\n{document}");
        println!("Written to {}/benchmarks.md and .svg", folder.display());
    }
}

/// Like `1.25 [1.20 – 1.31]`: the median and the range.
fn ranged(series: &Series, show: impl Fn(f64) -> String) -> String {
    match (series.median(), series.least(), series.most()) {
        (Some(median), Some(least), Some(most)) if least < most => {
            format!("{} [{} – {}]", show(median), show(least), show(most))
        }
        (Some(median), ..) => show(median),
        _ => "–".to_owned(),
    }
}

/// With as many digits as mean something.
fn shown(number: f64) -> String {
    match number {
        100.0.. => scrip::text::number(number.round() as i64),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}
