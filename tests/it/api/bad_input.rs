//! What makes no sense is refused with the field that it is about, never with a 5xx, and changes nothing: tried on every
//! field of every body that the description names.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use scrip::server::api::openapi;
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    description::calls,
    host::{Answer, Host},
};
use crate::support::App;

/// A body that would be accepted.
fn good(path: &str, account: &str) -> Value {
    let digits = account.strip_prefix("acct_").unwrap();
    let notes = json!({"reference": "job", "metadata": {"a": 1}});
    let mut body = match path {
        "/api/v1/accounts" => json!({"external_id": "new", "name": "Ada", "email": "ada@example.com"}),
        "/api/v1/quotes" => json!({"account": account, "action": "complete", "units": 1}),
        "/api/v1/spends" => {
            json!({"account": account, "action": "complete", "units": 1, "cost": 1, "description": "A poem"})
        }
        "/api/v1/spends/batch" => {
            let mut spend = good("/api/v1/spends", account);
            spend["idempotency_key"] = "k".into();
            return json!({"spends": [spend]});
        }
        "/api/v1/holds" => {
            json!({"account": account, "action": "complete", "units": 1, "cost": 1, "expires_in": 60, "description": "A"})
        }
        "/api/v1/holds/{hold}/capture" => return json!({"amount": 1}),
        "/api/v1/holds/{hold}/release" => return json!({}),
        "/api/v1/refunds" => json!({"spend": format!("entry_{digits}_1"), "amount": 1, "reason": "A"}),
        "/api/v1/accounts/{account}/grants" => json!({
            "amount": 1, "source": "bonus", "priority": 5, "reason": "A",
            "effective_at": "2030-01-01T00:00:00Z", "expires_at": "2031-01-01T00:00:00Z",
        }),
        "/api/v1/lots/{lot}/void" => return json!({"reason": "A"}),
        "/api/v1/accounts/{account}/portal-sessions" => return json!({"return_url": "http://localhost/"}),
        "/api/v1/accounts/{account}/subscription" => {
            let (anchor, paid_until) = ("2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z");
            return json!({"plan": "pro", "anchor": anchor, "paid_until": paid_until, "trial": false});
        }
        "/api/v1/accounts/{account}/checkout-sessions" => {
            let back = "http://localhost/";
            return json!({"pack": "small", "plan": "pro", "success_url": back, "cancel_url": back});
        }
        "/api/v1/test/clock" => return json!({"now": "2030-01-01T00:00:00Z"}),
        path => panic!("what would {path} accept?"),
    };
    if !["/api/v1/accounts", "/api/v1/quotes"].contains(&path) {
        body.as_object_mut().unwrap().extend(notes.as_object().unwrap().clone());
    }
    body
}

/// The properties of a body, and which of them must be there.
fn properties(call: &Value) -> Option<(Map<String, Value>, Vec<String>)> {
    let named = resolved(&call["requestBody"]["content"]["application/json"]["schema"]);
    if named.is_null() {
        return None;
    }
    let required = named["required"].as_array().cloned().unwrap_or_default();
    let required = required.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    Some((named["properties"].as_object().cloned().unwrap_or_default(), required))
}

/// The schema that this one names, if it does.
fn resolved(schema: &Value) -> Value {
    let ways = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let named = [schema].into_iter().chain(&ways).find_map(|way| way["$ref"].as_str());
    let Some(named) = named else { return schema.clone() };
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    document["components"]["schemas"][named.rsplit('/').next().unwrap()].clone()
}

/// What nobody should send in a field, by what belongs there.
fn wrong(name: &str, schema: &Value) -> Vec<Value> {
    let types = resolved(schema)["type"].to_string();
    let mut wrong = vec![json!([]), json!([1])];
    if types.contains("boolean") {
        wrong.extend([json!(1), json!("true"), json!({})]);
    } else {
        wrong.push(json!(true));
    }
    if types.contains("integer") {
        wrong.extend([
            json!("1"),
            json!(1.5),
            json!(i64::MIN),
            json!(9_223_372_036_854_775_808_u64),
            json!({}),
        ]);
        if name != "priority" {
            wrong.extend([json!(0), json!(-1)]);
        }
    } else if types.contains("string") {
        wrong.extend([
            json!(7),
            json!(""),
            json!("\u{0}"),
            json!("a\nb"),
            json!("x".repeat(10_000)),
            json!({}),
        ]);
    } else if types.contains("object") {
        wrong.extend([json!(7), json!("{}"), json!({"a": "x".repeat(9_000)})]);
    }
    wrong
}

/// A call's path with names in it, and whom it is about.
struct Target {
    host: Host,
    account: String,
}

impl Target {
    async fn of(app: &App) -> Self {
        let host = Host::of(app).await;
        let account = host.account("ada", 0).await;
        Self { host, account }
    }

