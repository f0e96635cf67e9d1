//! The house rules, as tests: what holds the rooms apart is checked like everything else.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    iter::Peekable,
    path::{Path, PathBuf},
};

/// A file may be longer for its tests; what stands before them may not.
const FILE_LINES_MAX: usize = 300;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { collect(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    found.sort();
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    found
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .map(|path| (relative(path), fs::read_to_string(path).unwrap()))
        .collect()
}

/// The Rust files of the program, without their tests and comments.
fn rooms() -> Vec<(String, String)> {
    let code = |text: &str| {
        let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    files_below("src", ".rs").iter().map(|(path, text)| (path.clone(), code(text))).collect()
}

/// A path as it stands in the code, and the name that a `use` gives it there.
type Named<'a> = (Vec<&'a str>, Option<&'a str>);

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphanumeric() || first == '_')
}

/// Words, `::`, and every other sign by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_') {
            Some(0) if rest.starts_with("::") => 2,
            Some(0) => first.len_utf8(),
            end => end.unwrap_or(rest.len()),
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

/// Reads one path, or one tree of a `use` with all its paths.
fn flatten<'a>(
    tokens: &mut Peekable<impl Iterator<Item = &'a str>>,
    mut path: Vec<&'a str>,
    imported: bool,
    found: &mut Vec<Named<'a>>,
) {
    while let Some(token) = tokens.next_if(|token| is_word(token) || ["*", "{"].contains(token)) {
        if token == "{" {
            while let Some(next) = tokens.peek().copied().filter(|next| *next != "}") {
                if is_word(next) || next == "*" {
                    flatten(tokens, path.clone(), imported, found);
                } else {
                    tokens.next();
                }
            }
            tokens.next();
            return;
        }
        if token != "self" || path.is_empty() {
            path.push(token);
        }
        if tokens.next_if_eq(&"::").is_none() {
            break;
        }
    }
    let alias = if imported { tokens.next_if_eq(&"as").and_then(|_| tokens.next()) } else { None };
    let name = alias.or(path.last().copied()).filter(|_| imported);
    found.push((path, name));
}

/// Every path into the crate that the file at `place` names, from `crate` on, however it is written.
fn paths_named(place: &str, code: &str) -> BTreeSet<String> {
    let module = place.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let module: Vec<&str> = module.split('/').collect();
    let (mut found, mut imported) = (Vec::new(), false);
    let mut tokens = tokens(code).into_iter().peekable();
    while let Some(token) = tokens.peek().copied() {
        match token {
            "use" => imported = true,
            ";" => imported = false,
            word if is_word(word) => {
                flatten(&mut tokens, Vec::new(), imported, &mut found);
                continue;
            }
            _ => {}
        }
        tokens.next();
    }
    let mut names: HashMap<&str, Vec<&str>> = HashMap::new();
    let resolve = |path: &[&str], names: &HashMap<&str, Vec<&str>>| -> Option<Vec<String>> {
        let (start, rest) = match path[0] {
            "crate" => (Vec::new(), &path[1..]),
            "self" | "super" => (module.clone(), path),
            name => (names.get(name)?.clone(), &path[1..]),
        };
        let mut full: Vec<String> = start.into_iter().map(ToOwned::to_owned).collect();
        for part in rest {
            match *part {
                "self" => {}
                "super" => drop(full.pop()),
                part => full.push(part.to_owned()),
            }
        }
        Some(full)
    };
    // What a `use` brings in stands for its full path in the rest of the file.
    let brought_in: Vec<(&str, Vec<String>)> =
        found.iter().filter_map(|(path, name)| Some(((*name)?, resolve(path, &HashMap::new())?))).collect();
    for (name, full) in &brought_in {
        names.insert(name, full.iter().map(String::as_str).collect());
    }
    let full = found.iter().filter_map(|(path, _)| resolve(path, &names));
    full.map(|full| format!("crate::{}", full.join("::"))).collect()
}

/// A glob reaches everything that is below it.
fn reaches(path: &str, room: &str) -> bool {
    let below = |path: &str, room: &str| path == room || path.starts_with(&format!("{room}::"));
    below(path, room) || path.strip_suffix("::*").is_some_and(|above| below(room, above))
}

