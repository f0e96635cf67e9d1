//! The frame of every page: the document, the header with the balance, the routes.

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    components::{Redirect, Route, Router, Routes},
    hooks::{use_location, use_url},
    path,
};

use super::{
    components::{Footer, Header, LowCreditBanner},
    fns::{
        Buy, CancelPurchase, ChangePlan, DismissWarning, EnterPortal, HandleDifference, RefundPurchase,
        ReplayEvent, SetTopUp, SignIn, SignOut, SignUp, Spend, TurnOffTopUp, session,
    },
    pages::{
        ActionPage, Actions, Buy as BuyPage, ChangePage, Credits, History, Home, NoSuchPage, PortalPage,
        PurchasePage, Settings, SignInPage, SignUpPage, admin,
    },
};
use crate::{problem::Problem, views::FrameView};

/// The document around the pages; rendered on the server only.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="stylesheet" href="/pkg/scrip.css" />
                <AutoReload options=options.clone() />
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let product = ProductName::default();
    provide_context(product.clone());
    view! {
        <Title formatter=move |title: String| {
            let product = product.0.get();
            if title.is_empty() { product } else { format!("{title} · {product}") }
        } />
        <Router>
            <Frame />
        </Router>
    }
}

/// What stays while the pages change.
#[component]
fn Frame() -> impl IntoView {
    // A form that failed without JavaScript left its problem in the address: the acts begin with it.
    use_url().read_untracked().provide_server_action_error();
    let acts = Acts::default();
    provide_context(acts);
    provide_context(Session(Resource::new(move || acts.version(), |_| session())));
    let path = use_location().pathname;
    Effect::watch(move || path.get(), move |_, _, _| acts.forget_problems(), false);
    provide_context(FirstPage(StoredValue::new(true)));

    view! {
        <a class="skip" href="#main" rel="external">
            "Skip to content"
        </a>
        <Header />
        <LowCreditBanner />
        <Routes fallback=NoSuchPage>
            <Route path=path!("/") view=Home />
            <Route path=path!("/sign-up") view=SignUpPage />
            <Route path=path!("/sign-in") view=SignInPage />
            <Route path=path!("/actions") view=Actions />
            <Route path=path!("/actions/:action") view=ActionPage />
            <Route path=path!("/credits") view=Credits />
            <Route path=path!("/history") view=History />
            <Route path=path!("/buy") view=BuyPage />
            <Route path=path!("/buy/:purchase") view=PurchasePage />
            <Route path=path!("/buy/plan/:plan") view=ChangePage />
            <Route path=path!("/settings") view=Settings />
            <Route path=path!("/admin") view=|| view! { <Redirect path="/admin/purchases" /> } />
            <Route path=path!("/admin/purchases") view=admin::Purchases />
            <Route path=path!("/admin/purchases/:purchase") view=admin::PurchaseFacts />
            <Route path=path!("/admin/purchases/:purchase/refund") view=admin::Refund />
            <Route path=path!("/admin/inbox") view=admin::Inbox />
            <Route path=path!("/admin/differences") view=admin::Differences />
            <Route path=path!("/portal/:token") view=PortalPage />
        </Routes>
        <Footer />
    }
}

/// The product's name in the title of every page. The header learns it with the balance; until then, and where the server
/// is out of reach, it is the program's.
#[derive(Clone)]
pub struct ProductName(ArcRwSignal<String>);

impl Default for ProductName {
    fn default() -> Self {
        Self(ArcRwSignal::new("Scrip".to_owned()))
    }
}

impl ProductName {
    pub fn learn(&self, name: &str) {
        if *self.0.read_untracked() != name {
            self.0.set(name.to_owned());
        }
    }
}

/// Everything that a person can do, in one place, so that whatever shows a balance knows when to ask anew.
#[derive(Clone, Copy, Default)]
pub struct Acts {
    pub sign_up: ServerAction<SignUp>,
    pub sign_in: ServerAction<SignIn>,
    pub sign_out: ServerAction<SignOut>,
    pub spend: ServerAction<Spend>,
    /// Sent by plain forms; here is what went wrong with one.
    pub buy: ServerAction<Buy>,
    pub cancel_purchase: ServerAction<CancelPurchase>,
    pub change_plan: ServerAction<ChangePlan>,
    /// Like `buy`.
    pub set_top_up: ServerAction<SetTopUp>,
    pub turn_off_top_up: ServerAction<TurnOffTopUp>,
    pub dismiss_warning: ServerAction<DismissWarning>,
    pub enter_portal: ServerAction<EnterPortal>,
    pub refund_purchase: ServerAction<RefundPurchase>,
    pub replay_event: ServerAction<ReplayEvent>,
    pub handle_difference: ServerAction<HandleDifference>,
}

/// Whether the page that is made now is the one that the browser loaded.
#[derive(Clone, Copy)]
pub struct FirstPage(StoredValue<bool>);

impl FirstPage {
    /// `true` once.
    pub fn take(self) -> bool {
        self.0.try_update_value(|is_first| std::mem::replace(is_first, false)).unwrap_or_default()
    }
}

impl Acts {
    /// What went wrong on one page is no news on another.
    fn forget_problems(self) {
        self.sign_up.clear();
        self.sign_in.clear();
        self.spend.clear();
        self.enter_portal.clear();
        self.buy.clear();
        self.cancel_purchase.clear();
        self.change_plan.clear();
        self.set_top_up.clear();
        self.turn_off_top_up.clear();
        self.refund_purchase.clear();
        self.replay_event.clear();
        self.handle_difference.clear();
    }

    /// Differs after anything was done.
    fn version(self) -> usize {
        self.sign_up.version().get()
            + self.sign_in.version().get()
            + self.sign_out.version().get()
            + self.spend.version().get()
            + self.change_plan.version().get()
            + self.dismiss_warning.version().get()
            + self.turn_off_top_up.version().get()
            + self.enter_portal.version().get()
    }
}

/// The product and who is signed in: one question to the server for all of a page.
#[derive(Clone, Copy)]
pub struct Session(pub Resource<Result<FrameView, Problem>>);