    fn path(&self, path: &str) -> String {
        let digits = self.account.strip_prefix("acct_").unwrap();
        path.strip_prefix("/api/v1")
            .unwrap()
            .replace("{account}", &self.account)
            .replace("{hold}", &format!("hold_{digits}_1"))
            .replace("{lot}", &format!("lot_{digits}_1"))
    }

    async fn send(&self, method: &str, path: &str, body: String) -> Answer {
        Answer::of(self.request(method, path).body(body)).await
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self.host.request(method.parse::<Method>().unwrap(), &self.path(path));
        request.header("content-type", "application/json").header("idempotency-key", "k")
    }
}

#[track_caller]
fn refused(answer: &Answer, field: &str, sent: &str) {
    assert_eq!(answer.problem(), (422, "invalid"), "{field}: {sent:.200}");
    let told = &answer.body["errors"][0];
    let (path, message) = (told["path"].as_str().unwrap(), told["message"].as_str().unwrap());
    let is_named = path.contains(field) || message.contains(field);
    assert!(is_named && !message.is_empty(), "{field}: {told} for {sent:.200}");
}

#[sqlx::test]
async fn every_field_of_every_body_is_checked(pool: PgPool) {
    let app = App::start(pool).await;
    let target = Target::of(&app).await;
    let mut tried = 0;
    for (method, path, call) in calls() {
        let Some((properties, required)) = properties(&call) else { continue };
        let good = good(&path, &target.account);
        let with = |name: &str, value: Option<Value>| {
            let mut body = good.clone();
            match value {
                Some(value) => body[name] = value,
                None => drop(body.as_object_mut().unwrap().remove(name)),
            }
            body.to_string()
        };
        for (name, schema) in &properties {
            // An amount is for those who name no action.
            let is_there = good.get(name).is_some() || name == "amount";
            assert!(is_there, "{path} {name} is tried");
            for value in wrong(name, schema) {
                let body = with(name, Some(value));
                refused(&target.send(&method, &path, body.clone()).await, name, &body);
                tried += 1;
            }
            if required.contains(name) {
                let missing = with(name, None);
                refused(&target.send(&method, &path, missing.clone()).await, name, &missing);
                if path != "/api/v1/test/clock" {
                    let null = with(name, Some(Value::Null));
                    refused(&target.send(&method, &path, null.clone()).await, name, &null);
                }
            }
            // Twice, and as a number that nothing can hold.
            let text = with(name, None);
            let rest = text.trim_start_matches('{');
            let comma = if rest == "}" { "" } else { "," };
            let value = good.get(name).unwrap_or(&json!(1)).to_string();
            let twice = format!("{{\"{name}\":{value},\"{name}\":{value}{comma}{rest}");
            refused(&target.send(&method, &path, twice.clone()).await, name, &twice);
            let huge = format!("{{\"{name}\":1e400{comma}{rest}");
            refused(&target.send(&method, &path, huge.clone()).await, name, &huge);
        }
        // Its fields in their order, as if they had no names.
        let array = Value::Array(good.as_object().unwrap().values().cloned().collect()).to_string();
        assert_eq!(target.send(&method, &path, array).await.problem(), (422, "invalid"), "{path}");
        let unknown = with("nonsense", Some(json!(1)));
        refused(&target.send(&method, &path, unknown.clone()).await, "nonsense", &unknown);
    }
    assert!(tried > 300, "{tried}");
    assert_eq!(target.host.version(&target.account).await, 1, "nothing was done");
    assert_eq!(target.host.get("/accounts/ext_new").await.status, 404, "nobody was made");
}

#[sqlx::test]
async fn a_field_within_a_batch_is_named_with_its_place(pool: PgPool) {
    let app = App::start(pool).await;
    let target = Target::of(&app).await;
    let spend = |amount: i64| json!({"idempotency_key": "k", "account": target.account, "amount": amount});
    let body = json!({"spends": [spend(1), spend(0)]});
    let answer = target.host.post("/spends/batch", body).await;
    assert_eq!(answer.body["errors"][0]["path"], "spends[1].amount");
    for count in [0, 1_001] {
        let spends: Vec<Value> = (0..count).map(|_| spend(1)).collect();
        let answer = target.host.post("/spends/batch", json!({"spends": spends})).await;
        refused(&answer, "spends", "");
    }
    let array = json!(["k", target.account, null, null, 1, null, null, null, null]);
    let answer = target.host.post("/spends/batch", json!({"spends": [array]})).await;
    refused(&answer, "spends[0]", "");
    let mut without = spend(1);
    without.as_object_mut().unwrap().remove("idempotency_key");
    let answer = target.host.post("/spends/batch", json!({"spends": [spend(1), without]})).await;
    refused(&answer, "idempotency_key", "");
    assert_eq!(target.host.version(&target.account).await, 1, "nothing was done");
}

