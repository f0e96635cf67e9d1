//! The law of credits: what a credit is, who may spend which one, and what is written down.
//!
//! Everything here is pure: no clock, no IO, no randomness. The same code decides on the server, runs in
//! the browser and is tested without either. Time always comes in as an argument.
//!
//! # The law
//!
//! 1. **Credits are whole numbers.** [`Credits`] never go below zero; an [`Amount`] that is asked for is
//!    between 1 and 1,000,000,000,000. Arithmetic is checked; there are no floats.
//! 2. **Credits live in lots.** A [`Lot`] is active at `t` when `effective_at <= t < expires_at` and it is not
//!    void. What an account has *available* is the sum of what remains in its active lots, less what it owes,
//!    and never below zero. It is judged at the moment of every command and every read: a lapsed credit cannot
//!    be spent, whether or not anything has swept it up.
//! 3. **Lots are spent in a fixed order:** lower priority first, then the one that expires earlier (a lot
//!    that never expires comes last), then the older one.
//! 4. **A spend is all or nothing.** A [`Shortfall`] changes nothing and names what was needed, what is
//!    available and what is missing.
//! 5. **Spends have limits.** With a `min_balance`, no spend and no hold may leave less than that available.
//!    With caps, an account makes at most so many of them in one UTC hour and one UTC day. Where the
//!    spender agreed to a price, a spend at another one is refused.
//! 6. **A hold sets credits aside** in spend order: they remain the account's, and nobody can spend them.
//!    Capture takes up to what is held, first drawn first, and returns the rest to the lots it came from;
//!    capture of more takes the rest from what is available (down to nothing: the work is done), or is
//!    refused whole and leaves the hold as it was. Release returns all. A hold that is past its time counts as
//!    released at that moment; until then its credits can be captured even if their lot has lapsed meanwhile.
//!    No more than [`HOLDS_MAX`] are open at once.
//! 7. **A refund returns credits of a spend or a capture** to the lots that they came from, last taken first:
//!    whole or in parts, never more than was taken. Where such a lot has ended meanwhile, the credits end
//!    again at once, by an entry of their own, unless the refund gives a grace: then they come back as a new
//!    lot of that life.
//! 8. **A void ends a lot** and takes what remains in it; it is refused while a part of the lot is held. An
//!    adjustment gives a new lot, or takes in spend order what is available.
//! 9. **A clawback takes back what was bought** when its money went back, from the bought lot alone, up to a
//!    total that counts all earlier clawbacks of the lot. What was spent already, or is held, becomes *debt*, or
//!    is forgiven; what lapsed unspent is let go. The next grant or adjustment pays debt first. A reinstatement
//!    is the reverse, in reverse order; debt that was paid meanwhile comes back as a lot of its own.
//! 10. **Unlimited use costs nothing:** until its moment, a spend takes no credits and a hold sets none aside;
//!     the entry says what it would have cost.
//! 11. **Every change is one entry.** An [`Entry`] holds the change, the balances before and after, and how
//!     much moved in which lot. Entries are numbered 1, 2, 3 … per account without gaps, and are never
//!     changed or deleted.
//! 12. **Entries form a chain.** Each is hashed with the hash before it ([`chain`]), so that a later edit of
//!     history is found.
//! 13. **What falls due is settled first.** Before a command is decided, each lot that lapsed and each hold
//!     that ran out since the last one gets an entry of its own, dated at the moment when it did, in the order
//!     of these moments. So history always adds up to what is available, and a job that is late is never
//!     noticed.
//! 14. **Time never runs backwards on an account.** A command dated up to [`CLOCK_SLACK`] before the
//!     account's last entry is lifted to it; one dated further back is refused. Times are whole microseconds of
//!     the years 1 to 9999 ([`moment`]): what is finer is cut off, and what is beyond is refused.
//! 15. **A command is carried out once.** It bears an [`IdempotencyKey`], bound to a [`Fingerprint`] of its
//!     content. The same key and content returns the first answer; the same key with other content is
//!     refused. A refused command leaves no trace, so its key may succeed later.
//!
//! 16. **A subscription brings its allowance every month.** It holds the terms that were agreed, so that the law needs
//!     no catalog, and belongs to what the account is. Months are counted from its anchor, in UTC: a day that a month
//!     lacks is its last, and comes again in the next. At the end of a period the allowance of the next is granted as a
//!     lot of its own, which ends with that period. Where the plan of the next has a rollover cap, what is left of the
//!     old one goes into that lot, what would be spent last first, up to so many allowances together; the rest ends by
//!     entries of its own, and what holds set aside of it ends when it comes back. A lot that is wholly spent keeps its
//!     end, and so does what is refunded to it. The plan credits that have begun and end with a period's are those of
//!     the period, but for what is left of a free month from before it; packs and bonuses are not touched. Where the
//!     next period is not paid for when a period begins, its plan credits live on for the grace, and then the
//!     subscription ends; what follows it is nothing, or the plan that costs nothing. A larger plan begins at once and
//!     brings the difference once; a smaller one begins with the next period, as do newer terms of the same plan, one
//!     that costs nothing, any in the grace, and the end. A plan that costs nothing is not paid for, and brings its
//!     allowance once for a month: who comes back to it within that month begins without credits, and months are counted
//!     from its end. After an end within a period, months are counted from that end. A trial is for who is on no plan
//!     that is paid for. An unlimited plan makes use unlimited (rule 10). An account that has no room for a period's
//!     credits is brought none. All of it falls due as in rule 13, period by period, unless nobody has looked for a
//!     hundred years: then it goes on with the present month.
//!
//! 17. **Usage is counted with the entry:** how often each action was run, how many units of it, and the credits that it
//!     took, in months that are counted from the account's opening as in rule 16.
//!
//! 18. **A purchase comes to what is known of its money.** Its credits come once, when what was agreed is paid. A share of
//!     them goes back (rule 9) as large as that of the money, rounded down, and all of them with all of it: the greater of
//!     what its refunds add up to and what its charge tells of refunds, without those that failed, and what disputes took
//!     and have not returned. So neither the order in which it becomes known matters, nor how often it is told. The same
//!     holds for a plan's invoice and the allowance of the month that it paid for; of several months, of the last begun.
//!
//! 19. **A top-up is bought for who asked for it, and with measure.** Where less is available than the holder's threshold,
//!     the pack that they chose is bought once. No attempt begins while another is under way, or within an hour of the
//!     last; none that would bring a calendar month's (UTC) above the holder's limit; none while the account owes; and none
//!     after two in a row that did not come through, or after one whose money went back, until the holder turns it on
//!     again. Unlimited use needs none.
//!
//! # Reading order
//!
//! [`credits`] and [`id`] are the vocabulary. A [`Command`] meets an [`Account`] in [`decide`], which answers
//! with an [`Entry`] or a [`Refusal`]. [`replay`] keeps the books a second time, to check them. [`catalog`]
//! says what actions cost and what is sold, [`purchase`] what becomes of what was bought; [`level`] says when little is
//! left, [`warning`] when to tell, [`top_up`] when to buy more.

