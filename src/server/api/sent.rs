//! What a call brings: its body, its query, its idempotency key. Each is refused here, with the field that it is about,
//! before anything is done.

use std::{fmt, marker::PhantomData, time::Duration};

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Value, error::Category, value::RawValue};
use tokio::time::timeout;
use utoipa::IntoParams;

use super::{Fault, fields};
use crate::{
    domain::{
        IdempotencyKey, Kind, Source, moment,
        note::{Metadata, is_line},
    },
    problem::Problem,
    server::AppState,
};

/// The largest single command is one with metadata of 8 kB.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A thousand commands, and most of them have no metadata.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// For how long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A JSON body of at most `BYTES_MAX` bytes.
pub struct Body<T, const BYTES_MAX: usize = BODY_BYTES_MAX>(pub T);

impl<T: DeserializeOwned, const BYTES_MAX: usize> FromRequest<AppState> for Body<T, BYTES_MAX> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, Fault> {
        if !is_json(request.headers()) {
            return Err(Problem::NotJson.into());
        }
        read(&arrived::<BYTES_MAX>(request).await?).map(|Object(body)| Self(body))
    }
}

/// A JSON body, or none at all.
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<AppState> for OptionalBody<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, Fault> {
        let is_json = is_json(request.headers());
        let bytes = arrived::<BODY_BYTES_MAX>(request).await?;
        match bytes.is_empty() {
            true => Ok(Self(T::default())),
            false if is_json => {
                let body = read::<Option<Object<T>>>(&bytes)?;
                Ok(Self(body.map(|Object(body)| body).unwrap_or_default()))
            }
            false => Err(Problem::NotJson.into()),
        }
    }
}

/// All of a body, once it is here.
async fn arrived<const BYTES_MAX: usize>(request: Request) -> Result<Bytes, Fault> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > BYTES_MAX) {
        return Err(Problem::TooLarge.into());
    }
    let read = timeout(BODY_TIMEOUT, to_bytes(request.into_body(), BYTES_MAX));
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Longer than it may be, or broken off; whoever broke it off reads no answer.
        Ok(Err(_)) => Err(Problem::TooLarge.into()),
        Err(_) => Err(Problem::TooSlow.into()),
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut json).map_err(|error| misread(&error))?;
    json.end().map_err(|_| Problem::Malformed)?;
    Ok(body)
}

/// What is read of a JSON object alone. (A struct by itself reads an array as well, its fields in their order.)
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnObject<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for AnObject<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(AnObject(PhantomData))
    }
}

/// The query of a URL.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Fault> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query));
        let read = serde_path_to_error::deserialize(pairs);
        read.map(Self).map_err(|error| {
            let message = error.inner().to_string();
            Fault::field(place(error.path(), &message), message)
        })
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `Idempotency` reads")]
pub struct IdempotencyParam {
    /// Your own name for this request: it is done once under it.
    #[param(rename = "Idempotency-Key", value_type = fields::Key)]
    idempotency_key: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `OptionalIdempotency` reads")]
pub struct OptionalIdempotencyParam {
    /// Your own name for this request: it is done once under it, also where it comes late. What changes nothing leaves
    /// its key unused, and so does a trial.
    #[param(rename = "Idempotency-Key", value_type = fields::Key, required = false)]
    idempotency_key: Option<String>,
}

/// By which a command is done once: the header `Idempotency-Key`.
pub struct Idempotency(pub IdempotencyKey);

/// The same where it may be left out.
pub struct OptionalIdempotency(pub Option<IdempotencyKey>);

impl FromRequestParts<AppState> for Idempotency {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Fault> {
        let OptionalIdempotency(key) = OptionalIdempotency::from_request_parts(parts, state).await?;
        Ok(Self(key.ok_or(Problem::IdempotencyKeyMissing)?))
    }
}

impl FromRequestParts<AppState> for OptionalIdempotency {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Fault> {
        let key = idempotency_key(&parts.headers)?.map(|sent| IdempotencyKey::parse(&sent)).transpose();
        key.map(Self).map_err(|_| Problem::IdempotencyKeyInvalid.into())
    }
}

/// The header `Idempotency-Key`, if it was sent.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(first), second) = (sent.next(), sent.next()) else { return Ok(None) };
    // Of two nobody knows which is meant.
    let key = first.to_str().ok().filter(|_| second.is_none());
    key.map(|key| Some(key.to_owned())).ok_or_else(|| Problem::IdempotencyKeyInvalid.into())
}

/// A kind of entry, by its word.
#[derive(Clone, Copy, Debug)]
pub struct KindName(pub &'static str);

impl<'de> Deserialize<'de> for KindName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

impl TryFrom<String> for KindName {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let known = Kind::NAMES.into_iter().find(|known| *known == word);
        known.map(Self).ok_or_else(|| format!("a kind is one of {}", Kind::NAMES.join(", ")))
    }
}

/// Where a lot's credits come from, by its word.
pub fn source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
    let word = String::deserialize(deserializer)?;
    let wrong = || format!("a source is one of {}", Source::ALL.map(Source::as_str).join(", "));
    Source::named(&word).ok_or_else(|| de::Error::custom(wrong()))
}

/// How many items a list shows.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
pub struct Limit(pub usize);

