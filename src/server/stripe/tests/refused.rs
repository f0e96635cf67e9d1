//! What is made of a payment that is declined, of a refusal, and of no answer at all.

use std::error::Error as _;

use super::*;

fn error(kind: &str, code: &str, decline_code: Option<&str>) -> String {
    let (message, url) = ("Something is wrong.", "https://stripe.com/docs/error-codes");
    let error = json!({
        "type": kind, "code": code, "decline_code": decline_code, "message": message, "doc_url": url,
    });
    json!({ "error": error }).to_string()
}

fn of_card<'a>() -> OffSession<'a> {
    OffSession {
        purchase: purchase(),
        account: account(),
        customer: "cus_1",
        card: "pm_1",
        price: usd(1_200),
        description: "50 credits",
    }
}

fn intent(status: &str) -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "status": status, "amount": 1_200, "currency": "usd",
        "amount_received": if status == "succeeded" { 1_200 } else { 0 }, "customer": "cus_1",
        "metadata": {"scrip_purchase": PURCHASE},
    })
}

#[tokio::test]
async fn the_card_that_was_kept_last_is_found() {
    let card = json!({"id": "pm_1", "object": "payment_method", "type": "card"});
    let (fake, stripe) = Fake::answering([list(&[card], false), list(&[], false)]).await;
    assert_eq!(stripe.kept_card("cus_1").await.unwrap().as_deref(), Some("pm_1"));
    assert_eq!(stripe.kept_card("cus_1").await.unwrap(), None);
    let [kept, _] = fake.asked().try_into().unwrap();
    assert_eq!(kept.call, "GET /below/v1/customers/cus_1/payment_methods");
    assert_eq!(kept.parameters, parameters(&[("type", "card"), ("limit", "1")]));
}

#[tokio::test]
async fn a_card_that_was_kept_is_charged_while_nobody_is_there() {
    let (fake, stripe) = Fake::answering([intent("succeeded")]).await;
    let paid = Intent {
        id: "pi_1".to_owned(),
        purchase: Some(purchase()),
        payment: Payment::Paid,
        total: Money { minor: 1_200, currency: "usd".to_owned() },
        customer: Some("cus_1".to_owned()),
    };
    assert_eq!(stripe.charge_off_session(of_card(), "k1").await.unwrap(), paid);
    let [charged] = fake.asked().try_into().unwrap();
    let expected = parameters(&[
        ("amount", "1200"),
        ("currency", "usd"),
        ("customer", "cus_1"),
        ("payment_method", "pm_1"),
        ("automatic_payment_methods[enabled]", "true"),
        ("automatic_payment_methods[allow_redirects]", "never"),
        ("off_session", "true"),
        ("confirm", "true"),
        ("description", "50 credits"),
        ("metadata[scrip_account]", ACCOUNT),
        ("metadata[scrip_purchase]", PURCHASE),
    ]);
    assert_eq!((charged.call.as_str(), charged.parameters), ("POST /below/v1/payment_intents", expected));
    assert_eq!(charged.key.as_deref(), Some("k1"));
}

#[tokio::test]
async fn a_payment_that_nobody_can_go_on_with_has_failed() {
    for (status, payment) in [
        ("succeeded", Payment::Paid),
        ("processing", Payment::Unpaid),
        ("requires_action", Payment::Failed),
        ("requires_payment_method", Payment::Failed),
        ("canceled", Payment::Failed),
    ] {
        let (_fake, stripe) = Fake::answering([intent(status)]).await;
        assert_eq!(stripe.intent("pi_1").await.unwrap().payment, payment, "{status}");
    }
}

#[tokio::test]
async fn a_card_that_is_declined_is_told_apart_from_a_fault() {
    let declined = (402, error("card_error", "card_declined", Some("insufficient_funds")));
    let asks = (402, error("card_error", "authentication_required", None));
    for (answer, expected) in [(declined, "insufficient_funds"), (asks, "authentication_required")] {
        let (_fake, stripe) = Fake::with([answer]).await;
        match stripe.charge_off_session(of_card(), "k1").await {
            Err(Error::Declined { code, .. }) => assert_eq!(code, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_has_stripes_status_code_and_words() {
    for (status, kind, code) in [
        (400, "invalid_request_error", "charge_already_refunded"),
        (404, "invalid_request_error", "resource_missing"),
        (401, "invalid_request_error", "api_key_expired"),
        (400, "idempotency_error", "idempotency_error"),
    ] {
        let (_fake, stripe) = Fake::with([(status, error(kind, code, None))]).await;
        match stripe.refund("pi_1", None, "k1", "unhappy").await {
            Err(Error::Refused { status: told, code: why, message }) => {
                assert_eq!((told, why.as_str(), message.as_str()), (status, code, "Something is wrong."));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_leaves_it_open_whether_it_happened() {
    for (status, body) in [
        (429, error("invalid_request_error", "rate_limit", None)),
        (409, error("idempotency_error", "idempotency_key_in_use", None)),
        (500, error("api_error", "api_error", None)),
        (500, "<html>".to_owned()),
        (502, String::new()),
        (200, "<html>".to_owned()),
        (200, "{".to_owned()),
        (200, "[]".to_owned()),
        (NEVER, String::new()),
    ] {
        let (fake, stripe) = Fake::with([(status, body.clone())]).await;
        let refund = stripe.refund("pi_1", None, "k1", "unhappy").await;
        assert!(matches!(refund, Err(Error::Unreachable(_))), "{status} {body}: {refund:?}");
        assert_eq!(fake.asked().len(), 1, "{status} {body}");
    }
    let nobody = client("http://127.0.0.1:1").refund("pi_1", None, "k1", "unhappy").await;
    assert!(matches!(nobody, Err(Error::Unreachable(_))), "{nobody:?}");
}

#[tokio::test]
async fn an_answer_without_what_is_needed_says_what_is_missing() {
    let mut refund = documented("charge.refund.updated");
    refund.as_object_mut().unwrap().remove("amount");
    let (_fake, stripe) = Fake::answering([refund]).await;
    let error = stripe.refund("pi_1", None, "k1", "unhappy").await.unwrap_err();
    assert!(error.source().unwrap().to_string().contains("missing field `amount`"), "{error:?}");
}

#[tokio::test]
async fn a_key_that_stripe_would_not_take_is_refused_before_anything_is_asked() {
    for key in [String::new(), "k".repeat(256)] {
        let (fake, stripe) = Fake::answering([]).await;
        let refund = stripe.refund("pi_1", None, &key, "unhappy").await;
        assert!(matches!(refund, Err(Error::Refused { .. })), "{refund:?}");
        assert!(fake.asked().is_empty());
    }
}
