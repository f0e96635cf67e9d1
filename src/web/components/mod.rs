//! Parts that more than one page is made of.

mod balance_badge;
mod cost_prompt;
mod credentials;
mod entry_table;
mod header;
mod lot_table;
mod message;
mod notice;
mod page;
mod price_list;
mod sign_in_first;
mod submit_button;
mod time;

pub use self::{
    balance_badge::BalanceBadge,
    cost_prompt::CostPrompt,
    credentials::CredentialsFields,
    entry_table::EntryTable,
    header::Header,
    lot_table::LotTable,
    message::{Message, ProblemMessage},
    notice::{Notice, NoticeKind, ProblemNotice},
    page::{Page, loaded},
    price_list::{ActionText, PackList, PlanList, PriceList},
    sign_in_first::SignInFirst,
    submit_button::SubmitButton,
    time::{Date, DateTime},
};
