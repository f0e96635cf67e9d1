//! What Stripe tells: one event, as the few words of this room. The library's own types for events refuse those of any
//! other version of the API than theirs, so this reads only what something follows from.

use chrono::{DateTime, Utc};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use thiserror::Error;

use super::{
    About, Checkout, Dispute, Event, Funds, Payment,
    fields::{Moment, Text, Unreadable, read},
    invoices::{InvoiceObject, InvoicePaymentObject},
    objects::{ChargeObject, DisputeObject, IntentObject, RefundObject, SessionObject, SubscriptionObject},
};

/// Something that is no event of Stripe's, or one without what must be in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind} can't be read: {unreadable}")]
pub struct NotAnEvent {
    /// As far as it could be read.
    pub kind: String,
    pub unreadable: Unreadable,
}

#[derive(Deserialize)]
struct Envelope {
    id: Text,
    #[serde(rename = "type")]
    kind: Text,
    created: Created,
    livemode: bool,
    /// Read only where something follows from the kind.
    data: Option<Box<RawValue>>,
}

/// Events of Stripe's second API tell their times as text. Nothing follows from these, but they are events.
#[derive(Deserialize)]
#[serde(untagged)]
enum Created {
    Seconds(Moment),
    Text(DateTime<Utc>),
}

#[derive(Deserialize)]
struct Data<T> {
    object: T,
}

/// # Errors
/// When it is no event, or one from which something follows and whose object lacks what is needed for that.
pub fn parse(body: &[u8]) -> Result<Event, NotAnEvent> {
    let envelope: Envelope =
        read(body).map_err(|unreadable| NotAnEvent { kind: "an event".to_owned(), unreadable })?;
    let kind = String::from(envelope.kind);
    let created = match envelope.created {
        Created::Seconds(moment) => moment.into(),
        Created::Text(at) => at,
    };
    match about(&kind, envelope.data.as_deref().map_or("null", RawValue::get)) {
        Ok(about) => Ok(Event { id: envelope.id.into(), kind, created, is_live: envelope.livemode, about }),
        Err(Unreadable { field, problem }) => {
            Err(NotAnEvent { kind, unreadable: Unreadable { field: format!("data.{field}"), problem } })
        }
    }
}

/// `invoice.payment_succeeded` is the same news as `invoice.paid`, which comes for invoices paid elsewhere too.
fn about(kind: &str, data: &str) -> Result<About, Unreadable> {
    Ok(match kind {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            About::Checkout(object::<SessionObject>(data)?.into())
        }
        "checkout.session.async_payment_failed" => {
            About::Checkout(Checkout { payment: Payment::Failed, ..object::<SessionObject>(data)?.into() })
        }
        "checkout.session.expired" => {
            About::Checkout(Checkout { payment: Payment::Expired, ..object::<SessionObject>(data)?.into() })
        }
        "payment_intent.succeeded"
        | "payment_intent.processing"
        | "payment_intent.payment_failed"
        | "payment_intent.canceled" => About::Intent(object::<IntentObject>(data)?.into()),
        "charge.succeeded" | "charge.updated" | "charge.refunded" => {
            About::Charge(object::<ChargeObject>(data)?.into())
        }
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            About::Refund(object::<RefundObject>(data)?.into())
        }
        "charge.dispute.created" | "charge.dispute.updated" | "charge.dispute.closed" => {
            About::Dispute(object::<DisputeObject>(data)?.into())
        }
        "charge.dispute.funds_withdrawn" => About::Dispute(moved(data, Funds::Withdrawn)?),
        "charge.dispute.funds_reinstated" => About::Dispute(moved(data, Funds::Reinstated)?),
        "customer.subscription.created"
        | "customer.subscription.updated"
        | "customer.subscription.deleted"
        | "customer.subscription.paused"
        | "customer.subscription.resumed" => About::Subscription(object::<SubscriptionObject>(data)?.into()),
        "invoice.paid" | "invoice.payment_failed" => About::Invoice(object::<InvoiceObject>(data)?.into()),
        "invoice_payment.paid" => About::InvoicePayment(object::<InvoicePaymentObject>(data)?.into()),
        _ => About::Other,
    })
}

fn object<T: DeserializeOwned>(data: &str) -> Result<T, Unreadable> {
    read::<Data<T>>(data.as_bytes()).map(|data| data.object)
}

