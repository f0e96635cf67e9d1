//! The catalog file: reads it, checks it as a whole, and makes a [`Catalog`] of it.
//!
//! Whoever writes a catalog should need one look at the answer, not one start of the server per mistake. So
//! every flaw is named, with its line, what is wrong and what to write instead; and a catalog with any flaw
//! is no catalog.

mod actions;
mod in_force;
mod reader;
mod sales;
mod settings;
#[cfg(test)]
mod testing;

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;
use toml::de::DeTable;

pub use self::in_force::{InForce, summary, take_up_when_asked};
use self::reader::{Flaws, Reader, quoted};
use crate::domain::Catalog;

/// Far above any sensible catalog, and small enough to read without a thought.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
pub const ACTIONS_MAX: usize = 100;
pub const PLANS_MAX: usize = 20;
pub const PACKS_MAX: usize = 20;
pub const FAIR_USE_MAX: i64 = 1_000_000;
pub const TITLE_CHARS_MAX: usize = 80;
pub const SUMMARY_CHARS_MAX: usize = 200;
pub const UNIT_CHARS_MAX: usize = 40;
/// Ten years: longer than this is "never expires".
pub const EXPIRES_DAYS_MAX: i64 = 3_650;
/// As long as Stripe lets anybody try.
pub const TRIAL_DAYS_MAX: i64 = 730;
pub const GRACE_DAYS_MAX: i64 = 30;
pub const GRACE_DAYS_DEFAULT: u16 = 3;

/// Something wrong in a catalog file: on which line, what it is, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Counted from 1.
    pub line: usize,
    pub message: String,
}

/// Why there is no catalog. Its text names every flaw, each on a line of its own.
#[derive(Debug, Error)]
pub enum CatalogError {
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}", listed(path, flaws))]
    Flawed { path: PathBuf, flaws: Vec<Flaw> },
}

/// Reads the catalog at `path`.
pub fn load(path: &Path) -> Result<Catalog, CatalogError> {
    let bytes = read(path).map_err(|source| CatalogError::Unreadable { path: path.into(), source })?;
    decode(&bytes).and_then(parse).map_err(|flaws| CatalogError::Flawed { path: path.into(), flaws })
}

/// Makes a catalog of the text of its file, or names every flaw in the order of the lines, at least one.
pub fn parse(text: &str) -> Result<Catalog, Vec<Flaw>> {
    let mut flaws = Flaws::of(text);
    let (root, syntax_errors) = DeTable::parse_recoverable(text);
    if !syntax_errors.is_empty() {
        for error in syntax_errors {
            let span = error.span().unwrap_or_default();
            flaws.add(span.start, syntax_message(error.message(), text.get(span).unwrap_or_default()));
        }
        // The first error of a line tends to be the cause of the others; and what a broken file seems to
        // lack or to hold besides would be guesses.
        let mut flaws = flaws.in_order();
        flaws.dedup_by_key(|flaw| flaw.line);
        return Err(flaws);
    }
    let catalog = Reader::read_root(root.get_ref(), &mut flaws, settings::read);
    let flaws = flaws.in_order();
    match catalog {
        Some(catalog) if flaws.is_empty() => Ok(catalog),
        _ => Err(flaws),
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

fn listed(path: &Path, flaws: &[Flaw]) -> String {
    let lines: Vec<_> = flaws.iter().map(|flaw| format!("{}:{flaw}", path.display())).collect();
    lines.join("\n")
}

/// At most one byte more than a catalog may have: the path may be one that never ends, like `/dev/zero`.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<&str, Vec<Flaw>> {
    if bytes.len() > FILE_BYTES_MAX {
        let message = "the file is larger than 1 MiB; name a catalog, which is far smaller".to_owned();
        return Err(vec![Flaw { line: 1, message }]);
    }
    str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        vec![Flaw { line, message: "not UTF-8 text; save the file in the encoding UTF-8".to_owned() }]
    })
}