impl Limit {
    pub const MAX: usize = 100;
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl TryFrom<u64> for Limit {
    type Error = String;

    fn try_from(limit: u64) -> Result<Self, String> {
        let limit = usize::try_from(limit).ok().filter(|limit| (1..=Self::MAX).contains(limit));
        limit.map(Self).ok_or_else(|| format!("a limit is between 1 and {}", Self::MAX))
    }
}

/// A time, as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(pub DateTime<Utc>);

impl TryFrom<String> for Moment {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // What reads it is less strict than the standard in what stands between day and hour.
        let is_one = text.as_bytes().get(10).is_some_and(|between| between.eq_ignore_ascii_case(&b'T'));
        let read = DateTime::parse_from_rfc3339(&text).ok().filter(|_| is_one);
        let moment = read.map(|time| moment::whole(time.to_utc())).filter(|time| moment::is_kept(*time));
        moment.map(Self).ok_or(
            "a time is RFC 3339, such as 2026-11-21T00:00:00Z, in the years 1 to 9999 (in a URL, + is %2B)",
        )
    }
}

/// A length of time, in seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "i64")]
pub struct Seconds(pub TimeDelta);

impl TryFrom<i64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: i64) -> Result<Self, Self::Error> {
        TimeDelta::try_seconds(seconds).map(Self).ok_or("that is too long")
    }
}

/// A line of text of at most `CHARS_MAX` characters, such as a name.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Line<const CHARS_MAX: usize>(pub String);

impl<const CHARS_MAX: usize> TryFrom<String> for Line<CHARS_MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("this is 1 to {CHARS_MAX} characters without control characters");
        if is_line(&text, CHARS_MAX) { Ok(Self(text)) } else { Err(wrong()) }
    }
}

/// Metadata as it was sent, letter by letter. A key that stands twice in an object is refused: one reader would find
/// its first value, and another its last.
pub fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Metadata>, D::Error> {
    let Some(sent) = Option::<Box<RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    let read = serde_json::from_str::<Value>(sent.get()).map_err(de::Error::custom)?;
    if pairs_of(&read) != pairs_in(sent.get()) {
        return Err(de::Error::custom("metadata has a key twice"));
    }
    Metadata::parse(sent.get()).map(Some).map_err(de::Error::custom)
}

/// How many pairs of a key and a value JSON has, each key of an object counted once.
fn pairs_of(json: &Value) -> usize {
    match json {
        Value::Object(pairs) => pairs.len() + pairs.values().map(pairs_of).sum::<usize>(),
        Value::Array(items) => items.iter().map(pairs_of).sum(),
        _ => 0,
    }
}

/// How many pairs stand in a text that is JSON: each has its colon, outside of quotes.
fn pairs_in(json: &str) -> usize {
    let (mut pairs, mut is_quoted, mut is_escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b':' if !is_quoted => pairs += 1,
            _ => {}
        }
    }
    pairs
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|sent| sent.to_str().ok()).unwrap_or_default();
    let (kind, parameter) = sent.split_once(';').unwrap_or((sent, ""));
    let parameter = parameter.trim().to_ascii_lowercase();
    kind.trim().eq_ignore_ascii_case("application/json")
        && ["", "charset=utf-8", "charset=\"utf-8\""].contains(&parameter.as_str())
        && !headers.contains_key(header::CONTENT_ENCODING)
}

/// Not JSON at all, or JSON that says something else than it should.
fn misread(error: &serde_path_to_error::Error<serde_json::Error>) -> Fault {
    let message = error.inner().to_string();
    // The place in the text is that of what was read, which the path says better.
    let message = message.split(" at line ").next().unwrap_or_default();
    match error.inner().classify() {
        Category::Data => Fault::field(place(error.path(), message), message),
        _ if message == "number out of range" => Fault::field(place(error.path(), message), message),
        _ => Problem::Malformed.into(),
    }
}

/// Where the field is that a message is about. One that is missing, or there twice, is not in the path yet.
fn place(path: &serde_path_to_error::Path, message: &str) -> String {
    let path = path.to_string();
    let path = if path == "." { "" } else { &path };
    let named = ["missing field `", "duplicate field `"].iter().find_map(|start| message.strip_prefix(start));
    match named.and_then(|rest| rest.split('`').next()) {
        Some(name) if path.is_empty() => name.to_owned(),
        Some(name) => format!("{path}.{name}"),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sent {
        #[serde(default, deserialize_with = "metadata")]
        metadata: Option<Metadata>,
    }

    fn read(json: &str) -> Result<Option<Metadata>, serde_json::Error> {
        serde_json::from_str::<Sent>(json).map(|sent| sent.metadata)
    }

    #[test]
    fn metadata_is_kept_letter_by_letter() {
        let text = r#"{ "a:b\"": [1.0, {"c":null}], "d":{} }"#;
        let kept = read(&format!(r#"{{"metadata": {text}}}"#)).unwrap().unwrap();
        assert_eq!(kept.as_str(), text);
        assert!(read("{}").unwrap().is_none());
        assert!(read(r#"{"metadata":null}"#).unwrap().is_none());
    }

    #[test]
    fn metadata_in_which_a_key_stands_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"b":[{"a":1,"c":2,"a":3}]}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(read(&format!(r#"{{"metadata":{text}}}"#)).is_err(), "{text}");
        }
        for text in ["[]", "7", "\"a\""] {
            assert!(read(&format!(r#"{{"metadata":{text}}}"#)).is_err(), "{text}");
        }
    }
}
