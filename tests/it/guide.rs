//! The guide for hosts (`docs/integrating.md`) explains every problem that a call can meet. That its commands and
//! programs run, `scripts/guide` sees.

use std::collections::BTreeMap;

use scrip::server::api::reference::told;

/// The rows of the guide's table: code and status.
fn explained() -> BTreeMap<String, u16> {
    let guide = include_str!("../../docs/integrating.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let code = cells.next()?.strip_suffix('`')?;
        Some((code.to_owned(), cells.next()?.parse::<u16>().ok()?))
    };
    guide.lines().filter_map(row).collect()
}

#[test]
fn the_guide_explains_every_problem_that_a_call_can_meet() {
    let expected: BTreeMap<String, u16> =
        told().map(|(code, problem)| (code.to_owned(), problem.status())).collect();
    assert!(expected.len() > 30, "{expected:?}");
    assert_eq!(explained(), expected);
}
