//! The fields that many bodies have, as the API's description names them. What they may be is checked where they are
//! read; a test sends what the description forbids.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, Object, ObjectBuilder, RefOr, Schema, SchemaFormat, Type, schema::AdditionalProperties,
    },
};

use super::reference::told;
use crate::domain::{self, IdempotencyKey, Kind, LotState, SubscriptionState, catalog, id, note};

/// Nothing that ends a line or rings a bell.
const ONE_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// Defines a named schema.
macro_rules! field {
    ($name:ident, $description:literal, $schema:expr) => {
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T($schema.description(Some($description)).into())
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

field!(
    AccountName,
    "`acct_…`, or `ext_` and your own name for the account.",
    text().pattern(Some(r"^(acct_[0-9a-f]{32}|ext_[^\x00-\x1f\x7f-\x9f]{1,200})$")).examples(["ext_user-7"])
);
field!(AccountId, "An account.", text().pattern(Some("^acct_[0-9a-f]{32}$")));
field!(
    EntryId,
    "An entry of an account's ledger.",
    text().pattern(Some("^entry_[0-9a-f]{32}_[1-9][0-9]{0,18}$"))
);
field!(HoldId, "A hold.", text().pattern(Some("^hold_[0-9a-f]{32}_[1-9][0-9]{0,18}$")));
field!(LotId, "A lot.", text().pattern(Some("^lot_[0-9a-f]{32}_[1-9][0-9]{0,18}$")));
field!(ExternalId, "Your own name for an account.", line(id::ExternalId::CHARS_MAX).examples(["user-7"]));
field!(
    ActionKey,
    "An action of the catalog.",
    text().pattern(Some("^[a-z][a-z0-9_]{0,63}$")).examples(["thumbnail"])
);
field!(PlanKey, "A plan of the catalog.", text().pattern(Some("^[a-z][a-z0-9_]{0,63}$")).examples(["pro"]));
field!(PackKey, "A pack of the catalog.", text().pattern(Some("^[a-z][a-z0-9_]{0,63}$")).examples(["small"]));
field!(
    PurchaseStateName,
    "`pending`: nobody has paid yet, or the bank takes its time. `expired`: it can't be paid any more. `disputed`: its \
     credits are taken back until that is decided.",
    words(domain::PurchaseState::ALL)
);
field!(
    SubscriptionStateName,
    "`past_due`: the period is over, and the next one is not paid for. `canceled`: it ends with its period.",
    words([
        SubscriptionState::Active,
        SubscriptionState::PastDue,
        SubscriptionState::Canceled,
        SubscriptionState::Ended
    ])
);
field!(Amount, "Credits, at least one.", number(1, domain::Amount::MAX.get()));
field!(Units, "How many, where an action is priced by unit.", number(1, catalog::Units::MAX));
field!(Credits, "Credits, or none.", number(0, i64::MAX));
field!(HoldSeconds, "After how many seconds a hold counts as released.", number(1, 86_400));
field!(PriorityNumber, "Lots with a lower number are spent first.", number(i16::MIN.into(), i16::MAX.into()));
field!(
    Time,
    "A time, as RFC 3339 writes it, in the years 1 to 9999.",
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
);
field!(
    Reference,
    "Your own name for what this is about, such as a job's or an order's id.",
    line(note::Reference::CHARS_MAX).examples(["job-17"])
);
field!(
    Description,
    "Words for readers of the history.",
    line(note::Description::CHARS_MAX).examples(["A living room"])
);
field!(
    Metadata,
    "A JSON object of at most 8 kB, kept letter by letter.",
    Object::builder().additional_properties(Some(AdditionalProperties::FreeForm(true)))
);
field!(
    Key,
    "Your own name for a request: it is done once under it.",
    text().min_length(Some(1)).max_length(Some(IdempotencyKey::LENGTH_MAX)).pattern(Some(r"^[\x21-\x7e]*$"))
);
field!(
    ProblemCode,
    "What went wrong, as a word that stays: programs go by it.",
    words(told().map(|(code, _)| code))
);
field!(EntryKind, "What happened.", words(Kind::NAMES));
field!(LotSource, "Where a lot's credits came from.", words(domain::Source::ALL));
field!(
    LotStateName,
    "What a lot is good for.",
    words([LotState::Active, LotState::Scheduled, LotState::Expired, LotState::Spent, LotState::Void])
);
field!(
    IntervalName,
    "How often a plan is billed. Its credits come monthly all the same.",
    words(catalog::Interval::ALL.map(catalog::Interval::as_str))
);
field!(
    WhenSpentName,
    "What becomes of credits that are taken back and were spent: owed, or let go.",
    words([domain::WhenSpent::Debt, domain::WhenSpent::Forgive])
);
field!(
    LevelName,
    "How much is left: `low` at the catalog's `low_balance` or below it.",
    words([domain::Level::Comfortable, domain::Level::Low, domain::Level::Empty])
);

fn text() -> ObjectBuilder {
    Object::builder().schema_type(Type::String)
}

fn line(chars_max: usize) -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(chars_max)).pattern(Some(ONE_LINE))
}

fn number(least: i64, most: i64) -> ObjectBuilder {
    Object::builder().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most))
}

fn words<T: Serialize>(all: impl IntoIterator<Item = T>) -> ObjectBuilder {
    text().enum_values(Some(all.into_iter().filter_map(|word| serde_json::to_value(word).ok())))
}
