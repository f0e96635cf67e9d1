//! The actors of the tests: the program, and the browsers that use it.

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use leptos::config::LeptosOptions;
use reqwest::{Response, StatusCode, header, redirect::Policy};
use scrip::{
    domain::{
        AccountId, Act, Amount, Command, Credits, Grant, IdempotencyKey, Source, Spend, note::Description,
    },
    router::router,
    server::{
        AppState,
        auth::Credentials,
        catalog,
        clock::Clock,
        config::{Config, Database},
        store::people::Role,
        stripe::Settings,
    },
};
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinHandle};

/// Ten credits to begin with; one action at a fixed price, one by unit.
pub const CATALOG: &str = r#"
    name = "Test product"
    summary = "What the tests run."
    low_balance = 2
    [signup]
    credits = 10
    [[actions]]
    key = "render"
    title = "Render a picture"
    cost = 1
    [[actions]]
    key = "complete"
    title = "Complete a text"
    unit = "tokens"
    units_per_credit = 2000
"#;

/// A moment for clocks that stand.
pub fn noon() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// The program, serving on a port of its own until the test ends.
pub struct App {
    pub state: AppState,
    pub url: String,
    server: JoinHandle<()>,
}

impl App {
    pub async fn start(pool: PgPool) -> Self {
        Self::start_with(pool, Clock::default(), CATALOG).await
    }

    /// One that is no sandbox.
    pub async fn start_live(pool: PgPool) -> Self {
        let return_origins = vec!["https://app.example.com".to_owned()];
        let stripe = Settings::read("sk_test_1", "whsec_1", "http://127.0.0.1:1").unwrap();
        let live = Config { is_sandbox: false, stripe, return_origins, ..config() };
        let catalog = catalog::parse(CATALOG).unwrap();
        Self::serve(AppState::new(pool, Clock::default(), catalog, &live).await.unwrap()).await
    }

    /// One whose stand-in Stripe tells `listener` what happens, and not the program.
    pub async fn start_told(pool: PgPool, clock: Clock, listener: SocketAddr) -> Self {
        let leptos = LeptosOptions::builder().output_name("scrip").site_addr(listener).build();
        let catalog = catalog::parse(CATALOG).unwrap();
        let config = Config { leptos, ..config() };
        Self::serve(AppState::new(pool, clock, catalog, &config).await.unwrap()).await
    }

    /// One whose stand-in Stripe is asked by the program, and tells it what happens.
    pub async fn start_selling(pool: PgPool, clock: Clock, catalog: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let leptos = LeptosOptions::builder().output_name("scrip").site_addr(address).build();
        let config = Config { leptos, ..config() };
        let catalog = catalog::parse(catalog).unwrap();
        Self::serve_at(listener, AppState::new(pool, clock, catalog, &config).await.unwrap())
    }

    pub async fn start_with(pool: PgPool, clock: Clock, catalog: &str) -> Self {
        Self::serve(state(pool, clock, catalog).await).await
    }

    async fn serve(state: AppState) -> Self {
        Self::serve_at(TcpListener::bind("127.0.0.1:0").await.unwrap(), state)
    }

