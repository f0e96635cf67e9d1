//! Credits that were bought, in a pack or as a plan's for a month: how they go back with their money, and come again with
//! it. Each step is one command, in the caller's transaction.

use std::sync::Arc;

use sqlx::PgConnection;

use super::differ;
use crate::{
    domain::{
        AccountId, Act, Amount, Clawback, Command, Credits, Entry, IdempotencyKey, LotNumber, Refusal,
        Reinstate, WhenSpent,
        note::{Description, Reference},
        purchase::{Back, Facts},
    },
    server::{AppState, Error},
};

/// Credits that were bought.
#[derive(Debug)]
pub struct Bought<'a> {
    pub account: AccountId,
    /// With what: a purchase, or an invoice of Stripe's. Its name goes into the entries, and its keys are made of both.
    pub kind: &'static str,
    pub name: &'a str,
    /// As people know it.
    pub title: &'a str,
    pub lot: LotNumber,
    /// What becomes of those whose money goes back once they are spent.
    pub when_spent: WhenSpent,
    /// How many have gone back.
    pub clawed: Credits,
    /// How many commands it has led to.
    pub commands: i32,
}

impl Bought<'_> {
    /// Takes credits back, or gives them back, until as many of `credits` are gone as should be.
    pub async fn take(
        &mut self,
        state: &AppState,
        conn: &mut PgConnection,
        facts: &Facts,
        credits: Amount,
    ) -> Result<(), Error> {
        let wanted = facts.clawed(credits);
        let (lot, title, when_spent) = (self.lot, self.title, self.when_spent);
        let because = facts.went_back_by(credits, self.clawed);
        let reason = |words: String| Description::parse(words).map_err(Error::internal);
        let act = match Amount::try_from(wanted.get()) {
            _ if wanted == self.clawed => return Ok(()),
            Ok(total) if wanted > self.clawed => {
                let words = match because {
                    Back::Refund => format!("Refund of {title}"),
                    Back::Dispute => format!("{title}: the payment is disputed"),
                };
                Act::Clawback(Clawback { lot, total, when_spent, reason: reason(words)? })
            }
            _ => {
                let words = match because {
                    Back::Refund => format!("Refund of {title} taken back"),
                    Back::Dispute => format!("{title}: the dispute was won"),
                };
                Act::Reinstate(Reinstate { lot, total: wanted, reason: reason(words)? })
            }
        };
        let key = format!("{}:{}:{}", self.kind, self.name, self.commands);
        match carry_out(state, conn, self.account, self.name, &key, act).await? {
            Ok(_) => {
                self.commands += 1;
                self.clawed = wanted;
            }
            // Money must not keep back whatever else is told with it.
            Err(refusal) => {
                let what = format!("{} of its credits should be gone, and are not: {refusal}", wanted.get());
                differ(state, conn, "credits_not_taken", self.name, what).await?;
            }
        }
        Ok(())
    }
}

/// One command in the name of what was bought. A refusal leaves no trace.
pub async fn carry_out(
    state: &AppState,
    conn: &mut PgConnection,
    account: AccountId,
    name: &str,
    key: &str,
    act: Act,
) -> Result<Result<Arc<Entry>, Refusal>, Error> {
    let key = IdempotencyKey::of_program(key).map_err(Error::internal)?;
    let mut command = Command::new(account, key, act);
    command.reference = Some(Reference::parse(name).map_err(Error::internal)?);
    let mut answers = state.ledger.execute_in(conn, account, &[command]).await?;
    Ok(answers.remove(0).map(|receipt| receipt.entry))
}
