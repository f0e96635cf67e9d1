//! What a member sets: automatic top-up.

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    domain::top_up::PausedBy,
    problem::Problem,
    text,
    views::{TopUpStateView, TopUpView},
    web::{
        app::Acts,
        components::{
            DateTime, FieldError, Message, Notice, NoticeKind, Page, ProblemNotice, SubmitButton, loaded,
        },
        fns::top_up,
    },
};

#[component]
pub fn Settings() -> impl IntoView {
    let Acts { turn_off_top_up, .. } = expect_context();
    let answer = Resource::new(move || turn_off_top_up.version().get(), |_| top_up());
    let query = use_query_map();
    let is_saved = move || query.read().get("saved").is_some() && turn_off_top_up.version().get() == 0;
    view! {
        <Page title="Settings" narrow=true>
            <div class="intro">
                <h1>"Settings"</h1>
            </div>
            <div role="status">
                {move || {
                    is_saved()
                        .then(|| view! { <Notice kind=NoticeKind::Success>"Your settings are saved."</Notice> })
                }}
            </div>
            {loaded(
                answer,
                |top_up| match top_up {
                    Some(top_up) => Either::Left(view! { <TopUp top_up /> }),
                    None => {
                        Either::Right(
                            view! {
                                <Message title="Nothing to set" href="/actions" link="Go to Actions">
                                    "No credits are sold here, so there is nothing to buy by itself."
                                </Message>
                            },
                        )
                    }
                },
            )}
        </Page>
    }
}

#[component]
fn TopUp(top_up: TopUpView) -> impl IntoView {
    let Acts { turn_off_top_up, .. } = expect_context();
    let (state, left, last) = (top_up.state.clone(), top_up.left.clone(), top_up.last.clone());
    let is_on = state.is_on();
    let can_end = is_on || matches!(state, TopUpStateView::Waiting { .. });
    let spent = left.filter(|_| is_on).map(|(left, limit)| {
        view! {
            <div>
                <dt>"Left to spend this month"</dt>
                <dd>{format!("{left} of {limit}")}</dd>
            </div>
        }
    });
    let last = last.map(|(at, price, state)| {
        view! {
            <div>
                <dt>"Last top-up"</dt>
                <dd>
                    <span>
                        <DateTime at /> {format!(", {price} ")}
                        <span class="tag" data-state=state.as_str()>
                            {text::purchase_state(state)}
                        </span>
                    </span>
                </dd>
            </div>
        }
    });
    let facts = (spent.is_some() || last.is_some()).then(|| {
        view! {
            <div class="card">
                <dl class="rows">{spent} {last}</dl>
            </div>
        }
    });
    view! {
        <section class="section" aria-labelledby="top-up">
            <div class="intro">
                <h2 id="top-up">"Automatic top-up"</h2>
                <p>"Buys a pack with your card when your credits fall below a number, so that you never run out."</p>
            </div>
            <Standing state />
            {facts}
            <Form top_up />
            {can_end
                .then(|| {
                    view! {
                        <ActionForm action=turn_off_top_up>
                            <SubmitButton
                                class="button text"
                                pending=turn_off_top_up.pending()
                                words="Turn automatic top-up off"
                            />
                        </ActionForm>
                    }
                })}
        </section>
    }
}

/// Whether it is on, and what stands in its way.
#[component]
fn Standing(state: TopUpStateView) -> impl IntoView {
    let (kind, words, way) = match state {
        TopUpStateView::Off => (NoticeKind::Info, "It is off: nothing is bought by itself.", None),
        TopUpStateView::Waiting { checkout } => (
            NoticeKind::Info,
            "It is not on yet: it is once the first pack is paid, with the card that you pay with. ",
            checkout,
        ),
        TopUpStateView::On => (NoticeKind::Success, "It is on.", None),
        TopUpStateView::Paused(PausedBy::MoneyBack) => (
            NoticeKind::Danger,
            "It is paused: the money of the last top-up went back. Nothing is bought until you turn it on again, with this \
             card or with another one.",
            None,
        ),
        TopUpStateView::Paused(PausedBy::Declines) => (
            NoticeKind::Danger,
            "It is paused: your card was declined twice in a row. Nothing is bought until you turn it on again, with this \
             card or with another one.",
            None,
        ),
        TopUpStateView::NotSold => (
            NoticeKind::Danger,
            "It buys nothing: the pack that you chose is not sold any more as it was. Choose another one.",
            None,
        ),
    };
    let way = way.map(|url| {
        view! {
            <a href=url rel="external">
                "Continue to payment"
            </a>
        }
    });
    view! { <Notice kind>{words} {way}</Notice> }
}