fn moved(data: &str, funds: Funds) -> Result<Dispute, Unreadable> {
    Ok(Dispute { funds: Some(funds), ..object::<DisputeObject>(data)?.into() })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use proptest::{prelude::*, sample::select};
    use serde_json::{Value, json};

    use super::*;
    use crate::server::stripe::{
        Charge, Invoice, InvoicePayment, InvoiceReason, Money, Refund, RefundState, Subscribed, Subscription,
    };

    const OLD: &str = "2022-11-15";
    const NEW: &str = "2026-05-27.dahlia";

    /// The examples of `tests/stripe/`: version, kind and text.
    fn examples() -> Vec<(String, String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stripe");
        let within = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let files = within(&root)
            .flat_map(|version| within(&version).map(move |file| (name(&version), file)).collect::<Vec<_>>());
        files
            .map(|(version, file)| {
                let kind = name(&file).trim_end_matches(".json").to_owned();
                (version, kind, fs::read_to_string(file).unwrap())
            })
            .collect()
    }

    fn example(version: &str, kind: &str) -> Value {
        let found = examples().into_iter().find(|(of, named, _)| of == version && named == kind);
        serde_json::from_str(&found.unwrap().2).unwrap()
    }

    fn told(event: &Value) -> About {
        parse(event.to_string().as_bytes()).unwrap().about
    }

    /// What the example says when its object is another in one place.
    fn with(version: &str, kind: &str, place: &str, value: Value) -> About {
        let mut event = example(version, kind);
        *event["data"]["object"].pointer_mut(place).unwrap() = value;
        told(&event)
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn usd(minor: i64) -> Money {
        Money { minor, currency: "usd".to_owned() }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn purchase() -> Option<uuid::Uuid> {
        Some("018f6f2e-0c7a-7d3e-9b1a-2c3d4e5f6072".parse().unwrap())
    }

    fn pro() -> Option<Subscribed> {
        let account = "acct_018f6f2e0c7a7d3e9b1a2c3d4e5f6071".parse().unwrap();
        Some(Subscribed { account, plan: "pro".to_owned().try_into().unwrap(), purchase: purchase() })
    }

    fn checkout() -> Checkout {
        Checkout {
            id: "cs_test_a1vvp1B50lYAE8U2KLu1lzd6US91IMmBfnLfDXmJiKOQIzXbgFKgxUviQu".to_owned(),
            purchase: purchase(),
            payment: Payment::Paid,
            total: Some(usd(1_200)),
            customer: some("cus_NffrFeUfNV2Hib"),
            payment_intent: some("pi_3MtwBwLkdIwHu7ix28a3tqPa"),
            subscription: None,
        }
    }

    fn dispute(status: &str, funds: Option<Funds>) -> About {
        About::Dispute(Dispute {
            id: "du_1MtJUT2eZvKYlo2CNaw2HvEv".to_owned(),
            payment_intent: some("pi_3MtwBwLkdIwHu7ix28a3tqPa"),
            total: usd(1_200),
            status: status.to_owned(),
            funds,
        })
    }

    fn subscription(status: &str) -> Subscription {
        Subscription {
            id: "sub_1MowQVLkdIwHu7ixeRlqHVzs".to_owned(),
            terms: pro(),
            customer: some("cus_NffrFeUfNV2Hib"),
            status: status.to_owned(),
            period_end: Some(at("2026-02-01T00:00:00Z")),
            ends_with_period: false,
            ended_at: None,
        }
    }

    fn invoice() -> Invoice {
        Invoice {
            id: "in_1MowQWLkdIwHu7ixuzkSPfKd".to_owned(),
            subscription: some("sub_1MowQVLkdIwHu7ixeRlqHVzs"),
            terms: pro(),
            reason: InvoiceReason::Cycle,
            is_paid: true,
            paid: usd(2_300),
            payment_intent: some("pi_3MtwBwLkdIwHu7ix28a3tqPa"),
            period: Some((at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"))),
            hosted_url: some("https://invoice.stripe.com/i/acct_1MoRdl/test_YWNjdF8xTW9S?s=ap"),
        }
    }

    /// What each of the examples says, whatever its version.
    fn expected() -> BTreeMap<&'static str, About> {
        let charge = Charge {
            id: "ch_3MtwBwLkdIwHu7ix2aBcDeFg".to_owned(),
            payment_intent: some("pi_3MtwBwLkdIwHu7ix28a3tqPa"),
            is_paid: true,
            total: usd(1_200),
            refunded: 300,
            receipt_url: some("https://pay.stripe.com/receipts/payment/CAcaFwoVYWNjdF8xTW9SZGxM"),
        };
        let refund = Refund {
            id: "re_3MtwBwLkdIwHu7ix2pQrStUv".to_owned(),
            payment_intent: some("pi_3MtwBwLkdIwHu7ix28a3tqPa"),
            total: usd(300),
            state: RefundState::Succeeded,
        };
        let payment = InvoicePayment {
            invoice: "in_1MowQWLkdIwHu7ixuzkSPfKd".to_owned(),
            payment_intent: some("pi_3MtwBwLkdIwHu7ix28a3tqPa"),
            is_paid: true,
        };
        let ending = Subscription { ends_with_period: true, ..subscription("active") };
        let ended = Subscription { ended_at: Some(at("2026-01-01T00:00:00Z")), ..subscription("canceled") };
        BTreeMap::from([
            ("checkout.session.completed", About::Checkout(checkout())),
            ("charge.refunded", About::Charge(charge)),
            ("charge.refund.updated", About::Refund(refund)),
            ("charge.dispute.created", dispute("needs_response", None)),
            ("charge.dispute.funds_withdrawn", dispute("needs_response", Some(Funds::Withdrawn))),
            ("charge.dispute.funds_reinstated", dispute("won", Some(Funds::Reinstated))),
            ("charge.dispute.closed", dispute("won", None)),
            ("customer.subscription.updated", About::Subscription(ending)),
            ("customer.subscription.deleted", About::Subscription(ended)),
            ("invoice.paid", About::Invoice(invoice())),
            ("invoice_payment.paid", About::InvoicePayment(payment)),
        ])
    }

    #[test]
    fn an_event_is_read_alike_whatever_its_version() {
        let (expected, examples) = (expected(), examples());
        for (version, kind, text) in &examples {
            let event = parse(text.as_bytes()).unwrap();
            assert_eq!(event.about, expected[kind.as_str()], "{version}/{kind}");
            let envelope = (event.kind, event.created, event.is_live);
            assert_eq!(envelope, (kind.clone(), at("2026-01-01T00:00:00Z"), false), "{version}");
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value["api_version"], **version);
        }
        for kind in expected.keys() {
            let versions = examples.iter().filter(|(_, of, _)| of == kind).count();
            assert!(versions >= 2, "{kind}");
        }
    }

    #[test]
    fn a_session_is_paid_when_it_says_so_and_not_when_it_is_merely_complete() {
        let completed = |status: &str, payment_status: &str| {
            let mut event = example(OLD, "checkout.session.completed");
            event["data"]["object"]["status"] = json!(status);
            event["data"]["object"]["payment_status"] = json!(payment_status);
            match told(&event) {
                About::Checkout(checkout) => checkout.payment,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(completed("complete", "unpaid"), Payment::Unpaid);
        assert_eq!(completed("complete", "no_payment_required"), Payment::Paid);
        assert_eq!(completed("open", "no_payment_required"), Payment::Unpaid);
        assert_eq!(completed("complete", "something_new"), Payment::Unpaid);
        assert_eq!(completed("expired", "unpaid"), Payment::Expired);
    }

    #[test]
    fn a_payment_that_was_tried_is_not_told_while_its_session_is_open() {
        let mut event = example(OLD, "checkout.session.completed");
        event["data"]["object"]["status"] = json!("open");
        let About::Checkout(open) = told(&event) else { panic!("it is about a session") };
        assert_eq!(open.payment_intent, None);
    }

    #[test]
    fn what_became_of_a_session_is_told_by_the_kind_of_event() {
        for (kind, payment_status, payment) in [
            ("checkout.session.async_payment_succeeded", "paid", Payment::Paid),
            ("checkout.session.async_payment_failed", "unpaid", Payment::Failed),
            ("checkout.session.expired", "unpaid", Payment::Expired),
        ] {
            let mut event = example(NEW, "checkout.session.completed");
            event["type"] = json!(kind);
            event["data"]["object"]["payment_status"] = json!(payment_status);
            assert_eq!(told(&event), About::Checkout(Checkout { payment, ..checkout() }), "{kind}");
        }
    }

    #[test]
    fn what_others_wrote_onto_an_object_makes_it_not_ours() {
        let expected = About::Checkout(Checkout { purchase: None, ..checkout() });
        for metadata in [json!({}), json!(null), json!({"scrip_purchase": "mine"}), json!({"order": "7"})] {
            assert_eq!(with(NEW, "checkout.session.completed", "/metadata", metadata), expected);
        }
        let unknown = About::Subscription(Subscription {
            terms: None,
            ends_with_period: true,
            ..subscription("active")
        });
        let metadata = json!({"scrip_account": "acct_7", "scrip_plan": "pro"});
        assert_eq!(with(NEW, "customer.subscription.updated", "/metadata", metadata), unknown);
    }

    #[test]
    fn a_reference_may_be_expanded() {
        for place in ["/customer", "/payment_intent"] {
            let mut event = example(OLD, "checkout.session.completed");
            let reference = event["data"]["object"].pointer_mut(place).unwrap();
            *reference = json!({"id": reference.clone(), "object": "expanded", "metadata": {}});
            assert_eq!(told(&event), About::Checkout(checkout()), "{place}");
        }
    }

    #[test]
    fn a_refund_that_is_not_said_to_have_failed_is_on_its_way() {
        for (status, state) in [
            (json!("pending"), RefundState::Pending),
            (json!("requires_action"), RefundState::RequiresAction),
            (json!("failed"), RefundState::Failed),
            (json!("canceled"), RefundState::Failed),
            (json!("something_new"), RefundState::Pending),
            (json!(null), RefundState::Pending),
        ] {
            match with(NEW, "charge.refund.updated", "/status", status) {
                About::Refund(refund) => assert_eq!(refund.state, state),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_subscription_that_is_to_end_at_a_date_ends_with_its_period_if_that_is_when() {
        for (days, ends) in [(0, true), (-1, true), (1, false)] {
            let mut event = example(NEW, "customer.subscription.updated");
            let object = &mut event["data"]["object"];
            object["cancel_at_period_end"] = json!(false);
            object["cancel_at"] = json!(at("2026-02-01T00:00:00Z").timestamp() + days * 86_400);
            match told(&event) {
                About::Subscription(subscription) => assert_eq!(subscription.ends_with_period, ends),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_invoice_without_a_line_of_the_subscription_is_for_no_period() {
        for version in [OLD, NEW] {
            let mut event = example(version, "invoice.paid");
            event["data"]["object"]["lines"]["data"].as_array_mut().unwrap().pop();
            event["data"]["object"]["billing_reason"] = json!("subscription_update");
            let changed = Invoice { reason: InvoiceReason::Update, period: None, ..invoice() };
            assert_eq!(told(&event), About::Invoice(changed), "{version}");
        }
    }

    #[test]
    fn an_invoice_knows_its_subscription_by_its_own_line_too() {
        let none = json!(null);
        assert_eq!(with(OLD, "invoice.paid", "/subscription_details", none), About::Invoice(invoice()));
        let mut event = example(NEW, "invoice.paid");
        for field in ["parent", "payments", "lines"] {
            event["data"]["object"].as_object_mut().unwrap().remove(field);
        }
        let bare =
            Invoice { subscription: None, terms: None, payment_intent: None, period: None, ..invoice() };
        assert_eq!(told(&event), About::Invoice(bare));
    }

    #[test]
    fn an_invoice_that_the_customers_balance_paid_comes_to_what_it_asked_for() {
        for version in [OLD, NEW] {
            let paid = with(version, "invoice.paid", "/amount_paid", json!(0));
            assert_eq!(paid, About::Invoice(invoice()), "{version}");
        }
        let credited = with(NEW, "invoice.paid", "/total", json!(-500));
        assert_eq!(credited, About::Invoice(Invoice { paid: usd(0), ..invoice() }));
    }

    #[test]
    fn an_invoice_that_is_open_still_is_not_paid() {
        let mut event = example(NEW, "invoice.paid");
        event["type"] = json!("invoice.payment_failed");
        event["data"]["object"]["status"] = json!("open");
        assert_eq!(told(&event), About::Invoice(Invoice { is_paid: false, ..invoice() }));
    }

    #[test]
    fn an_invoice_may_be_paid_in_another_way_than_by_a_payment_of_stripes() {
        let other = json!({"type": "payment_record", "payment_record": "pr_1"});
        let none = InvoicePayment {
            invoice: "in_1MowQWLkdIwHu7ixuzkSPfKd".to_owned(),
            payment_intent: None,
            is_paid: true,
        };
        assert_eq!(with(NEW, "invoice_payment.paid", "/payment", other), About::InvoicePayment(none.clone()));
        let About::InvoicePayment(open) = with(NEW, "invoice_payment.paid", "/status", json!("open")) else {
            panic!("it is about a payment of an invoice")
        };
        assert!(!open.is_paid && open.invoice == none.invoice);
    }

    #[test]
    fn from_an_unknown_event_nothing_follows_whatever_is_in_it() {
        for data in [json!(null), json!(7), json!({}), json!({"object": [{"amount": -1}]})] {
            for kind in ["invoice.payment_succeeded", "customer.created", "something.new"] {
                let event =
                    json!({"id": "evt_1", "type": kind, "created": 1, "livemode": true, "data": data});
                assert_eq!(told(&event), About::Other);
            }
        }
        let thin = json!({"id": "evt_1", "object": "v2.core.event", "type": "v1.charge.refunded",
            "created": "2026-01-01T00:00:00.123Z", "livemode": true});
        assert_eq!(parse(thin.to_string().as_bytes()).unwrap().created, at("2026-01-01T00:00:00.123Z"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let named = |kind: &str, place: &str, value: Value| {
            let mut event = example(NEW, kind);
            *event.pointer_mut(place).unwrap() = value;
            parse(event.to_string().as_bytes()).unwrap_err().unreadable.field
        };
        for (kind, place, field) in [
            ("charge.refunded", "/data/object/amount", "data.object.amount"),
            (
                "invoice.paid",
                "/data/object/lines/data/1/period/start",
                "data.object.lines.data[1].period.start",
            ),
            ("checkout.session.completed", "/data/object/payment_intent", "data.object.payment_intent"),
            ("charge.refunded", "/created", "created"),
            ("charge.refunded", "/livemode", "livemode"),
        ] {
            assert_eq!(named(kind, place, json!([])), field);
        }
        let mut event = example(OLD, "charge.refunded");
        event["data"]["object"].as_object_mut().unwrap().remove("amount_refunded");
        let error = parse(event.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("charge.refunded can't be read: data.object"), "{error}");
        assert!(error.contains("missing field `amount_refunded`"), "{error}");
        assert_eq!(parse(b"{").unwrap_err().kind, "an event");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            let named =
                prop::collection::btree_map("id|object|data|period|status|[a-z]{1,5}", inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                named.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Every place in a JSON value, as a pointer.
    fn places(value: &Value, here: &str, found: &mut Vec<String>) {
        found.push(here.to_owned());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, item)| places(item, &format!("{here}/{n}"), found));
            }
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| places(field, &format!("{here}/{name}"), found));
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_never_panics(body in prop::collection::vec(any::<u8>(), 0..100), object in any_json()) {
            prop_assert!(parse(&body).is_err());
            for kind in expected().keys() {
                let event = json!({"id": "evt_1", "type": kind, "created": 1, "livemode": false,
                    "data": {"object": object}});
                let _ = parse(event.to_string().as_bytes());
            }
        }

        #[test]
        fn an_event_with_something_else_in_one_place_never_panics(
            (_, _, text) in select(examples()),
            place in any::<prop::sample::Index>(),
            value in any_json(),
        ) {
            let mut event: Value = serde_json::from_str(&text).unwrap();
            let mut found = Vec::new();
            places(&event, "", &mut found);
            *event.pointer_mut(&found[place.index(found.len())]).unwrap() = value;
            let _ = parse(event.to_string().as_bytes());
        }

        #[test]
        fn an_event_that_is_cut_short_is_an_error((_, _, text) in select(examples()), end in any::<prop::sample::Index>()) {
            let body = text.trim_end().as_bytes();
            prop_assert!(parse(&body[..end.index(body.len())]).is_err());
        }
    }
}
