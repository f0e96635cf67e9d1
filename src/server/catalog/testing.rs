//! What the tests of this room build their files from.

use std::path::{Path, PathBuf};

use super::{Flaw, parse};

/// Two lines: what every file begins with.
pub const HEAD: &str = "name = \"Rooms\"\nsummary = \"Redesigns rooms\"\n";
pub const ACTION: &str = "[[actions]]\nkey = \"render\"\ntitle = \"Render\"\ncost = 3\n";
pub const PLAN: &str = "[[plans]]\nkey = \"pro\"\ntitle = \"Pro\"\nmonthly_credits = 100\nprice = \"12.00\"\ncurrency = \"usd\"\n";
pub const PACK: &str = "[[packs]]\nkey = \"pack_100\"\ntitle = \"100 credits\"\ncredits = 100\nprice = \"10.00\"\ncurrency = \"usd\"\n";

pub fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs").join(file)
}

/// As `LINE: message`.
pub fn flaws(text: &str) -> Vec<String> {
    parse(text).expect_err(text).iter().map(Flaw::to_string).collect()
}
