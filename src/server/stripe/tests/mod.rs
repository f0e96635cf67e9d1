//! What Stripe is asked, word for word, and what is made of its answers: against a small server that keeps what it is
//! sent and answers what it was told to.

mod refused;
mod subscriptions;

use std::{
    collections::{BTreeMap, VecDeque},
    slice::from_ref,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::*;
use crate::domain::catalog::{Currency, Interval, Price};

/// What the server was sent.
#[derive(Clone, Debug)]
struct Asked {
    call: String,
    /// Of the query or the form.
    parameters: BTreeMap<String, String>,
    authorization: String,
    key: Option<String>,
}

#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
}

/// As a status: the answer never comes.
const NEVER: u16 = 0;

async fn answer(
    State(fake): State<Fake>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let pairs = |form: &[u8]| form_urlencoded::parse(form).into_owned().collect::<Vec<_>>();
    let sent = [pairs(uri.query().unwrap_or_default().as_bytes()), pairs(&body)].concat();
    fake.asked.lock().unwrap().push(Asked {
        call: format!("{method} {}", uri.path()),
        parameters: sent.into_iter().collect(),
        authorization: text("authorization").unwrap_or_default(),
        key: text("idempotency-key"),
    });
    let (status, body) = fake.answers.lock().unwrap().pop_front().expect("no more was to be asked");
    if status == NEVER {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).unwrap(), body)
}

impl Fake {
    /// A server with these answers, and a client that asks it.
    async fn with(answers: impl IntoIterator<Item = (u16, String)>) -> (Self, Stripe) {
        let fake = Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (fake, client(&format!("http://{address}/below")))
    }

    async fn answering(answers: impl IntoIterator<Item = Value>) -> (Self, Stripe) {
        Self::with(answers.into_iter().map(|answer| (200, answer.to_string()))).await
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The only request, which was this call.
    fn only(&self, call: &str) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(asked[0].call, call);
        asked[0].clone()
    }
}

fn client(base: &str) -> Stripe {
    let settings = Settings::read("sk_test_1", "whsec_1", base).unwrap();
    Stripe::with_timeout(&settings, "127.0.0.1:1".parse().unwrap(), Duration::from_millis(500))
}

