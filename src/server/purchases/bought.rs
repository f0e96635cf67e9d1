//! Credits that were bought, in a pack or as a plan's for a month: how they go back with their money, and come again with
//! it. Each step is one command, in the caller's transaction.

use std::sync::Arc;

use sqlx::PgConnection;

use crate::{
    domain::{
        AccountId, Act, Amount, Clawback, Command, Credits, Entry, IdempotencyKey, LotNumber, Reinstate,
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
        let (lot, title, because) = (self.lot, self.title, facts.went_back_by(credits, self.clawed));
        let reason = |words: String| Description::parse(words).map_err(Error::internal);
        let act = match Amount::try_from(wanted.get()) {
            _ if wanted == self.clawed => return Ok(()),
            Ok(total) if wanted > self.clawed => {
                let when_spent = state.catalog().clawback;
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
        carry_out(state, conn, self.account, self.name, &key, act).await?;
        self.commands += 1;
        self.clawed = wanted;
        Ok(())
    }
}

/// One command in the name of what was bought.
pub async fn carry_out(
    state: &AppState,
    conn: &mut PgConnection,
    account: AccountId,
    name: &str,
    key: &str,
    act: Act,
) -> Result<Arc<Entry>, Error> {
    let key = IdempotencyKey::of_program(key).map_err(Error::internal)?;
    let mut command = Command::new(account, key, act);
    command.reference = Some(Reference::parse(name).map_err(Error::internal)?);
    let mut answers = state.ledger.execute_in(conn, account, &[command]).await?;
    Ok(answers.remove(0).map_err(Error::internal)?.entry)
}
