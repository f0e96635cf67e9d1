//! What calls may be sent: names, types and bounds, and what is wrong with a request that is sent anything else. A call
//! sees only what has passed here, as JSON of the right types.

use serde_json::{Map, Value};

use super::refused::Refused;
use crate::{domain::catalog::Currency, server::config::origin_of};

const METADATA_KEYS_MAX: usize = 50;
const METADATA_KEY_CHARS_MAX: usize = 40;
const METADATA_VALUE_CHARS_MAX: usize = 500;
const URL_BYTES_MAX: usize = 5_000;
/// Of one request. Stripe's own limits are about as wide.
const PARAMETERS_MAX: usize = 500;
const DEPTH_MAX: usize = 8;

/// What a parameter may be.
pub enum Shape {
    /// At most so many characters.
    Text(usize),
    /// Between these, both included.
    Integer(i64, i64),
    Flag,
    OneOf(&'static [&'static str]),
    Currency,
    Url,
    Metadata,
    Fields(&'static [Field]),
    /// At most so many of them.
    List(&'static Shape, usize),
    /// A time, or bounds of one.
    Times,
}

pub struct Field {
    name: &'static str,
    shape: Shape,
    is_required: bool,
}

pub const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, is_required: true }
}

pub const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, is_required: false }
}

/// A moment, in Unix seconds.
pub const SECONDS: Shape = Shape::Integer(0, 253_402_300_799);
const BOUNDS: &[Field] = &[may("gt", SECONDS), may("gte", SECONDS), may("lt", SECONDS), may("lte", SECONDS)];
const OBJECTS_IN_LIST_MAX: i64 = 100;

/// What every list may be asked.
pub const LIMIT: Field = may("limit", Shape::Integer(1, OBJECTS_IN_LIST_MAX));
pub const STARTING_AFTER: Field = may("starting_after", Shape::Text(255));
pub const CREATED: Field = may("created", Shape::Times);

/// Reads the parameters of a form. Names are nested: `line_items[0][price_data][currency]`.
pub fn read(form: &[(String, String)], fields: &[Field]) -> Result<Value, Refused> {
    if form.len() > PARAMETERS_MAX {
        return Err(Refused::parameter(None, "", format!("More than {PARAMETERS_MAX} parameters.")));
    }
    let mut tree = Map::new();
    for (name, value) in form {
        let path = path_of(name).ok_or_else(|| unknown(name))?;
        place(&mut tree, &path, value).ok_or_else(|| {
            Refused::parameter(None, name, format!("Invalid parameter, given twice or in two forms: {name}"))
        })?;
    }
    check_fields(fields, &tree, "")
}

/// `a[b][0]` as `a`, `b`, `0`.
fn path_of(name: &str) -> Option<Vec<&str>> {
    let (first, rest) = match name.split_once('[') {
        Some((first, rest)) => (first, Some(rest.strip_suffix(']')?)),
        None => (name, None),
    };
    let path: Vec<&str> =
        [first].into_iter().chain(rest.into_iter().flat_map(|rest| rest.split("]["))).collect();
    let is_name =
        !first.is_empty() && path.len() <= DEPTH_MAX && !path.iter().any(|part| part.contains(['[', ']']));
    is_name.then_some(path)
}

/// Puts a value where its name says; `None` where something else is there.
fn place(tree: &mut Map<String, Value>, path: &[&str], value: &str) -> Option<()> {
    let (first, rest) = path.split_first()?;
    // `a[]` is the next of a list.
    let name = if first.is_empty() { tree.len().to_string() } else { (*first).to_owned() };
    if rest.is_empty() {
        return tree.insert(name, Value::from(value)).is_none().then_some(());
    }
    let below = tree.entry(name).or_insert_with(|| Value::Object(Map::new()));
    place(below.as_object_mut()?, rest, value)
}

fn check_fields(fields: &[Field], tree: &Map<String, Value>, at: &str) -> Result<Value, Refused> {
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}[{name}]") };
    if let Some(name) = tree.keys().find(|name| fields.iter().all(|field| field.name != **name)) {
        return Err(unknown(&below(name)));
    }
    let mut read = Map::new();
    for field in fields {
        match tree.get(field.name) {
            Some(value) => {
                read.insert(field.name.to_owned(), check(&field.shape, value, &below(field.name))?);
            }
            None if field.is_required => return Err(missing(&below(field.name))),
            None => {}
        }
    }
    Ok(Value::Object(read))
}

