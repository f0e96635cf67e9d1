//! The problems that calls answer with, all of them: they are asked of the type itself, so that none can be forgotten.

use std::{collections::BTreeMap, fmt};

use axum::http::StatusCode;
use leptos::prelude::*;
use serde::{
    Deserialize,
    de::{self, value::MapDeserializer},
};
use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use uuid::Uuid;

use super::shapes::Shapes;
use crate::{domain::HOLDS_MAX, problem::Problem};

/// The codes that could have been read, as the one who reads a code that is none is told them.
#[derive(Debug)]
struct Known(&'static [&'static str]);

impl fmt::Display for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Known {}

impl de::Error for Known {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

/// Every code that there is.
fn codes() -> &'static [&'static str] {
    let none = [("code", "")].into_iter();
    let read = Problem::deserialize(MapDeserializer::<_, Known>::new(none));
    read.map_or_else(|known| known.0, |_| &[])
}

/// A problem with this code, with numbers as they may be.
fn example(code: &str, too_many_requests: bool) -> Option<Problem> {
    let values: Value = json!({
        "code": code,
        "needed": 12, "available": 5, "min_balance": 0, "shortfall": 7, "too_many_requests": too_many_requests,
        "retry_after_secs": 30, "cost": 15, "most": HOLDS_MAX, "most_pending": 20, "refundable": 3, "granted": 100, "total": 40,
        "reference": Uuid::nil(),
    });
    serde_json::from_value(values).ok()
}

/// What calls answer with, by code.
pub fn told() -> impl Iterator<Item = (&'static str, Problem)> {
    codes()
        .iter()
        .filter_map(|code| Some((*code, example(code, false)?)))
        .filter(|(_, problem)| problem.is_told_by_calls())
}

/// By status, each with its words and with what is beside them.
pub fn view(shapes: &Shapes) -> impl IntoView + use<> {
    let mut groups: BTreeMap<u16, Vec<(&str, Problem)>> = BTreeMap::new();
    for (code, problem) in told() {
        groups.entry(problem.status()).or_default().push((code, problem));
    }
    let group = |(status, problems): (u16, Vec<(&str, Problem)>)| {
        let name = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let rows = problems.into_iter().map(|(code, problem)| row(code, &problem, shapes));
        view! {
            <div class="call">
                <h3>{status} " " {name}</h3>
                <dl class="rows">{rows.collect_view()}</dl>
            </div>
        }
    };
    groups.into_iter().map(group).collect_view()
}

fn row(code: &str, problem: &Problem, shapes: &Shapes) -> impl IntoView + use<> {
    let other =
        example(code, true).map(|problem| problem.status()).filter(|other| *other != problem.status());
    let fields: Vec<_> = fields(code, problem, shapes)
        .into_iter()
        .map(|(name, meaning)| view! { <li><code>{name}</code> " " {shapes.prose(&meaning)}</li> })
        .collect();
    let code = code.to_owned();
    view! {
        <div id=code.clone()>
            <dt>
                <a class="anchor" href=format!("#{code}")>
                    <code>{code.clone()}</code>
                </a>
            </dt>
            <dd>
                <p>{problem.to_string()}</p>
                {other.map(|other| view! { <p class="kind">{format!("Status {other} where the catalog says so.")}</p> })}
                {(!fields.is_empty()).then(|| view! { <ul class="beside">{fields}</ul> })}
            </dd>
        </div>
    }
}

/// What is beside the words: the document says with which codes a field comes.
fn fields(code: &str, problem: &Problem, shapes: &Shapes) -> Vec<(String, String)> {
    let Some(object) = shapes.object("Problem") else { return Vec::new() };
    let of_code = format!("`{code}`: ");
    let found = object.properties.iter().filter_map(|(name, schema)| {
        let description = match schema {
            RefOr::T(Schema::Object(object)) => object.description.as_deref()?,
            RefOr::T(Schema::Array(array)) => array.description.as_deref()?,
            _ => return None,
        };
        let is_pause = name == "retry_after_secs" && problem.retry_after_secs().is_some();
        let meaning = description.strip_prefix(&of_code).or(is_pause.then_some(description))?;
        // It goes on after the field's name.
        let mut meaning = meaning.to_owned();
        if let Some(first) = meaning.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        Some((name.clone(), meaning))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::api::openapi;

    #[test]
    fn every_code_has_an_example() {
        assert!(codes().len() > 40, "the codes are known");
        for code in codes() {
            assert_eq!(example(code, false).expect(code).code(), *code);
        }
    }

    #[test]
    fn whatever_a_problem_holds_is_told_with_it() {
        let shapes = Shapes::of(&openapi::document(), told().map(|(code, _)| code.to_owned()).collect());
        for (code, problem) in told() {
            let told: Vec<String> =
                fields(code, &problem, &shapes).into_iter().map(|(name, _)| name).collect();
            let holds = serde_json::to_value(&problem).unwrap();
            for name in holds.as_object().unwrap().keys() {
                let is_told = told.contains(name) || ["code", "too_many_requests"].contains(&name.as_str());
                assert!(is_told, "{code} does not tell {name}");
            }
        }
    }
}
