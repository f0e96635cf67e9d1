//! All purchases, newest first.

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{AdminPage, Older};
use crate::{
    domain::PurchaseState,
    text,
    views::{PurchaseRowView, PurchasesView},
    web::{
        components::{Column, DateTime, Message, Table, loaded},
        fns::admin_purchases,
    },
};

#[component]
pub fn Purchases() -> impl IntoView {
    let query = use_query_map();
    let asked = move || (query.read().get("state"), query.read().get("before"));
    let answer = Resource::new(asked, |(state, before)| admin_purchases(state, before));
    view! { <AdminPage title="Purchases">{loaded(answer, |purchases| view! { <All purchases /> })}</AdminPage> }
}

#[component]
fn All(purchases: PurchasesView) -> impl IntoView {
    let PurchasesView { rows, state, older } = purchases;
    let options = PurchaseState::ALL.map(|offered| {
        view! {
            <option value=offered.as_str() selected=state == Some(offered)>
                {text::purchase_state(offered)}
            </option>
        }
    });
    let rows = if rows.is_empty() {
        Either::Left(view! {
            <Message title="No purchases" href="/admin/purchases" link="Show all">
                "Nothing was bought, or nothing that is in this state."
            </Message>
        })
    } else {
        Either::Right(view! { <Rows rows /> })
    };
    let filter = state.map(|state| format!("state={}&", state.as_str())).unwrap_or_default();
    let older = older.map(|before| format!("/admin/purchases?{filter}before={before}"));
    view! {
        <h1>"Purchases"</h1>
        <form class="filter" method="get" action="/admin/purchases">
            <div class="field">
                <label for="state">"State"</label>
                <select id="state" name="state">
                    <option value="">"All"</option>
                    {options.into_iter().collect_view()}
                </select>
            </div>
            <button class="button">"Show"</button>
        </form>
        {rows}
        <Older href=older />
    }
}

#[component]
fn Rows(rows: Vec<PurchaseRowView>) -> impl IntoView {
    let rows = rows.into_iter().map(|row| {
        let PurchaseRowView { id, title, account, holder, price, state, is_automatic, begun } = row;
        view! {
            <tr role="row">
                <td role="cell" class="quiet">
                    <DateTime at=begun />
                </td>
                <th scope="row" role="rowheader">
                    <a href=format!("/admin/purchases/{id}")>{title}</a>
                    " "
                    <span class="tag" data-state=state.as_str()>
                        {text::purchase_state(state)}
                    </span>
                    {is_automatic.then(|| view! { " " <span class="tag">"automatic"</span> })}
                </th>
                <td role="cell" class="number">
                    {price}
                </td>
                <td role="cell" class="quiet">
                    <p>{holder}</p>
                    <code>{account}</code>
                </td>
            </tr>
        }
    });
    view! {
        <Table
            caption="Newest first" times=true
            columns=[Column::Words("Begun"), Column::Words("What"), Column::Number("Price"), Column::Words("Account")]
        >
            {rows.collect_view()}
        </Table>
    }
}