    fn serve_at(listener: TcpListener, state: AppState) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = router(state.clone(), false).into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { state, url, server }
    }

    /// A browser without JavaScript that nobody has signed in with.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.url, true)
    }

    /// A browser whose person has just signed up.
    pub async fn member(&self, email: &str) -> Browser {
        let browser = self.browser();
        let page = browser.submit("/sign-up", "sign_up", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(page.url().path(), "/actions", "signing up leads to the actions");
        browser
    }

    pub async fn account_of(&self, email: &str) -> AccountId {
        let id = sqlx::query_scalar!("select account_id from users where email = $1", email);
        id.fetch_one(&self.state.pool).await.unwrap().into()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub const PASSWORD: &str = "correct horse battery";

pub async fn state(pool: PgPool, clock: Clock, catalog: &str) -> AppState {
    let catalog = catalog::parse(catalog).unwrap();
    AppState::new(pool, clock, catalog, &config()).await.unwrap()
}

fn config() -> Config {
    Config {
        database: Database::Private("unused".into()),
        catalog: "unused".into(),
        base_url: None,
        return_origins: Vec::new(),
        is_sandbox: true,
        stripe: Settings::default(),
        behind_proxy: false,
        leptos: LeptosOptions::builder().output_name("scrip").build(),
    }
}

/// A browser: it keeps cookies and, where asked to, follows redirects.
pub struct Browser {
    client: reqwest::Client,
    url: String,
}

impl Browser {
    pub fn new(url: &str, follows: bool) -> Self {
        let policy = if follows { Policy::default() } else { Policy::none() };
        let client = reqwest::Client::builder().cookie_store(true).redirect(policy).build().unwrap();
        Self { client, url: url.to_owned() }
    }

    pub async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        request.header(header::ACCEPT, "text/html").send().await.unwrap()
    }

    /// The page's source, which must be there.
    pub async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.unwrap()
    }

    /// Sends a form that stands on `page`, as a browser without JavaScript does.
    pub async fn submit(&self, page: &str, function: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}/fn/{function}", self.url)).form(fields);
        let request = request.header(header::ACCEPT, "text/html").header(header::ORIGIN, &self.url);
        request.header(header::REFERER, format!("{}{page}", self.url)).send().await.unwrap()
    }

    /// Calls a server function, as a page with JavaScript does.
    pub async fn call(&self, function: &str, fields: &[(&str, &str)]) -> Response {
        self.call_from(&self.url, function, fields).await
    }

    /// The same from a page of another site.
    pub async fn call_from(&self, origin: &str, function: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}/fn/{function}", self.url)).form(fields);
        request
            .header(header::ACCEPT, "application/json")
            .header(header::ORIGIN, origin)
            .send()
            .await
            .unwrap()
    }

    /// Any other request.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// The fields of the confirmation on an action's page.
    pub async fn prompt(&self, path: &str) -> Vec<(String, String)> {
        let page = self.page(path).await;
        ["account", "action", "units", "cost", "idempotency_key"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), field(&page, name)?)))
            .collect()
    }

    pub async fn confirm(&self, page: &str, fields: &[(String, String)]) -> Response {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.submit(page, "spend", &fields).await
    }
}

/// The value of a hidden field in a page's source.
pub fn field(page: &str, name: &str) -> Option<String> {
    let inputs = page.split("<input ").skip(1).map(|rest| &rest[..rest.find('>').unwrap_or(0)]);
    let input = inputs.into_iter().find(|input| input.contains(&format!("name=\"{name}\"")))?;
    let value = input.split("value=\"").nth(1)?;
    Some(value[..value.find('"')?].to_owned())
}

pub fn amount(number: i64) -> Amount {
    Amount::try_from(number).unwrap()
}

pub fn credits(number: i64) -> Credits {
    Credits::try_from(number).unwrap()
}

/// A new account that holds what the catalog gives at sign-up.
pub async fn account(state: &AppState, email: &str) -> AccountId {
    let typed = Credentials { email: email.to_owned(), password: PASSWORD.to_owned() };
    state.auth.create(typed, Role::Member).await.unwrap().account
}

/// A spend at what the catalog asks.
pub fn spend(state: &AppState, account: AccountId, key: &str, action: &str, units: Option<i64>) -> Command {
    command(account, key, Act::Spend(spending(state, action, units)))
}

pub fn spending(state: &AppState, action: &str, units: Option<i64>) -> Spend {
    let units = units.map(|units| units.try_into().unwrap());
    let catalog = state.catalog();
    let charge = catalog.action(action).unwrap().price(units).unwrap();
    Spend { agreed: Some(charge.cost), charge, limits: catalog.limits, description: None }
}

pub fn reason() -> Description {
    Description::parse("Because").unwrap()
}

pub fn grant(account: AccountId, key: &str, number: i64, expires_at: Option<DateTime<Utc>>) -> Command {
    let grant = Grant {
        amount: amount(number),
        source: Source::Bonus,
        priority: Source::Bonus.default_priority(),
        effective_at: None,
        expires_at,
        description: Description::parse("Bonus").unwrap(),
    };
    command(account, key, Act::Grant(grant))
}

pub fn command(account: AccountId, key: &str, act: Act) -> Command {
    Command::new(account, IdempotencyKey::parse(key).unwrap(), act)
}
