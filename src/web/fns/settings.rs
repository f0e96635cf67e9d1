//! Settings: what a member has chosen, and choosing otherwise.

use leptos::prelude::*;

use crate::{problem::Problem, views::TopUpView};

/// The member's automatic top-up; none where no packs are sold. After a form that failed, with what was typed into it.
#[server(prefix = "/fn", endpoint = "top_up")]
pub async fn top_up() -> Result<Option<TopUpView>, Problem> {
    use crate::server::{
        caller::{TYPED_TOP_UP, answer},
        settings::{self, Typed},
    };
    answer(|caller| async move {
        let member = caller.member().await?;
        let typed = caller.typed(TYPED_TOP_UP).filter(|_| caller.bears_problem());
        settings::top_up(&caller.state, &member, typed.as_deref().map(Typed::of_kept)).await
    })
    .await
}

/// Turns automatic top-up on, or changes it; leads to the payment page where a card is to be kept first. `version`: of what
/// the member has seen.
#[server(prefix = "/fn", endpoint = "set_top_up")]
pub async fn set_top_up(
    threshold: String,
    pack: Option<String>,
    limit: String,
    card: String,
    version: i32,
    attempt: String,
) -> Result<(), Problem> {
    use crate::server::{
        buying,
        caller::{TYPED_TOP_UP, answer},
        settings::{self, Sent, Typed},
    };
    answer(|caller| async move {
        let member = caller.member().await?;
        let typed = Typed { threshold, pack: pack.unwrap_or_default(), limit };
        caller.remember_typed(TYPED_TOP_UP, &typed.kept());
        buying::check_attempt(&attempt)?;
        let sent = Sent { typed, has_new_card: card == "new", version, attempt };
        let url = settings::set_top_up(&caller.state, &caller.state.stripe, member.account, &sent).await?;
        caller.lead_out(&url);
        Ok(())
    })
    .await
}

#[server(prefix = "/fn", endpoint = "turn_off_top_up")]
pub async fn turn_off_top_up() -> Result<(), Problem> {
    use crate::server::{caller::answer, settings};
    answer(|caller| async move {
        let member = caller.member().await?;
        settings::turn_off_top_up(&caller.state, member.account).await
    })
    .await
}
