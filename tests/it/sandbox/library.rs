//! What is answered can be read by the library that the program asks Stripe with, whose types demand every field of the
//! API's version.

use sqlx::PgPool;
use stripe::{Client, ClientBuilder, StripeError};
use stripe_billing::{
    billing_portal_session::CreateBillingPortalSession,
    invoice::{ListInvoice, RetrieveInvoice},
    subscription::{CancelSubscription, RetrieveSubscription, UpdateSubscription},
};
use stripe_checkout::checkout_session::{ExpireCheckoutSession, RetrieveCheckoutSession};
use stripe_core::{
    charge::{ListCharge, RetrieveCharge},
    customer::{CreateCustomer, ListPaymentMethodsCustomer},
    event::{ListEvent, RetrieveEvent},
    payment_intent::{CreatePaymentIntent, ListPaymentIntent, RetrievePaymentIntent},
    refund::{CreateRefund, ListRefund},
};

use super::Place;

fn client(place: &Place) -> Client {
    let url = format!("{}/sandbox/stripe/", place.app.url);
    ClientBuilder::new(scrip::server::stripe::SANDBOX_KEY).url(url).build().unwrap()
}

#[sqlx::test]
async fn payments_and_what_becomes_of_them(pool: PgPool) {
    let place = Place::start(pool).await;
    let client = client(&place);
    let customer = CreateCustomer::new().email("ada@example.com").send(&client).await.unwrap();
    let saved = [("payment_intent_data[setup_future_usage]", "off_session")];
    let session = place.session(customer.id.as_str(), &saved).await;
    RetrieveCheckoutSession::new(session.as_str()).send(&client).await.unwrap();
    place.pay(&session, "4242").await;
    let session = RetrieveCheckoutSession::new(session.as_str()).send(&client).await.unwrap();
    assert_eq!(session.amount_total, Some(1000));
    let intents = ListPaymentIntent::new().send(&client).await.unwrap();
    let intent = RetrievePaymentIntent::new(intents.data[0].id.as_str()).send(&client).await.unwrap();
    let charges = ListCharge::new().payment_intent(intent.id.as_str()).send(&client).await.unwrap();
    CreateRefund::new().payment_intent(intent.id.as_str()).amount(1).send(&client).await.unwrap();
    let charge = RetrieveCharge::new(charges.data[0].id.as_str()).send(&client).await.unwrap();
    assert_eq!(charge.amount_refunded, 1);
    assert_eq!(ListRefund::new().charge(charge.id.as_str()).send(&client).await.unwrap().data.len(), 1);
    let methods = ListPaymentMethodsCustomer::new(customer.id.as_str()).send(&client).await.unwrap();
    assert_eq!(methods.data.len(), 1);
    CreatePaymentIntent::new(100, intent.currency.clone()).send(&client).await.unwrap();

    let open = place.session(customer.id.as_str(), &[]).await;
    ExpireCheckoutSession::new(open.as_str()).send(&client).await.unwrap();
    let events = ListEvent::new().limit(100).send(&client).await.unwrap();
    assert!(events.data.len() > 5);
    RetrieveEvent::new(events.data[0].id.as_str()).send(&client).await.unwrap();
    let missing = RetrieveCharge::new("ch_none").send(&client).await;
    assert!(matches!(missing, Err(StripeError::Stripe(_, 404))));
}

#[sqlx::test]
async fn subscriptions_and_their_invoices(pool: PgPool) {
    let place = Place::start(pool).await;
    let client = client(&place);
    let customer = place.customer().await;
    let session = place.session(&customer, &[("mode", "subscription")]).await;
    place.pay(&session, "4242").await;
    let invoices = ListInvoice::new().send(&client).await.unwrap();
    let invoice =
        RetrieveInvoice::new(invoices.data[0].id.clone().unwrap().as_str()).send(&client).await.unwrap();
    assert_eq!(invoice.amount_paid, 1000);
    let session = place.get(&format!("checkout/sessions/{session}")).await;
    let id = session["subscription"].as_str().unwrap();
    RetrieveSubscription::new(id).send(&client).await.unwrap();
    let ending = UpdateSubscription::new(id).cancel_at_period_end(true).send(&client).await.unwrap();
    assert!(ending.cancel_at_period_end);
    assert!(CancelSubscription::new(id).send(&client).await.unwrap().ended_at.is_some());
    let portal = CreateBillingPortalSession::new().customer(customer.as_str()).send(&client).await.unwrap();
    assert!(portal.url.contains("/sandbox/portal/bps_"));
}
