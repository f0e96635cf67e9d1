//! What a schema says, in plain words: which fields an object has, what each may be, and where else it is told of.

use std::collections::{BTreeMap, BTreeSet};

use leptos::prelude::*;
use utoipa::openapi::{
    KnownFormat, Object, OpenApi, Ref, RefOr, Schema, SchemaFormat,
    schema::{AdditionalProperties, ArrayItems, SchemaType, Type},
};

use crate::text::number;

/// The objects by their names, and everything that has a place on the page which a text may lead to.
pub struct Shapes {
    objects: BTreeMap<String, RefOr<Schema>>,
    codes: BTreeSet<String>,
}

impl Shapes {
    pub fn of(document: &OpenApi, codes: BTreeSet<String>) -> Self {
        let objects = document.components.as_ref().map(|components| components.schemas.clone());
        Self { objects: objects.unwrap_or_default(), codes }
    }

    /// Those that are told of by their names; what is but a value is told of where it stands.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str).filter(|name| self.value(name).is_none())
    }

    /// What a named schema says of a value, if it is not of an object with fields.
    fn value(&self, name: &str) -> Option<&Object> {
        let is_sent_empty = |object: &&Object| is_sent(object) && object.properties.is_empty();
        self.object(name).filter(|object| object.properties.is_empty() && !is_sent_empty(object))
    }

    pub fn object(&self, name: &str) -> Option<&Object> {
        match self.objects.get(name)? {
            RefOr::T(Schema::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// The name of an object that is referred to, or that stands there in full: what is in a page of a list does.
    pub fn name_of<'a>(&'a self, schema: &'a RefOr<Schema>) -> Option<&'a str> {
        match schema {
            RefOr::Ref(Ref { ref_location, .. }) => ref_location.rsplit('/').next(),
            RefOr::T(Schema::Object(object)) if object.properties.is_empty() => None,
            RefOr::T(_) => {
                self.objects.iter().find(|(_, known)| *known == schema).map(|(name, _)| name.as_str())
            }
        }
    }

    /// What a value may be: "whole number, 1 to 100". Names of objects stand in backquotes, for [`Self::prose`].
    pub fn words(&self, schema: &RefOr<Schema>, tells_null: bool) -> String {
        if let Some(name) = self.name_of(schema) {
            return self.value(name).map_or_else(|| format!("`{name}`"), of_value);
        }
        let RefOr::T(schema) = schema else { return "anything".to_owned() };
        let (words, is_nullable) = match schema {
            Schema::Object(object) => (of_value(object), may_be_null(&object.schema_type)),
            Schema::Array(array) => {
                let items = match &array.items {
                    ArrayItems::RefOrSchema(items) => self.words(items, true),
                    ArrayItems::False => "nothing".to_owned(),
                };
                let list = with(format!("list of {items}"), range(array.min_items, array.max_items, ""));
                (list, may_be_null(&array.schema_type))
            }
            Schema::OneOf(one_of) => {
                let is_null = |item: &&RefOr<Schema>| matches!(item, RefOr::T(Schema::Object(object)) if is_null(object));
                let (nulls, others): (Vec<_>, Vec<_>) = one_of.items.iter().partition(is_null);
                let others: Vec<String> = others.into_iter().map(|item| self.words(item, true)).collect();
                (others.join(" or "), !nulls.is_empty())
            }
            _ => ("anything".to_owned(), false),
        };
        if is_nullable && tells_null { format!("{words}, or null") } else { words }
    }

    /// A text of the document, in which words in backquotes are code, and lead to what they name.
    pub fn prose(&self, text: &str) -> impl IntoView + use<> {
        let part = |(place, part): (usize, &str)| {
            let (code, href) = (part.to_owned(), format!("#{part}"));
            if place % 2 == 0 {
                part.replace('\'', "’").into_any()
            } else if self.objects.contains_key(part) && self.value(part).is_none() {
                view! { <a href=href>{title(part)}</a> }.into_any()
            } else if self.codes.contains(part) {
                view! { <a href=href><code>{code}</code></a> }.into_any()
            } else {
                view! { <code>{code}</code> }.into_any()
            }
        };
        text.split('`').enumerate().filter(|(_, part)| !part.is_empty()).map(part).collect_view()
    }

    /// One field, one parameter: its name, whether it must be there, what it may be and what it means.
    pub fn row(
        &self,
        name: &str,
        is_required: bool,
        words: &str,
        description: Option<&str>,
    ) -> impl IntoView + use<> {
        view! {
            <div>
                <dt>
                    <code>{name.to_owned()}</code>
                    {is_required.then(|| view! { " " <span class="must">"required"</span> })}
                </dt>
                <dd>
                    <p class="kind">{self.prose(words)}</p>
                    {description.map(|text| view! { <p>{self.prose(text)}</p> })}
                </dd>
            </div>
        }
    }

    /// The fields of an object. Of what is sent it is said which must be there; of what is answered, which may be null.
    pub fn fields(&self, object: &Object) -> impl IntoView + use<> {
        let is_sent = is_sent(object);
        let rows = object.properties.iter().map(|(name, schema)| {
            let is_required = object.required.contains(name);
            let words = self.words(schema, !is_sent || is_required);
            let (description, example) = self.told(schema);
            let words = with(words, example.map(|example| format!("such as `{example}`")));
            self.row(name, is_sent && is_required, &words, description)
        });
        view! { <dl class="rows">{rows.collect_view()}</dl> }
    }

    /// The description and the example of a field, or else of the value that it is.
    fn told<'a>(&'a self, schema: &'a RefOr<Schema>) -> (Option<&'a str>, Option<String>) {
        match schema {
            RefOr::Ref(reference) => {
                let value = self.name_of(schema).and_then(|name| self.value(name));
                let (of_value, example) = value.map(of_object).unwrap_or_default();
                (Some(reference.description.as_str()).filter(|text| !text.is_empty()).or(of_value), example)
            }
            RefOr::T(Schema::Object(object)) => of_object(object),
            RefOr::T(Schema::Array(array)) => (array.description.as_deref(), None),
            // The description of an object that may be null stands beside the object's name.
            RefOr::T(Schema::OneOf(one_of)) => {
                let told = one_of.items.iter().map(|item| self.told(item)).find(|told| told.0.is_some());
                let (description, example) = told.unwrap_or_default();
                (one_of.description.as_deref().or(description), example)
            }
            RefOr::T(_) => (None, None),
        }
    }
}

/// `Page_Entry`: "Page of Entry".
pub fn title(name: &str) -> String {
    name.replace('_', " of ")
}

/// Only what is read from a caller refuses fields that it does not know.
fn is_sent(object: &Object) -> bool {
    matches!(object.additional_properties.as_deref(), Some(AdditionalProperties::FreeForm(false)))
}

fn is_null(object: &Object) -> bool {
    matches!(object.schema_type, SchemaType::Type(Type::Null))
}

fn may_be_null(kind: &SchemaType) -> bool {
    matches!(kind, SchemaType::Array(kinds) if kinds.contains(&Type::Null))
}

/// The description and the example of an object or a value.
fn of_object(object: &Object) -> (Option<&str>, Option<String>) {
    let plain =
        |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let example = object.example.as_ref().or_else(|| object.examples.first());
    (object.description.as_deref(), example.map(plain))
}

/// A value that is no list and has no name.
fn of_value(object: &Object) -> String {
    if let Some(values) = &object.enum_values {
        let values: Vec<String> =
            values.iter().filter_map(|value| value.as_str()).map(|value| format!("`{value}`")).collect();
        return format!("one of {}", values.join(", "));
    }
    let kinds = match &object.schema_type {
        SchemaType::Type(kind) => std::slice::from_ref(kind),
        SchemaType::Array(kinds) => kinds,
        SchemaType::AnyValue => return "anything".to_owned(),
    };
    let is_time = matches!(object.format, Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let words = match kinds.iter().find(|kind| **kind != Type::Null) {
        Some(Type::String) if is_time => "time".to_owned(),
        Some(Type::String) => {
            let text = with("text".to_owned(), range(object.min_length, object.max_length, " characters"));
            with(text, object.pattern.as_deref().map(of_pattern))
        }
        Some(Type::Integer) => {
            let limit = |number: &Option<utoipa::Number>| match number {
                Some(utoipa::Number::Int(number)) => i64::try_from(*number).ok(),
                Some(utoipa::Number::UInt(number)) => i64::try_from(*number).ok(),
                _ => None,
            };
            with("whole number".to_owned(), range(limit(&object.minimum), limit(&object.maximum), ""))
        }
        Some(Type::Boolean) => "true or false".to_owned(),
        Some(Type::Object) => "JSON object".to_owned(),
        _ => "anything".to_owned(),
    };
    with(words, object.default.as_ref().map(|default| format!("`{default}` without it")))
}

fn with(words: String, limit: Option<String>) -> String {
    limit.map_or(words.clone(), |limit| format!("{words}, {limit}"))
}

fn range<T: TryInto<i64>>(least: Option<T>, most: Option<T>, unit: &str) -> Option<String> {
    let told = |limit: Option<T>| limit.and_then(|limit| limit.try_into().ok()).map(number);
    match (told(least), told(most)) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (Some(least), None) => Some(format!("{least}{unit} or more")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (None, None) => None,
    }
}

/// The patterns of this API in words; one that is not known stands as it is.
fn of_pattern(pattern: &str) -> String {
    match pattern {
        r"^[^\x00-\x1f\x7f-\x9f]*$" => "no control characters".to_owned(),
        r"^[\x21-\x7e]*$" => "visible ASCII".to_owned(),
        "^[a-z][a-z0-9_]{0,63}$" => "of `a-z`, `0-9` and `_`".to_owned(),
        _ if pattern.starts_with("^(acct_") => "`acct_…` or `ext_…`".to_owned(),
        _ => match pattern.strip_prefix('^').and_then(|rest| rest.split_once("_[")) {
            Some((prefix, _)) => format!("`{prefix}_…`"),
            None => format!("matching `{pattern}`"),
        },
    }
}
