//! Reads one TOML table by hand, and notes every flaw of it with its line.
//!
//! Deserializing with serde would stop at the first flaw, and would not know the line of a missing key. A
//! [`Reader`] is asked for each key in turn instead and hands out what it can, so that one pass finds
//! everything; and the keys that nobody asked for are the unknown ones.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
    ops::RangeInclusive,
};

use toml::de::{DeTable, DeValue};

use super::Flaw;
use crate::text::number;

/// How much of a long value a message quotes, in characters.
const QUOTED_MAX: usize = 40;

/// The flaws found so far, and where the lines of the file begin.
pub(super) struct Flaws {
    line_starts: Vec<usize>,
    /// The offset of the last byte: "the end of the file is missing something" belongs to its last line.
    last: usize,
    found: Vec<Flaw>,
}

impl Flaws {
    pub(super) fn of(text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            line_starts: std::iter::once(0).chain(after_breaks).collect(),
            last: text.len().saturating_sub(1),
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, offset: usize, message: String) {
        self.found.push(Flaw { line: self.line(offset), message });
    }

    /// In the order of the file. Within a line, in the order in which they were found.
    pub(super) fn in_order(mut self) -> Vec<Flaw> {
        self.found.sort_by_key(|flaw| flaw.line);
        self.found
    }

    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset.min(self.last))
    }
}

/// The keys that were given out, and on which lines.
pub(super) type Lines = HashMap<String, usize>;

/// One table of the file: takes settings out of it, and notes what is wrong with them.
pub(super) struct Reader<'a> {
    table: &'a DeTable<'a>,
    /// Where the table begins: the place of what it lacks.
    offset: usize,
    /// What messages put before a key: nothing in the file's own table, else `actions[2].`.
    prefix: String,
    asked_for: BTreeSet<&'static str>,
    flaws: &'a mut Flaws,
}

impl<'a> Reader<'a> {
    /// Reads the file's own table, and with it all others.
    pub(super) fn read_root<T>(
        root: &'a DeTable<'a>,
        flaws: &'a mut Flaws,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        Self { table: root, offset: 0, prefix: String::new(), asked_for: BTreeSet::new(), flaws }.read(read)
    }

    fn read<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let result = read(&mut self);
        self.refuse_unknown();
        result
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The line of a key's value, or of the table where it has no such key.
    fn line(&self, key: &str) -> usize {
        self.flaws.line(self.offset_of(key))
    }

    pub(super) fn flaw(&mut self, key: &str, message: &str) {
        self.flaws.add(self.offset_of(key), format!("{}{key}: {message}", self.prefix));
    }

    /// Notes the lack of a key; `example` is a line that would do.
    pub(super) fn require(&mut self, key: &'static str, example: &str) {
        if !self.has(key) {
            self.flaw(key, &format!("missing; add {example}"));
        }
    }