/// A plain form: it may lead to the payment page.
#[component]
fn Form(top_up: TopUpView) -> impl IntoView {
    let TopUpView { state, threshold, pack, limit, packs, version, attempt, .. } = top_up;
    let Acts { set_top_up, .. } = expect_context();
    let problem = Memo::new(move |_| set_top_up.value().get().and_then(Result::err));
    let about = move |is_of: fn(&Problem) -> bool| Signal::derive(move || problem.get().filter(is_of));
    let of_threshold = about(|problem| matches!(problem, Problem::UnitsInvalid));
    let of_pack = about(|problem| matches!(problem, Problem::UnknownPack));
    let of_limit = about(|problem| matches!(problem, Problem::AmountInvalid | Problem::LimitTooLow));
    let of_all = Signal::derive(move || {
        let is_of_field = [of_threshold, of_pack, of_limit].iter().any(|problem| problem.read().is_some());
        problem.get().filter(|_| !is_of_field)
    });
    let options = packs.into_iter().map(|offered| {
        let is_chosen = offered.key == pack;
        let words = format!("{}, {}", offered.title, offered.price);
        view! {
            <option value=offered.key selected=is_chosen>
                {words}
            </option>
        }
    });
    let invalid = |problem: Signal<Option<Problem>>| move || problem.read().is_some().then_some("true");
    let main = match state {
        TopUpStateView::On | TopUpStateView::NotSold => "Save",
        TopUpStateView::Paused(_) => "Turn on again",
        TopUpStateView::Off | TopUpStateView::Waiting { .. } => "Turn on",
    };
    let other_card = matches!(state, TopUpStateView::Paused(_)).then(|| {
        view! {
            <button class="button" name="card" value="new">
                "Buy the pack with another card, and turn on"
            </button>
        }
    });
    view! {
        <form class="form" method="post" action="/fn/set_top_up" novalidate>
            <ProblemNotice problem=of_all />
            <input type="hidden" name="version" value=version />
            <input type="hidden" name="attempt" value=attempt />
            <div class="field">
                <label for="threshold">"When fewer credits are left than"</label>
                <input
                    id="threshold"
                    name="threshold"
                    inputmode="numeric"
                    autocomplete="off"
                    required
                    value=threshold
                    aria-describedby="threshold-error"
                    aria-invalid=invalid(of_threshold)
                />
                <FieldError id="threshold-error" problem=of_threshold />
            </div>
            <div class="field">
                <label for="pack">"Buy this pack"</label>
                <select id="pack" name="pack" aria-describedby="pack-error" aria-invalid=invalid(of_pack)>
                    {options.collect_view()}
                </select>
                <FieldError id="pack-error" problem=of_pack />
            </div>
            <div class="field">
                <label for="limit">"Spend at most, each month"</label>
                <p class="field-hint" id="limit-hint">
                    "An amount in the currency of the pack, such as 50.00. A month is a calendar month, in UTC. A pack that you buy yourself does not count."
                </p>
                <input
                    id="limit"
                    name="limit"
                    inputmode="decimal"
                    autocomplete="off"
                    required
                    value=limit
                    aria-describedby="limit-hint limit-error"
                    aria-invalid=invalid(of_limit)
                />
                <FieldError id="limit-error" problem=of_limit />
            </div>
            <p class="aside">
                "By turning it on you allow us to charge the card that you keep with us, at most once an hour and up to this "
                "limit, until you turn it off. Where you keep none, you buy the pack once on the payment page, and the card "
                "that you pay with is kept."
            </p>
            <div class="buttons">
                <button class="button primary" name="card" value="kept">
                    {main}
                </button>
                {other_card}
            </div>
        </form>
    }
}