#[sqlx::test]
async fn what_goes_together_and_what_does_not_is_said(pool: PgPool) {
    let app = App::start(pool).await;
    let target = Target::of(&app).await;
    for (order, field) in [
        (json!({}), "action"),
        (json!({"units": 3}), "action"),
        (json!({"action": "render", "amount": 1}), "amount"),
        (json!({"action": "render", "units": 1}), "units"),
        (json!({"action": "complete"}), "units"),
        (json!({"amount": 1, "units": 1}), "units"),
    ] {
        for path in ["/quotes", "/spends", "/holds"] {
            let mut body = order.clone();
            body["account"] = target.account.clone().into();
            let answer = target.host.command(path, "k", body.clone()).await;
            refused(&answer, field, &body.to_string());
        }
    }
    let long = json!({"account": target.account, "amount": 1, "expires_in": 86_401});
    refused(&target.host.command("/holds", "k", long).await, "expires_in", "");
}

#[sqlx::test]
async fn a_body_that_is_no_json_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let target = Target::of(&app).await;
    let deep = format!("{{\"metadata\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let bodies: [&[u8]; 9] =
        [b"", b"{", b"{}x", b"null", b"[]", b"7", b"{\"account\":\"\xff\"}", b"{\"a\n\":1}", deep.as_bytes()];
    for (method, path, call) in calls() {
        if properties(&call).is_none() || call["requestBody"]["required"] != true {
            continue;
        }
        for body in bodies {
            let answer = Answer::of(target.request(&method, &path).body(body.to_vec())).await;
            let told = answer.problem();
            assert!([(400, "malformed"), (422, "invalid")].contains(&told), "{path} {body:?} {told:?}");
        }
        let odd = target.request(&method, &path).header("content-encoding", "gzip").body("{}");
        assert_eq!(Answer::of(odd).await.problem(), (415, "not_json"), "{path}");
        for kind in ["application/json; charset=utf-16", "application/jsonp", ""] {
            let odd = target.host.request(method.parse().unwrap(), &target.path(&path)).body("{}");
            let odd = odd.header("idempotency-key", "k").header("content-type", kind);
            assert_eq!(Answer::of(odd).await.problem(), (415, "not_json"), "{path} {kind}");
        }
        let form =
            target.host.request(method.parse().unwrap(), &target.path(&path)).header("idempotency-key", "k");
        let answer = Answer::of(form.header("content-type", "text/plain").body("{}")).await;
        assert_eq!(answer.problem(), (415, "not_json"), "{path}");
    }
}

#[sqlx::test]
async fn a_body_that_is_too_long_is_not_read(pool: PgPool) {
    let app = App::start(pool).await;
    let target = Target::of(&app).await;
    let spend = json!({"account": target.account, "amount": 1, "description": "x".repeat(70_000)});
    let answer = target.host.command("/spends", "k", spend).await;
    assert_eq!(answer.problem(), (413, "too_large"));
    // It says that 100 MB will come, and is answered before they do.
    let head = |length: &str| {
        let url = app.url.strip_prefix("http://").unwrap();
        let request = target.request("POST", "/api/v1/spends").build().unwrap();
        let key = request.headers()["authorization"].to_str().unwrap().to_owned();
        format!(
            "POST /api/v1/spends HTTP/1.1\r\nHost: {url}\r\nAuthorization: {key}\r\nIdempotency-Key: k\r\n\
             Content-Type: application/json\r\n{length}\r\n\r\n"
        )
    };
    let answered = async |head: String, body: Vec<u8>| {
        let mut stream = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut first = [0; 12];
        let read = stream.read_exact(&mut first);
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("it is answered").unwrap();
        String::from_utf8(first.to_vec()).unwrap()
    };
    assert_eq!(answered(head("Content-Length: 100000000"), Vec::new()).await, "HTTP/1.1 413");
    // In pieces of unknown number.
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let pieces = answered(head("Transfer-Encoding: chunked"), piece.repeat(2).into_bytes());
    assert_eq!(pieces.await, "HTTP/1.1 413");
    // And one that never ends to arrive.
    assert_eq!(answered(head("Transfer-Encoding: chunked"), b"1\r\n{\r\n".to_vec()).await, "HTTP/1.1 408");
    assert_eq!(target.host.version(&target.account).await, 1, "nothing was done");
}

#[sqlx::test]
async fn what_is_not_there_is_told_as_a_problem_as_well(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    for path in ["", "/", "/nonsense", "/accounts/a/b/c", "/holds"] {
        let answer = host.get(path).await;
        assert!([(404, "unknown_call"), (405, "method_not_allowed")].contains(&answer.problem()), "{path}");
    }
    let wrong = host.send(Method::DELETE, "/catalog", None, json!({})).await;
    assert_eq!(wrong.problem(), (405, "method_not_allowed"));
    assert_eq!(wrong.headers["allow"], "GET,HEAD");
}
