//! The catalog file: reads it, checks it as a whole, and makes a [`Catalog`] of it.
//!
//! Whoever writes a catalog should need one look at the answer, not one start of the server per mistake. So
//! every flaw is named, with its line, what is wrong and what to write instead; and a catalog with any flaw
//! is no catalog.

mod reader;

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;
use toml::de::DeTable;

use self::reader::{Flaws, Reader, integer, quoted};
use crate::domain::{
    Amount, Catalog, Limits,
    catalog::{Action, ActionKey, Cost, InsufficientStatus, SignUpGrant, Units},
};

/// Far above any sensible catalog, and small enough to read without a thought.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
pub const ACTIONS_MAX: usize = 100;
pub const FAIR_USE_MAX: i64 = 1_000_000;
pub const TITLE_CHARS_MAX: usize = 80;
pub const SUMMARY_CHARS_MAX: usize = 200;
pub const UNIT_CHARS_MAX: usize = 40;
/// Ten years: longer than this is "never expires".
pub const EXPIRES_DAYS_MAX: i64 = 3_650;

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
    let catalog = Reader::read_root(root.get_ref(), &mut flaws, read_catalog);
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

// Each of these reads one table to its end before it gives up with `?`, so that no flaw stays unnamed.

fn read_catalog(file: &mut Reader<'_>) -> Option<Catalog> {
    file.require("name", r#"name = "Interior design""#);
    file.require("summary", r#"summary = "Redesigns rooms from a photo""#);
    file.require("actions", "[[actions]] and below it the key, title and cost of an action");
    let name = file.text("name", 1..=TITLE_CHARS_MAX);
    let summary = file.text("summary", 1..=SUMMARY_CHARS_MAX);
    let balances = 0..=Amount::MAX.get();
    let min_balance = file.number("min_balance", "a number of credits", balances.clone());
    let low_balance = file.number("low_balance", "a number of credits", balances);
    let insufficient_status =
        file.value("insufficient_status", "a status for refusals", "402 or 429", |value| {
            match integer(value)? {
                402 => Some(InsufficientStatus::PaymentRequired),
                429 => Some(InsufficientStatus::TooManyRequests),
                _ => None,
            }
        });
    let signup = file.table("signup", read_signup);
    let fair_use = file.table("fair_use", read_fair_use);
    let mut lines_by_key = HashMap::new();
    let actions = file.tables("actions", ACTIONS_MAX, |action| read_action(action, &mut lines_by_key));
    Some(Catalog {
        name: name?,
        summary: summary?,
        signup,
        limits: Limits { min_balance: min_balance.unwrap_or_default(), ..fair_use.unwrap_or_default() },
        low_balance: low_balance.unwrap_or_default(),
        insufficient_status: insufficient_status.unwrap_or_default(),
        actions: actions?,
    })
}

fn read_signup(signup: &mut Reader<'_>) -> Option<SignUpGrant> {
    signup.require("credits", "credits = 6");
    let credits = signup.number("credits", "an amount", 1..=Amount::MAX.get());
    let expires_days = signup.number("expires_days", "a number of days", 1..=EXPIRES_DAYS_MAX);
    Some(SignUpGrant { credits: credits?, expires_days })
}

/// How many spends an account may make; without a cap, any number.
fn read_fair_use(fair_use: &mut Reader<'_>) -> Option<Limits> {
    let per_hour = fair_use.number("per_hour", "a number of spends", 1..=FAIR_USE_MAX);
    let per_day = fair_use.number("per_day", "a number of spends", 1..=FAIR_USE_MAX);
    Some(Limits { per_hour, per_day, ..Limits::default() })
}

fn read_action(action: &mut Reader<'_>, lines_by_key: &mut HashMap<ActionKey, usize>) -> Option<Action> {
    action.require("key", r#"key = "render""#);
    action.require("title", r#"title = "Render a room""#);
    let key = action.value("key", "a key", "1 to 64 of a-z, 0-9 and _, the first a letter", |value| {
        ActionKey::try_from(value.as_str()?.to_owned()).ok()
    });
    if let Some(key) = &key
        && let Some(line) = lines_by_key.insert(key.clone(), action.line("key"))
    {
        let message = format!("\"{key}\" is already the key of the action on line {line}; write another");
        action.flaw("key", &message);
    }
    let title = action.text("title", 1..=TITLE_CHARS_MAX);
    let description = action.text("description", 0..=SUMMARY_CHARS_MAX);
    let cost = read_cost(action);
    Some(Action { key: key?, title: title?, description: description.unwrap_or_default(), cost: cost? })
}

fn read_cost(action: &mut Reader<'_>) -> Option<Cost> {
    let cost = action.number("cost", "an amount", 1..=Amount::MAX.get());
    let unit = action.text("unit", 1..=UNIT_CHARS_MAX);
    let units_per_credit: Option<Units> =
        action.number("units_per_credit", "a number of units", 1..=Units::MAX);
    // The only rounding there is. It may be written down so that nobody has to wonder.
    action.value("round", "a way to round", "\"up\"", |value| (value.as_str()? == "up").then_some(()));

    let by_unit = ["unit", "units_per_credit", "round"].into_iter().find(|key| action.has(key));
    match (action.has("cost"), by_unit) {
        (true, None) => cost.map(Cost::Fixed),
        (false, Some(_)) => {
            action.require("unit", r#"unit = "tokens""#);
            action.require("units_per_credit", "units_per_credit = 2000");
            Some(Cost::PerUnit { unit: unit?, units_per_credit: units_per_credit? })
        }
        (true, Some(key)) => {
            let message = format!(
                "an action has one price, and {key} makes another; keep cost alone, or remove it for unit \
                 and units_per_credit"
            );
            action.flaw("cost", &message);
            None
        }
        (false, None) => {
            action.flaw("cost", "missing; add cost = 1, or unit = \"tokens\" and units_per_credit = 2000");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "name = \"Rooms\"\nsummary = \"Redesigns rooms\"\n";
    const ACTION: &str = "[[actions]]\nkey = \"render\"\ntitle = \"Render\"\ncost = 3\n";

    fn shipped(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs").join(file)
    }

    fn flaws(text: &str) -> Vec<String> {
        parse(text).expect_err(text).iter().map(Flaw::to_string).collect()
    }

    /// Parses `HEAD` (lines 1 and 2), then `settings` from line 3, then a good action.
    fn flaws_of_settings(settings: &str) -> Vec<String> {
        flaws(&format!("{HEAD}{settings}\n{ACTION}"))
    }

    /// Parses a good file but for its only action, whose settings begin on line 4.
    fn flaws_of_action(settings: &str) -> Vec<String> {
        flaws(&format!("{HEAD}[[actions]]\n{settings}"))
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
        "#;
        let catalog = parse(text).unwrap();
        assert_eq!((catalog.name.as_str(), catalog.summary.as_str()), ("Code", "Writes code"));
        assert_eq!((catalog.limits.min_balance.get(), catalog.low_balance.get()), (1, 10));
        assert_eq!((catalog.limits.per_hour, catalog.limits.per_day), (None, Some(200)));
        assert_eq!(catalog.insufficient_status, InsufficientStatus::TooManyRequests);
        let signup = catalog.signup.unwrap();
        assert_eq!((signup.credits.get(), signup.expires_days), (5, Some(30)));
        let units_per_credit = Units::try_from(2_000).unwrap();
        assert_eq!(catalog.actions[0].cost, Cost::PerUnit { unit: "tokens".into(), units_per_credit });
        assert_eq!(catalog.actions[1].cost, Cost::Fixed(Amount::try_from(16).unwrap()));
        assert_eq!(catalog.actions[1].description, "One question.");
    }

    #[test]
    fn what_a_file_leaves_out_has_a_default() {
        let catalog = parse(&format!("\u{feff}{HEAD}{ACTION}").replace('\n', "\r\n")).unwrap();
        assert_eq!(catalog.signup, None);
        assert_eq!((catalog.limits, catalog.low_balance.get()), (Limits::default(), 0));
        assert_eq!(catalog.insufficient_status, InsufficientStatus::PaymentRequired);
        assert_eq!(catalog.action("render").unwrap().description, "");
    }

    #[test]
    fn every_shipped_catalog_is_a_good_one() {
        let files = fs::read_dir(shipped("")).unwrap().map(|file| file.unwrap().path());
        let read: Vec<_> = files.map(|path| load(&path).unwrap_or_else(|error| panic!("{error}"))).collect();
        assert!(!read.is_empty());
    }

    #[test]
    fn the_default_catalog_sells_six_actions_and_gives_six_credits() {
        let catalog = load(&shipped("interior.toml")).unwrap();
        let keys: Vec<_> = catalog.actions.iter().map(|action| action.key.as_str()).collect();
        assert_eq!(keys, ["interior", "exterior", "sketch", "furnish", "remove", "video"]);
        assert!(catalog.actions.iter().all(|action| action.price(None).unwrap().cost.get() == 1));
        let six = Amount::try_from(6).unwrap();
        assert_eq!(catalog.signup, Some(SignUpGrant { credits: six, expires_days: None }));
        assert_eq!(catalog.low_balance.get(), 2);
    }

    #[test]
    fn a_setting_with_a_flaw_is_named_with_its_line_and_a_remedy() {
        let credits = "is not a number of credits; write a whole number from 0 to 1,000,000,000,000";
        let amount = "is not an amount; write a whole number from 1 to 1,000,000,000,000";
        let status = "is not a status for refusals; write 402 or 429";
        let days = "is not a number of days; write a whole number from 1 to 3,650";
        let table = "is not a table; write [signup] on a line of its own and its settings below it";
        for (settings, flaw) in [
            ("min_balance = -1", format!("3: min_balance: -1 {credits}")),
            ("min_balance = 1.5", format!("3: min_balance: 1.5 {credits}")),
            ("\n\nlow_balance = \"2\"", format!("5: low_balance: \"2\" {credits}")),
            ("low_balance = 1000000000001", format!("3: low_balance: 1000000000001 {credits}")),
            ("low_balance = 99999999999999999999", format!("3: low_balance: 99999999999999999999 {credits}")),
            ("insufficient_status = 403", format!("3: insufficient_status: 403 {status}")),
            ("insufficient_status = true", format!("3: insufficient_status: true {status}")),
            ("signup = 6", format!("3: signup: 6 {table}")),
            ("[[signup]]\ncredits = 6", format!("3: signup: a list {table}")),
            ("[signup]", "3: signup.credits: missing; add credits = 6".into()),
            ("[signup]\ncredits = 0", format!("4: signup.credits: 0 {amount}")),
            ("[signup]\ncredits = []", format!("4: signup.credits: an empty list {amount}")),
            ("[signup]\ncredits = 6\nexpires_days = 0", format!("5: signup.expires_days: 0 {days}")),
            ("[signup]\ncredits = 6\nexpires_days = 3651", format!("5: signup.expires_days: 3651 {days}")),
            (
                "[signup]\ncredits = 6\nlow_balance = 2",
                "5: signup.low_balance: unknown key; remove it; the keys known here are credits, expires_days"
                    .into(),
            ),
            (
                "[fair_use]\nper_hour = 0",
                "4: fair_use.per_hour: 0 is not a number of spends; write a whole number from 1 to 1,000,000".into(),
            ),
            ("low_balanse = 2", "3: low_balanse: unknown key; did you mean low_balance?".into()),
            ("min = 2", "3: min: unknown key; did you mean min_balance?".into()),
            ("[sign_up]\ncredits = 6", "3: sign_up: unknown key; did you mean signup?".into()),
        ] {
            assert_eq!(flaws_of_settings(settings), [flaw], "{settings}");
        }
    }

    #[test]
    fn an_action_with_a_flaw_is_named_with_its_line_and_a_remedy() {
        let named = "key = \"render\"\ntitle = \"Render\"\n";
        let amount = "is not an amount; write a whole number from 1 to 1,000,000,000,000";
        let key = "is not a key; write 1 to 64 of a-z, 0-9 and _, the first a letter";
        for (settings, flaw) in [
            ("title = \"Render\"\ncost = 1", r#"3: actions[1].key: missing; add key = "render""#.into()),
            (
                "key = \"render\"\ncost = 1",
                r#"3: actions[1].title: missing; add title = "Render a room""#.into(),
            ),
            ("key = \"A\"\ntitle = \"Render\"\ncost = 1", format!("4: actions[1].key: \"A\" {key}")),
            ("key = 7\ntitle = \"Render\"\ncost = 1", format!("4: actions[1].key: 7 {key}")),
            (&format!("{named}cost = 0"), format!("6: actions[1].cost: 0 {amount}")),
            (&format!("{named}cost = -3"), format!("6: actions[1].cost: -3 {amount}")),
            (&format!("{named}cost = 0.5"), format!("6: actions[1].cost: 0.5 {amount}")),
            (&format!("{named}cost = nan"), format!("6: actions[1].cost: nan {amount}")),
            (&format!("{named}cost = 2024-01-31"), format!("6: actions[1].cost: 2024-01-31 {amount}")),
            (&format!("{named}cost = {{ a = 1 }}"), format!("6: actions[1].cost: a table {amount}")),
            (
                &format!("{named}cots = 1\ncost = 1"),
                "6: actions[1].cots: unknown key; did you mean cost?".into(),
            ),
            (
                named,
                "3: actions[1].cost: missing; add cost = 1, or unit = \"tokens\" and units_per_credit = 2000"
                    .into(),
            ),
            (
                &format!("{named}unit = \"tokens\"\nunits_per_credit = 2000\ncost = 1"),
                "8: actions[1].cost: an action has one price, and unit makes another; keep cost alone, or \
                 remove it for unit and units_per_credit"
                    .into(),
            ),
            (
                &format!("{named}cost = 1\nround = \"up\""),
                "6: actions[1].cost: an action has one price, and round makes another; keep cost alone, or \
                 remove it for unit and units_per_credit"
                    .into(),
            ),
            (
                &format!("{named}unit = \"tokens\""),
                "3: actions[1].units_per_credit: missing; add units_per_credit = 2000".into(),
            ),
            (
                &format!("{named}units_per_credit = 2000"),
                "3: actions[1].unit: missing; add unit = \"tokens\"".into(),
            ),
            (
                &format!("{named}unit = \"tokens\"\nunits_per_credit = 0"),
                "7: actions[1].units_per_credit: 0 is not a number of units; write a whole number from 1 to \
                 1,000,000,000,000"
                    .into(),
            ),
            (
                &format!("{named}unit = \"tokens\"\nunits_per_credit = 2000\nround = \"down\""),
                "8: actions[1].round: \"down\" is not a way to round; write \"up\"".into(),
            ),
        ] {
            assert_eq!(flaws_of_action(settings), [flaw], "{settings}");
        }
    }

    #[test]
    fn a_text_says_something_on_one_line_of_bounded_length() {
        let file = |title: &str, description: &str| {
            format!(
                "{HEAD}[[actions]]\nkey = \"a\"\ncost = 1\ntitle = {title}\ndescription = {description}\n"
            )
        };
        let longest = format!("\"{}\"", "é".repeat(80));
        assert!(parse(&file(&longest, "\"\"")).is_ok());
        for (title, complaint) in [
            ("\"\"", "the text says nothing; write one line of 1 to 80 characters"),
            ("\"  \"", "the text says nothing; write one line of 1 to 80 characters"),
            (
                &longest.replace("éé", "ééé"),
                "the text has 120 characters; write one line of 1 to 80 characters",
            ),
            ("\"a\\tb\"", r"the text holds the control character '\t'; write one line of 1 to 80 characters"),
            (
                "'''a\nb'''",
                r"the text holds the control character '\n'; write one line of 1 to 80 characters",
            ),
            ("[\"a\"]", "a list is not text; write one line of 1 to 80 characters in quotes"),
        ] {
            assert_eq!(flaws(&file(title, "\"\"")), [format!("6: actions[1].title: {complaint}")]);
        }
        let long = format!("\"{}\"", "a".repeat(201));
        assert_eq!(
            flaws(&file("\"A\"", &long)),
            ["7: actions[1].description: the text has 201 characters; write one line of 0 to 200 characters"]
        );
    }

    #[test]
    fn a_catalog_sells_between_one_action_and_a_hundred() {
        let list = "write [[actions]] on a line of its own above the settings of each";
        let what = "is not a list of at least one table";
        assert_eq!(
            flaws(&format!("{HEAD}actions = []")),
            [format!("3: actions: an empty list {what}; {list}")]
        );
        assert_eq!(flaws(&format!("{HEAD}[actions]")), [format!("3: actions: a table {what}; {list}")]);
        assert_eq!(
            flaws(&format!("{HEAD}actions = [\n{{ key = 'a', title = 'A', cost = 1 }},\n7]")),
            [format!("5: actions[2]: 7 is not a table; {list}")]
        );
        let actions = |count| {
            let each = (1..=count).map(|n| ACTION.replace("render", &format!("render_{n}")));
            each.fold(HEAD.to_owned(), |text, action| text + &action)
        };
        assert_eq!(parse(&actions(100)).unwrap().actions.len(), 100);
        assert_eq!(flaws(&actions(101)), ["403: actions[101]: one too many; keep 100 or fewer"]);
    }

    #[test]
    fn two_actions_of_one_key_are_named_with_both_lines() {
        assert_eq!(
            flaws(&format!("{HEAD}{ACTION}{ACTION}")),
            ["8: actions[2].key: \"render\" is already the key of the action on line 4; write another"]
        );
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
        assert_eq!(second, format!("{shown}:8: signup.credits: missing; add credits = 6"));

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
            if let Err(flaws) = parse(&text) {
                prop_assert!(!flaws.is_empty());
                prop_assert!(flaws.iter().all(|flaw| (1..=text.lines().count().max(1)).contains(&flaw.line)));
                prop_assert!(flaws.iter().all(|flaw| !flaw.message.contains(char::is_control)));
            }
        }
    }
}
