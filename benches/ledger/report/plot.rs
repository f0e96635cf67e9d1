//! docs/benchmarks.svg: rates as bars, relative to T. Written by hand, since the text takes the reader's colours,
//! light or dark, which no crate that draws plots can say.

use std::fmt::Write as _;

use crate::measure::{MANY, Measure};

use super::{Results, shown};

const PLOTTED: [Measure; 15] = [
    Measure::Tpcb,
    Measure::NaiveUniform,
    Measure::NaiveHot,
    Measure::Uniform(16),
    Measure::Uniform(256),
    Measure::Uniform(512),
    Measure::Uniform(MANY),
    Measure::Uniform(4_096),
    Measure::Zipf,
    Measure::NinetyTen,
    Measure::Hot(MANY),
    Measure::Hot(4_096),
    Measure::Holds,
    Measure::Http(256),
    Measure::HttpBatches(16),
];

const WIDTH: f64 = 820.0;
const BARS_FROM: f64 = 250.0;
const BARS_TO: f64 = 650.0;
const TOP: f64 = 56.0;
const ROW: f64 = 26.0;
const BAR: f64 = 16.0;

const STYLE: &str = "text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.by { fill: #6e7781 }
.bar { fill: #1f6feb }
.other { fill: #8c959f }
.line { stroke: #8c959f; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .by { fill: #9198a1 }
  .bar { fill: #4493f8 }
  .other { fill: #767e88 }
}";

pub fn render(results: &Results) -> String {
    let rate = |measure| results.book.series(measure, |sample| Some(sample.rate)).median();
    // Without pgbench there is no T; the shape is the same in any unit.
    let (unit, called) = match rate(Measure::Tpcb) {
        Some(rate) => (rate, "T"),
        None => (rate(Measure::NaiveUniform).unwrap_or(1.0), "the naive spend"),
    };
    let bars: Vec<(Measure, f64)> =
        PLOTTED.into_iter().filter_map(|measure| Some((measure, rate(measure)?))).collect();
    let most = bars.iter().map(|(_, rate)| rate / unit).fold(1.0, f64::max);
    let scale = (BARS_TO - BARS_FROM) / most;
    let height = TOP + ROW * bars.len() as f64 + 12.0;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Rates relative to {called}\">\n<style>\n{STYLE}\n</style>\n"
    );
    let _ = writeln!(
        svg,
        "<text x=\"12\" y=\"24\" class=\"title\">Durable spends a second, relative to {called}</text>"
    );
    let one = BARS_FROM + scale;
    let bottom = height - 8.0;
    let _ = writeln!(
        svg,
        "<line x1=\"{one:.1}\" y1=\"{}\" x2=\"{one:.1}\" y2=\"{bottom}\" class=\"line\"/>",
        TOP - 8.0
    );
    for (place, (measure, rate)) in bars.into_iter().enumerate() {
        let top = TOP + ROW * place as f64;
        let (baseline, width) = (top + 13.0, (rate / unit * scale).max(1.0));
        let class = if measure.is_a_yardstick() { "other" } else { "bar" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{BARS_FROM}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\" class=\"{class}\"/>\
             <text x=\"{:.1}\" y=\"{baseline}\">{} × <tspan class=\"by\">{}/s</tspan></text>",
            BARS_FROM - 10.0,
            measure.name(),
            BARS_FROM + width + 8.0,
            shown(rate / unit),
            shown(rate),
        );
    }
    svg + "</svg>\n"
}