fn syntax_message(message: &str, place: &str) -> String {
    if message.starts_with("duplicate key") {
        return format!("{} stands here for the second time; keep one of them", quoted(place));
    }
    format!(
        "not TOML: {message}; write each setting on a line of its own, as key = 12 or key = \"text\", \
         and each header as [signup] or [[actions]]"
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::{
        testing::{ACTION, HEAD, shipped},
        *,
    };
    use crate::domain::{
        Amount, Credits, Limits, Priority, WhenSpent,
        catalog::{
            Allowance, Cost, InsufficientStatus, Interval, LowBalance, Price, RolloverCap, SignUpGrant, Units,
        },
    };

    fn credits(number: i64) -> Credits {
        Credits::try_from(number).unwrap()
    }

    /// Whatever is wrong with a file: the flaws are named, and on lines that it has.
    fn has_flaws_where_it_is_bad(text: &str) -> Result<(), TestCaseError> {
        if let Err(flaws) = parse(text) {
            prop_assert!(!flaws.is_empty());
            prop_assert!(flaws.iter().all(|flaw| (1..=text.lines().count().max(1)).contains(&flaw.line)));
            prop_assert!(flaws.iter().all(|flaw| !flaw.message.contains(char::is_control)));
        }
        Ok(())
    }

    #[test]
    fn a_catalog_holds_what_its_file_says() {
        let text = r#"
            name = "Code"
            summary = "Writes code"
            min_balance = 1
            low_balance = 10
            insufficient_status = 429
            signup.credits = 5
            signup.expires_days = 30
            fair_use.per_day = 200
            actions = [
                { key = "complete", title = "Code", unit = "tokens", units_per_credit = 2_000, round = "up" },
                { key = "ask", title = "Ask", description = "One question.", cost = 0x10 },
            ]
            refund_grace_days = 7
            clawback = "forgive"
            grace_days = 0
            signup.plan = "free"
            [[plans]]
            key = "free"
            title = "Free"
            monthly_credits = 5
            [[plans]]
            key = "pro"
            title = "Pro"
            description = "More."
            price = "120.00"
            currency = "usd"
            interval = "year"
            monthly_credits = 100
            rollover_cap = 2
            trial_days = 14
            priority = 5
            [[plans]]
            key = "all"
            title = "All"
            price = "1200"
            currency = "jpy"
            unlimited = true
            [[packs]]
            key = "small"
            title = "Small"
            credits = 50
            price = "9.00"
            currency = "eur"
            expires_days = 90
            [[packs]]
            key = "large"
            title = "Large"
            credits = 500
            price = "80.00"
            currency = "eur"
            priority = 0
        "#;
        let catalog = parse(text).unwrap();
        assert_eq!((catalog.name.as_str(), catalog.summary.as_str()), ("Code", "Writes code"));
        assert_eq!(
            (catalog.limits.min_balance, catalog.low_balance),
            (credits(1), LowBalance::Credits(credits(10)))
        );
        assert_eq!((catalog.limits.per_hour, catalog.limits.per_day), (None, Some(200)));
        assert_eq!(catalog.insufficient_status, InsufficientStatus::TooManyRequests);
        let signup = catalog.signup.unwrap();
        assert_eq!((signup.credits.get(), signup.expires_days), (5, Some(30)));
        let units_per_credit = Units::try_from(2_000).unwrap();
        assert_eq!(catalog.actions[0].cost, Cost::PerUnit { unit: "tokens".into(), units_per_credit });
        assert_eq!(catalog.actions[1].cost, Cost::Fixed(Amount::try_from(16).unwrap()));
        assert_eq!(catalog.actions[1].description, "One question.");

        assert_eq!(catalog.refund_grace.map(|grace| grace.get().num_days()), Some(7));
        assert_eq!((catalog.clawback, catalog.grace_days), (WhenSpent::Forgive, 0));
        assert_eq!(catalog.default_plan().unwrap().key.as_str(), "free");
        let hundred = Amount::try_from(100).unwrap();
        let pro = catalog.plan("pro").unwrap();
        assert_eq!(pro.price.map(|price| (price.minor(), price.currency().as_str())), Some((12_000, "usd")));
        assert_eq!((pro.interval, pro.allowance), (Interval::Year, Allowance::Monthly(hundred)));
        assert_eq!((pro.rollover_cap.map(RolloverCap::get), pro.trial_days), (Some(2), Some(14)));
        assert_eq!((pro.description.as_str(), pro.priority), ("More.", Priority(5)));
        let all = catalog.plan("all").unwrap();
        assert_eq!(
            (all.interval, all.allowance, all.priority),
            (Interval::Month, Allowance::Unlimited, Priority(30))
        );
        assert_eq!(all.price.map(Price::minor), Some(1_200));
        let small = catalog.pack("small").unwrap();
        assert_eq!((small.credits.get(), small.price.minor(), small.expires_days), (50, 900, Some(90)));
        let priorities = ["small", "large"].map(|key| catalog.pack(key).unwrap().priority);
        assert_eq!(priorities, [Priority(10), Priority(0)]);
        assert!(catalog.plan("small").is_none() && catalog.pack("pro").is_none());
    }

    #[test]
    fn what_a_file_leaves_out_has_a_default() {
        let catalog = parse(&format!("\u{feff}{HEAD}{ACTION}").replace('\n', "\r\n")).unwrap();
        assert_eq!(catalog.signup, None);
        assert_eq!((catalog.limits, catalog.low_balance), (Limits::default(), LowBalance::default()));
        assert_eq!(catalog.insufficient_status, InsufficientStatus::PaymentRequired);
        assert_eq!(catalog.action("render").unwrap().description, "");
        assert!(catalog.plans.is_empty() && catalog.packs.is_empty() && catalog.default_plan().is_none());
        assert_eq!((catalog.refund_grace, catalog.clawback, catalog.grace_days), (None, WhenSpent::Debt, 3));
    }

    #[test]
    fn every_shipped_catalog_is_a_good_one() {
        let files = fs::read_dir(shipped("")).unwrap().map(|file| file.unwrap().path());
        let mut read: Vec<(String, String)> = files
            .map(|path| {
                let catalog = load(&path).unwrap_or_else(|error| panic!("{error}"));
                (path.file_stem().unwrap().to_string_lossy().into_owned(), summary(&catalog))
            })
            .collect();
        read.sort();
        let expected = [
            ("interior", "6 actions, 1 plan, 0 packs"),
            ("stems", "4 actions, 0 plans, 3 packs"),
            ("tokens", "1 action, 3 plans, 0 packs"),
            ("video", "4 actions, 3 plans, 2 packs"),
        ];
        assert_eq!(read, expected.map(|(file, summary)| (file.to_owned(), summary.to_owned())));
    }

    #[test]
    fn the_interior_catalog_sells_six_actions_at_a_credit_and_gives_six() {
        let catalog = load(&shipped("interior.toml")).unwrap();
        let keys: Vec<_> = catalog.actions.iter().map(|action| action.key.as_str()).collect();
        assert_eq!(keys, ["interior", "exterior", "sketch", "furnish", "remove", "video"]);
        assert!(catalog.actions.iter().all(|action| action.price(None).unwrap().cost.get() == 1));
        let six = Amount::try_from(6).unwrap();
        assert_eq!(catalog.signup, Some(SignUpGrant { credits: six, expires_days: None }));
        assert_eq!(catalog.low_balance, LowBalance::Credits(credits(2)));
    }

    #[test]
    fn the_default_catalog_shows_what_it_leaves_out_as_it_is_without_it() {
        let text = fs::read_to_string(shipped("video.toml")).unwrap();
        let mut all = text.clone();
        for setting in ["min_balance", "clawback", "grace_days"] {
            let (shown, set) = (format!("# {setting} ="), format!("{setting} ="));
            assert!(all.contains(&shown), "{setting}");
            all = all.replace(&shown, &set);
        }
        assert_eq!(parse(&all).unwrap(), parse(&text).unwrap());
    }

    #[test]
    fn every_flaw_of_a_file_is_named_in_the_order_of_the_lines() {
        let text = "summary = ''\nlow_balance = -1\n[[actions]]\ncost = 0\n[signup]\ncredit = 6\n";
        let places: Vec<_> = parse(text).unwrap_err().iter().map(place).collect();
        fn place(flaw: &Flaw) -> String {
            let key = flaw.message.split(':').next().unwrap();
            format!("{} {key}", flaw.line)
        }
        assert_eq!(
            places,
            [
                "1 name",
                "1 summary",
                "2 low_balance",
                "3 actions[1].key",
                "3 actions[1].title",
                "4 actions[1].cost",
                "5 signup.credits",
                "6 signup.credit",
            ]
        );
    }

    #[test]
    fn what_is_not_toml_is_named_with_its_line() {
        for (text, line, message) in [
            ("name = interior\n", 1, "not TOML: invalid float"),
            ("\nname = \n", 2, "not TOML: string values must be quoted"),
            ("a = 1\n[signup\n", 2, "not TOML: unclosed table"),
            ("a = 1\nb = \"x", 2, "not TOML: invalid basic string"),
            ("a = 1\nb = \"x\n\n", 2, "not TOML: invalid basic string"),
            ("cost = 1,000\n", 1, "not TOML: unexpected key or value"),
            ("name: \"x\"\n", 1, "not TOML: key with no value"),
            ("a = 1\n\na = 2\n", 3, "\"a\" stands here for the second time; keep one of them"),
            (&format!("a = {}", "[".repeat(100_000)), 1, "not TOML: cannot recurse further"),
        ] {
            let flaws = parse(text).unwrap_err();
            assert_eq!((flaws.len(), flaws[0].line), (1, line), "{text}: {flaws:?}");
            assert!(flaws[0].message.starts_with(message), "{flaws:?}");
        }
        let lines: Vec<_> =
            parse("a = x\nb = 1\nc = y\n").unwrap_err().iter().map(|flaw| flaw.line).collect();
        assert_eq!(lines, [1, 3]);
    }

    #[test]
    fn a_file_that_is_no_catalog_at_all_is_refused_in_words() {
        let folder = std::env::temp_dir().join(format!("catalog-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("bad.toml");
        let refusal = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            load(&path).unwrap_err().to_string()
        };
        let shown = path.display();

        let large = vec![b'#'; FILE_BYTES_MAX + 1];
        assert!(refusal(&large).starts_with(&format!("{shown}:1: the file is larger than 1 MiB")));
        let latin_1 = b"# a\n# caf\xe9\n";
        assert_eq!(
            refusal(latin_1),
            format!("{shown}:2: not UTF-8 text; save the file in the encoding UTF-8")
        );
        let two = format!("{HEAD}low_balance = -1\n{ACTION}[signup]\n");
        let text = refusal(two.as_bytes());
        let (first, second) = text.split_once('\n').unwrap();
        assert!(first.starts_with(&format!("{shown}:3: low_balance: -1")), "{first}");
        assert_eq!(
            second,
            format!(
                "{shown}:8: signup.credits: missing; add credits = 6, or plan = \"free\" and a plan of that key"
            )
        );

        fs::remove_dir_all(&folder).unwrap();
        let gone = load(&path).unwrap_err();
        assert!(matches!(gone, CatalogError::Unreadable { .. }));
        assert!(gone.to_string().starts_with(&format!("{shown}: cannot be read: No such file")), "{gone}");
    }

    proptest! {
        /// A good file with a piece of it lost, doubled or replaced never brings the reader down, and is
        /// never refused without a reason, or with one on a line that it doesn't have.
        #[test]
        fn whatever_the_file_says_the_answer_is_a_catalog_or_flaws(
            start in 0..400_usize,
            length in 0..60_usize,
            put in "|[ \\[\\]{}=\"'.,a1\n-]{0,6}|cost = 1\n|\\[signup\\]\n|é\u{1}",
        ) {
            let good = format!("{HEAD}[signup]\ncredits = 6\n{ACTION}unit = \"tokens\"\n\n{ACTION}");
            let mut text: Vec<char> = good.chars().collect();
            let start = start.min(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, put.chars());
            let text = String::from_iter(text);
            has_flaws_where_it_is_bad(&text)?;
        }

        /// The same of the files that ship, line by line: one lost, doubled, moved or garbled.
        #[test]
        fn a_shipped_catalog_with_a_line_changed_is_good_or_named_for_what_it_is(
            file in prop::sample::select(vec!["interior.toml", "stems.toml", "tokens.toml", "video.toml"]),
            changes in prop::collection::vec((0..200_usize, 0..200_usize, 0..6_usize), 1..4),
        ) {
            let text = fs::read_to_string(shipped(file)).unwrap();
            let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
            for (place, other, change) in changes {
                let (place, other) = (place % lines.len(), other % lines.len());
                let line = lines[place].clone();
                match change {
                    0 => drop(lines.remove(place)),
                    1 => lines.insert(place, line),
                    2 => lines.swap(place, other),
                    3 => lines[place] = line.chars().rev().collect(),
                    4 => lines[place] = line.replace(['"', '0', '='], "-"),
                    _ => lines[place] = line.replacen(char::is_alphanumeric, "", other % 8),
                }
            }
            has_flaws_where_it_is_bad(&lines.join("\n"))?;
        }
    }
}