fn parameters(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An object as Stripe documents it.
fn documented(kind: &str) -> Value {
    let root = env!("CARGO_MANIFEST_DIR");
    let text = std::fs::read_to_string(format!("{root}/tests/stripe/2026-05-27.dahlia/{kind}.json"));
    serde_json::from_str::<Value>(&text.unwrap()).unwrap()["data"]["object"].take()
}

fn list(items: &[Value], has_more: bool) -> Value {
    json!({"object": "list", "data": items, "has_more": has_more, "url": "/v1/things"})
}

const ACCOUNT: &str = "acct_018f6f2e0c7a7d3e9b1a2c3d4e5f6071";
const PURCHASE: &str = "018f6f2e-0c7a-7d3e-9b1a-2c3d4e5f6072";

fn account() -> AccountId {
    ACCOUNT.parse().unwrap()
}

fn purchase() -> Uuid {
    PURCHASE.parse().unwrap()
}

fn pro() -> PlanKey {
    "pro".to_owned().try_into().unwrap()
}

fn usd(minor: i64) -> Price {
    Price::new(minor, Currency::named("usd").unwrap()).unwrap()
}

fn checkout_of(item: Item<'_>, save_card: bool) -> NewCheckout<'_> {
    NewCheckout {
        purchase: purchase(),
        account: account(),
        customer: "cus_1",
        item,
        success_url: "https://example.com/done?session={CHECKOUT_SESSION_ID}",
        cancel_url: "https://example.com/back",
        save_card,
    }
}

fn opened() -> Value {
    json!({"id": "cs_test_1", "object": "checkout.session", "url": "https://checkout.stripe.com/c/1"})
}

#[tokio::test]
async fn a_pack_is_paid_once_on_a_page_of_stripes() {
    let (fake, stripe) = Fake::answering([opened()]).await;
    let pack = Item::Pack { title: "50 credits", description: "They last", price: usd(1_200) };
    let started = stripe.start_checkout(checkout_of(pack, true)).await.unwrap();
    assert_eq!(started, ("cs_test_1".to_owned(), "https://checkout.stripe.com/c/1".to_owned()));
    let asked = fake.only("POST /below/v1/checkout/sessions");
    let expected = parameters(&[
        ("mode", "payment"),
        ("customer", "cus_1"),
        ("client_reference_id", PURCHASE),
        ("success_url", "https://example.com/done?session={CHECKOUT_SESSION_ID}"),
        ("cancel_url", "https://example.com/back"),
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "1200"),
        ("line_items[0][price_data][product_data][name]", "50 credits"),
        ("line_items[0][price_data][product_data][description]", "They last"),
        ("metadata[scrip_account]", ACCOUNT),
        ("metadata[scrip_purchase]", PURCHASE),
        ("payment_intent_data[metadata][scrip_account]", ACCOUNT),
        ("payment_intent_data[metadata][scrip_purchase]", PURCHASE),
        ("payment_intent_data[setup_future_usage]", "off_session"),
    ]);
    assert_eq!(asked.parameters, expected);
    assert_eq!(asked.authorization, "Bearer sk_test_1");
    assert_eq!(asked.key, Some(format!("scrip:checkout:{PURCHASE}")));
}

#[tokio::test]
async fn a_plan_is_subscribed_to_on_a_page_of_stripes() {
    let (fake, stripe) = Fake::answering([opened()]).await;
    let (key, price, interval) = (pro(), usd(2_000), Interval::Year);
    let plan = Item::Plan { key: &key, title: "Pro", description: "", price, interval, trial_days: Some(14) };
    stripe.start_checkout(checkout_of(plan, false)).await.unwrap();
    let asked = fake.only("POST /below/v1/checkout/sessions").parameters;
    for (name, value) in [
        ("mode", "subscription"),
        ("line_items[0][price_data][recurring][interval]", "year"),
        ("subscription_data[trial_period_days]", "14"),
        ("subscription_data[metadata][scrip_account]", ACCOUNT),
        ("subscription_data[metadata][scrip_plan]", "pro"),
        ("subscription_data[metadata][scrip_purchase]", PURCHASE),
    ] {
        assert_eq!(asked.get(name).map(String::as_str), Some(value), "{name}");
    }
    let absent = |part: &str| asked.keys().all(|name| !name.contains(part));
    assert!(absent("payment_intent_data") && absent("description"), "{asked:?}");
}

#[tokio::test]
async fn a_session_is_read_as_in_its_events() {
    let session = documented("checkout.session.completed");
    let (fake, stripe) = Fake::answering([session.clone(), session]).await;
    let checkout = stripe.checkout("cs_test_1").await.unwrap();
    assert_eq!((checkout.purchase, checkout.payment), (Some(purchase()), Payment::Paid));
    assert_eq!(stripe.expire_checkout("cs_test_1").await.unwrap(), checkout);
    let calls: Vec<(String, Option<String>)> =
        fake.asked().into_iter().map(|asked| (asked.call, asked.key)).collect();
    let expired = ("POST /below/v1/checkout/sessions/cs_test_1/expire", Some("scrip:expire:cs_test_1"));
    let expected = [("GET /below/v1/checkout/sessions/cs_test_1", None), expired];
    assert_eq!(calls, expected.map(|(call, key)| (call.to_owned(), key.map(ToOwned::to_owned))));
}

#[tokio::test]
async fn a_customer_is_made_for_an_account() {
    let (fake, stripe) = Fake::answering([json!({"id": "cus_1", "object": "customer"})]).await;
    let made = stripe.create_customer(account(), Some("a@b.ch"), None, "k1").await.unwrap();
    assert_eq!(made, "cus_1");
    let asked = fake.only("POST /below/v1/customers");
    assert_eq!(asked.parameters, parameters(&[("email", "a@b.ch"), ("metadata[scrip_account]", ACCOUNT)]));
    assert_eq!(asked.key.as_deref(), Some("k1"));
}

#[tokio::test]
async fn money_goes_back_in_part_or_whole() {
    let refund = documented("charge.refund.updated");
    let (fake, stripe) = Fake::answering([refund.clone(), refund]).await;
    let told = stripe.refund("pi_1", Some(300), "k1", "unhappy").await.unwrap();
    assert_eq!((told.total.minor, told.state), (300, RefundState::Succeeded));
    stripe.refund("pi_1", None, "k2", "unhappy").await.unwrap();
    let [part, whole] = fake.asked().try_into().unwrap();
    let (reason, metadata) = (("reason", "requested_by_customer"), ("metadata[reason]", "unhappy"));
    let expected = parameters(&[("payment_intent", "pi_1"), ("amount", "300"), reason, metadata]);
    assert_eq!((part.call.as_str(), part.parameters), ("POST /below/v1/refunds", expected));
    assert_eq!(whole.parameters, parameters(&[("payment_intent", "pi_1"), reason, metadata]));
    assert_eq!((part.key.as_deref(), whole.key.as_deref()), (Some("k1"), Some("k2")));
}

#[tokio::test]
async fn the_charge_of_a_payment_is_the_one_that_was_paid() {
    let paid = documented("charge.refunded");
    let mut declined = paid.clone();
    declined["id"] = json!("ch_declined");
    declined["paid"] = json!(false);
    let answers = [list(&[declined.clone(), paid.clone()], false), list(&[declined], false)];
    let (fake, stripe) = Fake::answering(answers).await;
    let found = stripe.charge_of("pi_1").await.unwrap().unwrap();
    assert_eq!(json!(found.id), paid["id"]);
    assert_eq!(stripe.charge_of("pi_1").await.unwrap(), None);
    let expected = parameters(&[("payment_intent", "pi_1"), ("limit", "100")]);
    assert_eq!(fake.asked()[0].parameters, expected);
    assert_eq!(fake.asked()[0].key, None);
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let charge = documented("charge.refunded");
    let event = json!({"id": "evt_1", "type": "something.new", "rare": [1, null, {"a": "ü"}]});
    let answers = [list(from_ref(&charge), true), list(&[], false), list(from_ref(&event), true)];
    let (fake, stripe) = Fake::answering(answers).await;
    let (from, to) = (DateTime::from_timestamp(100, 0).unwrap(), DateTime::from_timestamp(200, 0).unwrap());
    let page = stripe.charges(from, to, None).await.unwrap();
    assert_eq!((page.items.len(), json!(page.next)), (1, charge["id"].clone()));
    let last = stripe.charges(from, to, page.next.as_deref()).await.unwrap();
    assert_eq!((last.items.len(), last.next), (0, None));
    let events = stripe.events(from, Some("evt_0")).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&events.items[0]).unwrap(), event);
    assert_eq!(events.next.as_deref(), Some("evt_1"));
    let [first, second, third] = fake.asked().try_into().unwrap();
    let bounds = [("created[gte]", "100"), ("created[lt]", "200"), ("limit", "100")];
    assert_eq!(first.parameters, parameters(&bounds));
    assert_eq!(Some(&second.parameters["starting_after"]), page.next.as_ref());
    let since = [("created[gte]", "100"), ("limit", "100"), ("starting_after", "evt_0")];
    assert_eq!((third.call.as_str(), third.parameters), ("GET /below/v1/events", parameters(&since)));
}