fn check(shape: &Shape, value: &Value, at: &str) -> Result<Value, Refused> {
    let refuse = |code, message: String| Refused::parameter(code, at, message);
    match shape {
        Shape::Fields(fields) => check_fields(fields, object(value, at)?, at),
        Shape::List(shape, most) => check_list(shape, *most, object(value, at)?, at),
        Shape::Metadata => check_metadata(object(value, at)?, at),
        Shape::Times if value.is_object() => check_fields(BOUNDS, object(value, at)?, at),
        Shape::Times => check(&SECONDS, value, at),
        Shape::Integer(least, most) => {
            let text = text(value, at)?;
            let number: i64 = text
                .parse()
                .map_err(|_| refuse(Some("parameter_invalid_integer"), format!("Invalid integer: {text}")))?;
            if number < *least || number > *most {
                let message = format!("This value must be between {least} and {most}, and is {number}.");
                return Err(refuse(Some("parameter_invalid_integer"), message));
            }
            Ok(Value::from(number))
        }
        Shape::Flag => match text(value, at)? {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            other => Err(refuse(None, format!("Invalid boolean: {other}"))),
        },
        Shape::OneOf(known) => {
            let text = text(value, at)?;
            if known.contains(&text) {
                return Ok(Value::from(text));
            }
            Err(refuse(None, format!("Invalid {at}: must be one of {}", known.join(", "))))
        }
        Shape::Currency => {
            let text = text(value, at)?;
            if Currency::named(text).is_some() {
                return Ok(Value::from(text));
            }
            Err(refuse(None, format!("Invalid currency: {text}.")))
        }
        Shape::Url => {
            let text = text(value, at)?;
            // Braces are for the session's id, which takes their place.
            let url = text.replace(['{', '}'], "");
            if text.len() <= URL_BYTES_MAX && origin_of(&url).is_some() {
                return Ok(Value::from(text));
            }
            Err(refuse(Some("url_invalid"), "Not a valid URL".to_owned()))
        }
        Shape::Text(most) => {
            let text = text(value, at)?;
            if text.chars().count() <= *most {
                return Ok(Value::from(text));
            }
            let message = format!("Invalid string: {at} must be at most {most} characters");
            Err(refuse(Some("parameter_invalid_string"), message))
        }
    }
}

fn check_list(shape: &Shape, most: usize, tree: &Map<String, Value>, at: &str) -> Result<Value, Refused> {
    let mut items = Vec::new();
    for (name, value) in tree {
        let place: usize = name.parse().map_err(|_| {
            Refused::parameter(None, at, format!("Invalid array: {at} has a part named {name}"))
        })?;
        items.push((place, check(shape, value, &format!("{at}[{name}]"))?));
    }
    if items.len() > most {
        return Err(Refused::parameter(None, at, format!("Invalid array: {at} has more than {most} parts")));
    }
    items.sort_by_key(|(place, _)| *place);
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

fn check_metadata(tree: &Map<String, Value>, at: &str) -> Result<Value, Refused> {
    let refuse = |message: String| Refused::parameter(None, at, message);
    if tree.len() > METADATA_KEYS_MAX {
        return Err(refuse(format!("Metadata can have up to {METADATA_KEYS_MAX} keys.")));
    }
    for (key, value) in tree {
        let value =
            value.as_str().ok_or_else(|| refuse(format!("Metadata can't be nested, as {key} is.")))?;
        if key.chars().count() > METADATA_KEY_CHARS_MAX || value.chars().count() > METADATA_VALUE_CHARS_MAX {
            return Err(refuse(format!(
                "Metadata keys have up to {METADATA_KEY_CHARS_MAX} characters, values up to {METADATA_VALUE_CHARS_MAX}."
            )));
        }
    }
    Ok(Value::Object(tree.clone()))
}

fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, Refused> {
    value.as_object().ok_or_else(|| Refused::parameter(None, at, format!("Invalid object: {value}")))
}

fn text<'a>(value: &'a Value, at: &str) -> Result<&'a str, Refused> {
    match value.as_str() {
        Some("") => {
            let message = format!(
                "You passed an empty string for '{at}'. We assume empty values are an attempt to unset a parameter; \
                 however '{at}' cannot be unset."
            );
            Err(Refused::parameter(Some("parameter_invalid_empty"), at, message))
        }
        Some(text) => Ok(text),
        None => Err(Refused::parameter(None, at, format!("Invalid string: {value}"))),
    }
}