    /// A key's value as `read` understands it. Where it doesn't, the value is not `what`, and `remedy` says
    /// what to write. `None` without a flaw where there is no such key.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        what: &str,
        remedy: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        self.asked_for.insert(key);
        let value = self.table.get(key)?.get_ref();
        let result = read(value);
        if result.is_none() {
            self.flaw(key, &format!("{} is not {what}; write {remedy}", shown(value)));
        }
        result
    }

    /// The key of one of several things of a kind (`what`), which no other of them may have.
    pub(super) fn key<K: TryFrom<String> + Display>(
        &mut self,
        what: &str,
        example: &str,
        given: &mut Lines,
    ) -> Option<K> {
        self.require("key", example);
        let key = self.value("key", "a key", "1 to 64 of a-z, 0-9 and _, the first a letter", |value| {
            K::try_from(value.as_str()?.to_owned()).ok()
        })?;
        if let Some(line) = given.insert(key.to_string(), self.line("key")) {
            let message = format!("\"{key}\" is already the key of the {what} on line {line}; write another");
            self.flaw("key", &message);
        }
        Some(key)
    }

    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        what: &str,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        let remedy = format!("a whole number from {} to {}", number(*range.start()), number(*range.end()));
        self.value(key, what, &remedy, |value| {
            integer(value).filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok())
        })
    }

    /// A line of text, its length counted in characters.
    pub(super) fn text(&mut self, key: &'static str, length: RangeInclusive<usize>) -> Option<String> {
        let remedy = format!("one line of {} to {} characters", length.start(), length.end());
        let text = self.value(key, "text", &format!("{remedy} in quotes"), DeValue::as_str)?;
        let count = text.chars().count();
        let wrong = if *length.start() > 0 && text.trim().is_empty() {
            "says nothing".to_owned()
        } else if count > *length.end() {
            format!("has {count} characters")
        } else if let Some(control) = text.chars().find(|c| c.is_control()) {
            format!("holds the control character {control:?}")
        } else {
            return Some(text.to_owned());
        };
        self.flaw(key, &format!("the text {wrong}; write {remedy}"));
        None
    }

    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
    ) -> Option<T> {
        let remedy = format!("[{key}] on a line of its own and its settings below it");
        let table = self.value(key, "a table", &remedy, DeValue::as_table)?;
        self.inner(table, self.offset_of(key), key).read(read)
    }

    /// The tables of a list: those without flaws. Messages count them from 1.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        count_max: usize,
        mut read: impl FnMut(&mut Reader<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let remedy = format!("[[{key}]] on a line of its own above the settings of each");
        let what = "a list of at least one table";
        let list =
            self.value(key, what, &remedy, |value| value.as_array().filter(|list| !list.is_empty()))?;
        let mut tables = Vec::new();
        for (index, item) in list.iter().enumerate() {
            let (offset, name) = (item.span().start, format!("{key}[{}]", index + 1));
            if index == count_max {
                self.flaws.add(offset, format!("{name}: one too many; keep {count_max} or fewer"));
            }
            match item.get_ref().as_table() {
                Some(table) => tables.extend(self.inner(table, offset, &name).read(&mut read)),
                None => {
                    let value = shown(item.get_ref());
                    self.flaws.add(offset, format!("{name}: {value} is not a table; write {remedy}"));
                }
            }
        }
        Some(tables)
    }

    fn inner<'b>(&'b mut self, table: &'b DeTable<'b>, offset: usize, name: &str) -> Reader<'b> {
        Reader {
            table,
            offset,
            prefix: format!("{}{name}.", self.prefix),
            asked_for: BTreeSet::new(),
            flaws: self.flaws,
        }
    }

    fn offset_of(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.offset, |value| value.span().start)
    }

    fn refuse_unknown(&mut self) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if self.asked_for.contains(name) {
                continue;
            }
            let remedy = match closest(name, &self.asked_for) {
                Some(known) => format!("did you mean {known}?"),
                None => {
                    let known: Vec<_> = self.asked_for.iter().copied().collect();
                    format!("remove it; the keys known here are {}", known.join(", "))
                }
            };
            let name = clipped(name).escape_debug().to_string();
            self.flaws.add(key.span().start, format!("{}{name}: unknown key; {remedy}", self.prefix));
        }
    }
}

pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A value as a message quotes it: on one line, and short.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(integer) => clipped(&integer.to_string()),
        DeValue::Float(float) => clipped(float.as_str()),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::Array(list) if list.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", clipped(text))
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The known key that an unknown one was probably meant to be: one begins like the other, or they are at
/// most two slips apart and more alike than not.
fn closest(name: &str, known: &BTreeSet<&'static str>) -> Option<&'static str> {
    let name = name.to_lowercase();
    let likeness = |known: &&'static str| {
        // Two slips never make up for a greater difference in length; this also spares the count for a
        // key of a thousand letters.
        let slips = if name.len().abs_diff(known.len()) <= 2 { slips(&name, known) } else { usize::MAX };
        let begins_alike = name.len() >= 3 && (known.starts_with(&name) || name.starts_with(known));
        (begins_alike || (slips <= 2 && slips * 2 <= known.len())).then_some((slips, *known))
    };
    known.iter().filter_map(likeness).min().map(|(_, known)| known)
}

/// How many letters must be put in, left out or changed to make one word the other (Levenshtein).
fn slips(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (done, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], done + 1);
        for (index, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[index + 1];
            row[index + 1] = changed.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_guessed_from_a_slip_or_from_its_beginning() {
        let known = BTreeSet::from(["key", "title", "description", "cost", "unit", "units_per_credit"]);
        for (name, meant) in [
            ("cots", Some("cost")),
            ("Cost", Some("cost")),
            ("costs", Some("cost")),
            ("desc", Some("description")),
            ("units", Some("unit")),
            ("unit_per_credits", Some("units_per_credit")),
            ("kee", Some("key")),
            ("ab", None),
            ("price", None),
            ("", None),
        ] {
            assert_eq!(closest(name, &known), meant, "{name}");
        }
        assert_eq!(closest(&"x".repeat(1_000_000), &known), None);
    }

    #[test]
    fn a_long_value_is_quoted_by_its_beginning() {
        assert_eq!(quoted(&"é".repeat(40)), format!("\"{}\"", "é".repeat(40)));
        assert_eq!(quoted(&"é\n".repeat(40)), format!("\"{}…\"", "é\\n".repeat(20)));
    }
}