#[tokio::test]
async fn which_invoice_a_payment_pays_is_asked_by_the_payment() {
    let payment = documented("invoice_payment.paid");
    let (fake, stripe) = Fake::answering([list(from_ref(&payment), false), list(&[], false)]).await;
    let [found] = stripe.invoice_payments("pi_1").await.unwrap().try_into().unwrap();
    assert_eq!((json!(found.invoice), found.is_paid), (payment["invoice"].clone(), true));
    assert_eq!(stripe.invoice_payments("pi_1").await.unwrap(), []);
    let asked = fake.asked().remove(0);
    assert_eq!(asked.call, "GET /below/v1/invoice_payments");
    let payment = [("payment[type]", "payment_intent"), ("payment[payment_intent]", "pi_1")];
    assert_eq!(asked.parameters, parameters(&[&payment[..], &[("limit", "100")]].concat()));
}

#[tokio::test]
async fn a_portal_is_a_page_of_stripes() {
    let (fake, stripe) = Fake::answering([json!({"url": "https://billing.stripe.com/p/1"})]).await;
    let url = stripe.open_portal("cus_1", "https://example.com/settings").await.unwrap();
    assert_eq!(url, "https://billing.stripe.com/p/1");
    let asked = fake.only("POST /below/v1/billing_portal/sessions").parameters;
    let expected = [("customer", "cus_1"), ("return_url", "https://example.com/settings")];
    assert_eq!(asked, parameters(&expected));
}