/// Fails for every file of `room` that names one of `words`: a path into the crate (`crate::…`) however
/// it is written there, anything else as it stands.
fn forbid(room: &str, except: &[&str], words: &[&str]) {
    let mut broken = Vec::new();
    let mut seen = 0;
    for (path, code) in rooms() {
        if !path.starts_with(room) || except.iter().any(|except| path.starts_with(except)) {
            continue;
        }
        seen += 1;
        let paths = paths_named(&path, &code);
        let named = words.iter().filter(|word| match word.starts_with("crate::") {
            true => paths.iter().any(|path| reaches(path, word)),
            false => code.contains(*word),
        });
        broken.extend(named.map(|word| format!("{path} names `{word}`")));
    }
    assert!(seen > 0, "{room} is a room");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_path_is_found_however_it_is_written() {
    let breaches = [
        "use crate::{\n    domain::Level,\n    server::{auth::Auth, caller},\n};",
        "use super::super::super::server::caller;",
        "use super::super::{super::server as below, fns};",
        "use crate::*;",
        "fn f() { crate::server::caller::answer() }",
        "fn f() -> super::super::super::server::Error {}",
        "use crate as all;\nfn f() { all::server::caller::answer() }",
    ];
    let allowed = [
        "use crate::{domain::Level, views::{LotView, server}};",
        "use super::{super::fns, server};",
        "pub(crate) fn f(server: u8) { axum::server::serve(server) }",
        "use leptos::{prelude::*, server};",
        "use crate::server_side::Thing;",
    ];
    let breaks = |code: &&str| {
        paths_named("src/web/pages/home.rs", code).iter().any(|path| reaches(path, "crate::server"))
    };
    assert_eq!(breaches.iter().filter(|code| !breaks(code)).collect::<Vec<_>>(), [&""; 0]);
    assert_eq!(allowed.iter().filter(|code| breaks(code)).collect::<Vec<_>>(), [&""; 0]);
}

#[test]
fn the_domain_is_pure() {
    let outside =
        ["crate::server", "crate::web", "crate::views", "crate::problem", "crate::text", "crate::router"];
    forbid("src/domain", &[], &outside);
    forbid(
        "src/domain",
        &[],
        &["sqlx", "tokio", "axum", "leptos", "std::fs", "std::env", "std::net", "std::thread"],
    );
    forbid("src/domain", &[], &["async fn", "Utc::now", "Instant", "SystemTime", "rand::", "println!"]);
}

#[test]
fn there_are_no_floats_where_credits_are_counted() {
    forbid("src/domain", &[], &["f32", "f64"]);
    forbid("src/server", &[], &["f32", "f64"]);
    forbid("src/views", &[], &["f32", "f64"]);
}

#[test]
fn sql_is_written_in_the_store_alone() {
    let sql = ["sqlx::query", "query!(", "query_as!(", "query_scalar!(", "raw_sql", "QueryBuilder"];
    forbid("src/", &["src/server/store/"], &sql);
}

#[test]
fn the_store_knows_the_domain_and_nothing_above_it() {
    let above = [
        "crate::web",
        "crate::views",
        "crate::problem",
        "crate::router",
        "crate::server::ledger",
        "crate::server::auth",
    ];
    forbid("src/server/store", &[], &above);
    forbid("src/server/store", &[], &["axum", "leptos", "tower_sessions"]);
}

#[test]
fn stripe_is_known_in_one_room_alone() {
    let crates =
        ["stripe::Client", "stripe_billing", "stripe_checkout", "stripe_core", "stripe_types", "miniserde"];
    forbid("src/", &["src/server/stripe/"], &crates);
    // And what is said to be from it is believed only after a look at the signature.
    forbid("src/server/stripe", &["src/server/stripe/sandbox"], &["crate::server::store", "sqlx"]);
}

#[test]
fn the_server_does_not_know_its_pages() {
    forbid("src/server", &[], &["crate::web", "crate::router"]);
}

#[test]
fn the_pages_reach_the_server_through_server_functions_alone() {
    forbid("src/web", &["src/web/fns"], &["crate::server", "sqlx", "axum", "tokio", "cfg(feature"]);
    forbid("src/views", &[], &["crate::server", "crate::web", "leptos"]);
    forbid("src/problem.rs", &[], &["crate::server", "crate::web", "leptos"]);
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    let files = ["src", "tests"].into_iter().flat_map(|folder| files_below(folder, ".rs"));
    let silent: Vec<String> =
        files.filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "{silent:?}");
    let mute: Vec<String> = files_below("migrations", ".sql")
        .into_iter()
        .filter(|(_, text)| !text.starts_with("-- "))
        .map(|(path, _)| path)
        .collect();
    assert!(mute.is_empty(), "{mute:?}");
}

#[test]
fn no_file_is_too_long_to_read_at_once() {
    let lines = |code: &str| code.lines().filter(|line| !line.trim().is_empty()).count();
    let long: Vec<(String, usize)> = rooms()
        .into_iter()
        .map(|(path, code)| (path, lines(&code)))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn no_room_is_a_drawer() {
    let drawers = ["util", "utils", "helper", "helpers", "manager", "service", "services", "common", "misc"];
    let names = files_below("src", ".rs")
        .into_iter()
        .flat_map(|(path, _)| path.split(['/', '.']).map(ToOwned::to_owned).collect::<Vec<_>>());
    let found: BTreeSet<String> = names.filter(|name| drawers.contains(&name.as_str())).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn cargo_leptos_and_the_server_read_the_same_settings() {
    let read = |file: &str| {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let table: toml::Table = text.parse().unwrap();
        table["package"]["metadata"]["leptos"].clone()
    };
    assert_eq!(read("Leptos.toml"), read("Cargo.toml"));
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let files = files_below("migrations", ".sql");
    for (place, (path, _)) in files.iter().enumerate() {
        let number = format!("migrations/{:04}_", place + 1);
        assert!(path.starts_with(&number), "{path} should start with {number}");
    }
}

/// Paths in backquotes, such as `src/domain/mod.rs` or `scripts/setup`.
fn paths_in(document: &str) -> BTreeSet<String> {
    const TOPS: [&str; 10] = [
        "src/",
        "tests/",
        "scripts/",
        "migrations/",
        "catalogs/",
        "style/",
        "public/",
        "end2end/",
        "benches/",
        "docs/",
    ];
    let quoted = document.split('`').skip(1).step_by(2);
    quoted
        .filter(|text| {
            TOPS.iter().any(|top| text.starts_with(top)) && !text.contains(['*', ' ', '<', '…', '{'])
        })
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn the_documents_describe_the_tree_that_is_there() {
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
    for document in documents {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for path in paths_in(&text) {
            assert!(root().join(&path).exists(), "{document} names {path}, which does not exist");
        }
    }
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let described = paths_in(&architecture);
    let rooms: BTreeSet<String> = files_below("src", ".rs")
        .iter()
        .filter_map(|(path, _)| Path::new(path).parent().map(|room| format!("{}/", room.to_string_lossy())))
        .collect();
    let forgotten: Vec<&String> = rooms.iter().filter(|room| !described.contains(*room)).collect();
    assert!(forgotten.is_empty(), "ARCHITECTURE.md does not describe {forgotten:?}");
}