pub mod account;
pub mod calendar;
pub mod catalog;
pub mod chain;
pub mod command;
pub mod credits;
pub mod entry;
pub mod explain;
pub mod hold;
pub mod id;
pub mod key;
pub mod level;
pub mod lot;
pub mod moment;
pub mod note;
#[cfg(test)]
mod properties;
pub mod purchase;
pub mod replay;
pub mod subscription;
#[cfg(test)]
mod testing;
pub mod top_up;
pub mod usage;
pub mod warning;

pub use account::{Account, Allocation, CLOCK_SLACK, HOLDS_MAX, Quote, Receipt, Refusal, Shortfall, decide};
pub use catalog::Catalog;
pub use chain::Chain;
pub use command::{
    Act, Adjust, Adjustment, Capture, Charge, Clawback, Command, Grace, Grant, Limits, Refund, Reinstate,
    Release, Spend, Subscribe, Unlimited, Unsubscribe, Void, WhenSpent,
};
pub use credits::{Amount, Credits};
pub use entry::{Clawed, Entry, Kind, Movement};
pub use explain::Explanation;
pub use hold::{Hold, HoldLife};
pub use id::{AccountId, EntryId, ExternalId, HoldId, KeyId, LotId, LotNumber, UserId, Version};
pub use key::{Fingerprint, IdempotencyKey, KeyDigest};
pub use level::Level;
pub use lot::{Lot, LotState, Priority, Source};
pub use purchase::PurchaseState;
pub use replay::{Replay, Used, Violation};
pub use subscription::{Period, Subscription, SubscriptionState, Terms};
pub use top_up::TopUp;
pub use usage::{Tally, Usage};
pub use warning::Warning;
