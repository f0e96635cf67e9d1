//! How a subscription is changed: what is asked about it first, and what for.

use super::*;

#[tokio::test]
async fn another_plan_takes_the_place_of_a_subscriptions_item_for_the_sum_that_was_previewed() {
    let subscription = documented("customer.subscription.updated");
    let preview = json!({"amount_due": 1_033, "currency": "usd", "id": "upcoming_in_1"});
    let (fake, stripe) = Fake::answering([subscription.clone(), preview, subscription]).await;
    let (account, key, price, interval) = (account(), pro(), usd(4_000), Interval::Month);
    let from = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let plan = NewPlan { account, key: &key, price, interval, prorated_from: Some(from) };
    let billed = stripe.billed("sub_1").await.unwrap();
    assert_eq!(billed.interval, Some(Interval::Month));
    assert_eq!(stripe.preview_change(&billed, plan, from).await.unwrap(), 1_033);
    let told = stripe.change_plan(&billed, plan, "k1").await.unwrap();
    assert_eq!(told.status, "active");
    let [read, previewed, changed] = fake.asked().try_into().unwrap();
    assert_eq!((read.call.as_str(), read.key), ("GET /below/v1/subscriptions/sub_1", None));
    assert_eq!((previewed.call.as_str(), previewed.key), ("POST /below/v1/invoices/create_preview", None));
    let expected = parameters(&[
        ("subscription", &told.id),
        ("subscription_details[cancel_at_period_end]", "false"),
        ("subscription_details[items][0][id]", "si_NcLYdDxLHxlFo7"),
        ("subscription_details[items][0][price_data][currency]", "usd"),
        ("subscription_details[items][0][price_data][product]", "prod_NZKdYqrwEYx6iK"),
        ("subscription_details[items][0][price_data][recurring][interval]", "month"),
        ("subscription_details[items][0][price_data][unit_amount]", "4000"),
        ("subscription_details[proration_behavior]", "always_invoice"),
        ("subscription_details[proration_date]", "1700000000"),
    ]);
    assert_eq!(previewed.parameters, expected);
    let call = format!("POST /below/v1/subscriptions/{}", told.id);
    assert_eq!((changed.call, changed.key.as_deref()), (call, Some("k1")));
    let expected = parameters(&[
        ("cancel_at_period_end", "false"),
        ("items[0][id]", "si_NcLYdDxLHxlFo7"),
        ("items[0][price_data][currency]", "usd"),
        ("items[0][price_data][product]", "prod_NZKdYqrwEYx6iK"),
        ("items[0][price_data][recurring][interval]", "month"),
        ("items[0][price_data][unit_amount]", "4000"),
        ("metadata[scrip_account]", ACCOUNT),
        ("metadata[scrip_plan]", "pro"),
        ("payment_behavior", "error_if_incomplete"),
        ("proration_behavior", "always_invoice"),
        ("proration_date", "1700000000"),
    ]);
    assert_eq!(changed.parameters, expected);
}