fn unknown(name: &str) -> Refused {
    Refused::parameter(Some("parameter_unknown"), name, format!("Received unknown parameter: {name}"))
}

pub fn missing(name: &str) -> Refused {
    Refused::parameter(Some("parameter_missing"), name, format!("Missing required param: {name}."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ITEM: Shape = Shape::Fields(&[must("price", Shape::Integer(0, 100)), may("is_new", Shape::Flag)]);
    const FIELDS: &[Field] = &[
        must("mode", Shape::OneOf(&["payment"])),
        may("items", Shape::List(&ITEM, 2)),
        may("metadata", Shape::Metadata),
        CREATED,
    ];

    fn given(form: &[(&str, &str)]) -> Result<Value, (Option<String>, Option<String>)> {
        let form: Vec<(String, String)> =
            form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let told = |error: &Value, name: &str| error[name].as_str().map(ToOwned::to_owned);
        read(&form, FIELDS)
            .map_err(|refused| (told(&refused.body["error"], "code"), told(&refused.body["error"], "param")))
    }

    fn refused(form: &[(&str, &str)]) -> (String, String) {
        let (code, param) = given(form).unwrap_err();
        (code.unwrap_or_default(), param.unwrap_or_default())
    }

    #[test]
    fn nested_names_become_values_of_their_types() {
        let form = [
            ("items[1][price]", "7"),
            ("items[0][price]", "3"),
            ("items[0][is_new]", "true"),
            ("mode", "payment"),
            ("metadata[who]", "Ada"),
            ("created[gte]", "5"),
        ];
        let read = json!({
            "mode": "payment",
            "items": [{"price": 3, "is_new": true}, {"price": 7}],
            "metadata": {"who": "Ada"},
            "created": {"gte": 5},
        });
        assert_eq!(given(&form), Ok(read));
        assert_eq!(given(&[("mode", "payment"), ("items[][price]", "1")]).unwrap()["items"][0]["price"], 1);
        assert_eq!(given(&[("mode", "payment"), ("created", "5")]).unwrap()["created"], 5);
    }

    #[test]
    fn what_is_not_as_the_table_says_is_refused_by_name() {
        let mode = ("mode", "payment");
        for (form, code, param) in [
            (&[] as &[(&str, &str)], "parameter_missing", "mode"),
            (&[mode, ("items[0][is_new]", "true")], "parameter_missing", "items[0][price]"),
            (&[mode, ("colour", "red")], "parameter_unknown", "colour"),
            (
                &[mode, ("items[0][price]", "1"), ("items[0][colour]", "red")],
                "parameter_unknown",
                "items[0][colour]",
            ),
            (&[mode, ("items[0][price]", "1.5")], "parameter_invalid_integer", "items[0][price]"),
            (&[mode, ("items[0][price]", "101")], "parameter_invalid_integer", "items[0][price]"),
            (&[mode, ("items[0][price]", "")], "parameter_invalid_empty", "items[0][price]"),
            (&[mode, ("items[0][price]", "1"), ("items[0][is_new]", "yes")], "", "items[0][is_new]"),
            (&[mode, ("items[first][price]", "1")], "", "items"),
            (&[mode, ("items", "1")], "", "items"),
            (&[mode, mode], "", "mode"),
            (&[("mode", "setup")], "", "mode"),
            (&[mode, ("metadata[a][b]", "c")], "", "metadata"),
            (&[mode, ("created[since]", "1")], "parameter_unknown", "created[since]"),
            (&[mode, ("a[b", "1")], "parameter_unknown", "a[b"),
        ] {
            assert_eq!(refused(form), (code.to_owned(), param.to_owned()), "{form:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_makes_it_panic(form in proptest::collection::vec((r"[a-z\[\]0-9]{0,12}", ".{0,8}"), 0..8)) {
            let _ = read(&form, FIELDS);
        }
    }
}
