//! Parts that more than one page is made of.

mod balance_badge;
mod buy_form;
mod cost_prompt;
mod credentials;
mod entry_table;
mod field;
mod footer;
mod header;
mod lot_table;
mod low_credit_banner;
mod manage_payment;
mod message;
mod notice;
mod page;
mod plan_card;
mod price_list;
mod sign_in_first;
mod submit_button;
mod table;
mod time;

pub use self::{
    balance_badge::BalanceBadge,
    buy_form::BuyForm,
    cost_prompt::CostPrompt,
    credentials::CredentialsFields,
    entry_table::EntryTable,
    field::FieldError,
    footer::Footer,
    header::Header,
    lot_table::LotTable,
    low_credit_banner::LowCreditBanner,
    manage_payment::ManagePayment,
    message::{Message, ProblemMessage},
    notice::{Notice, NoticeKind, ProblemNotice},
    page::{Page, loaded},
    plan_card::PlanCard,
    price_list::{ActionText, PackList, PlanList, PriceList},
    sign_in_first::SignInFirst,
    submit_button::SubmitButton,
    table::{Column, Table},
    time::{Date, DateTime},
};
