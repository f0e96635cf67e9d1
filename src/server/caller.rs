//! Who called a server function or asked for a page, and how the answer leaves: a fault becomes a
//! [`Problem`], its status goes onto the response, its cause into the log.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use percent_encoding::percent_decode_str;
use tower_cookies::{Cookie, Cookies, cookie::SameSite};
use tower_sessions::Session;

use super::{
    AppState, Error,
    layers::RequestId,
    store::people::{Role, User},
};
use crate::{domain::Entry, problem::Problem, text::query_value};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");
const PURPOSE: HeaderName = HeaderName::from_static("purpose");

/// Keeps what was typed into a form that failed, so that a browser without JavaScript can show it again.
const TYPED_SECS: i64 = 60;
const TYPED_BYTES_MAX: usize = 256;
/// By which form it was typed in.
const TYPED_EMAIL: &str = "typed_email";
pub const TYPED_TOP_UP: &str = "typed_top_up";

/// A request on its way through a server function, called by a browser or by a page being rendered.
pub struct Caller {
    pub state: AppState,
    pub session: Session,
    parts: Parts,
    response: ResponseOptions,
}

/// Runs the body of a server function for the one who called it.
pub async fn answer<T, F>(work: impl FnOnce(Caller) -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<T, Error>>,
{
    let (Some(state), Some(parts), Some(response)) =
        (use_context::<AppState>(), use_context::<Parts>(), use_context::<ResponseOptions>())
    else {
        return Err(Problem::Internal { reference: uuid::Uuid::nil() });
    };
    let request = RequestId::of(&parts.extensions);
    let is_page = is_page(&parts);
    let Some(session) = parts.extensions.get::<Session>().cloned() else {
        return Err(Error::internal("a request that passed no session layer").into_problem(request));
    };

    let caller = Caller { state, session, parts, response: response.clone() };
    work(caller).await.map_err(|error| {
        let problem = error.into_problem(request);
        // A call's status is read off its answer (`router`); a page's is set here, unless whoever is
        // signed out was led to where one signs in.
        if is_page && problem != Problem::SignedOut {
            response.set_status(status_of(&problem));
        }
        problem
    })
}

impl Caller {
    /// Who is signed in, if anybody.
    pub async fn user(&self) -> Result<Option<User>, Error> {
        self.state.auth.current(&self.session).await
    }

    /// Who is signed in; anybody else is led to where one signs in, and back afterwards.
    pub async fn member(&self) -> Result<User, Error> {
        match self.user().await? {
            Some(user) => Ok(user),
            None => {
                self.lead_to(&format!("/sign-in?next={}", query_value(&self.page())));
                Err(Problem::SignedOut.into())
            }
        }
    }

    /// Who is signed in, where that is an admin.
    pub async fn admin(&self) -> Result<User, Error> {
        let user = self.member().await?;
        if user.role == Role::Admin { Ok(user) } else { Err(Problem::NotAnAdmin.into()) }
    }

    /// The address that the request came from.
    pub fn address(&self) -> IpAddr {
        if self.state.behind_proxy {
            // The last one is the proxy's own word; those before it are whatever the caller sent.
            let said = self.parts.headers.get_all(FORWARDED_FOR).iter().next_back();
            let last = said.and_then(|said| said.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
            if let Some(address) = last {
                return address;
            }
        }
        let connection = self.parts.extensions.get::<ConnectInfo<SocketAddr>>();
        connection.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |connection| connection.0.ip())
    }

    /// Sends the browser to another page of ours.
    pub fn lead_to(&self, path: &str) {
        let path = local_path(path);
        if self.is_page() {
            self.response.set_status(StatusCode::FOUND);
            if let Ok(location) = HeaderValue::from_str(path) {
                self.response.insert_header(header::LOCATION, location);
            }
        } else {
            leptos_axum::redirect(path);
        }
    }

    /// Sends the browser to a page that the server itself has named: a payment page, wherever that is.
    pub fn lead_out(&self, url: &str) {
        leptos_axum::redirect(url);
    }

    /// To the notice of a spend.
    pub fn lead_to_spent(&self, entry: &Entry) {
        self.lead_to(&format!("/actions?spent={}", entry.version.0));
    }

    /// Puts the key of a page's form into the page's address, if it is not there. Whatever happens to the
    /// form, the page that one comes back to is still about the same spend.
    pub fn keep_key(&self, key: &str) {
        let page = self.page();
        if !self.bears_problem() && !page.contains("key=") {
            let sign = if page.contains('?') { '&' } else { '?' };
            self.lead_to(&format!("{page}{sign}key={}", query_value(key)));
        }
    }

    /// Whether the page is the one that a form that failed leads back to.
    pub fn bears_problem(&self) -> bool {
        self.is_page() && self.parts.uri.query().is_some_and(|query| query.contains("__err="))
    }

    /// Ends a form with an e-mail address in it: on success at `next`, else back at the form.
    pub fn finish_form(&self, done: Result<(), Error>, email: &str, next: &str) -> Result<(), Error> {
        match done {
            Ok(()) => {
                self.remember_typed(TYPED_EMAIL, "");
                self.lead_to(next);
            }
            Err(_) => self.remember_typed(TYPED_EMAIL, email),
        }
        done
    }

    /// Keeps what was typed into a form for the page that shows it again; nothing: forgets it.
    pub fn remember_typed(&self, form: &'static str, typed: &str) {
        let Some(cookies) = self.parts.extensions.get::<Cookies>() else { return };
        let cookie = Cookie::build((form, query_value(typed))).path("/").http_only(true);
        if typed.is_empty() || typed.len() > TYPED_BYTES_MAX {
            cookies.remove(cookie.build());
        } else {
            let life = time::Duration::seconds(TYPED_SECS);
            cookies.add(cookie.same_site(SameSite::Lax).max_age(life).build());
        }
    }

    pub fn typed_email(&self) -> Option<String> {
        self.typed(TYPED_EMAIL)
    }

    /// What was just typed into a form.
    pub fn typed(&self, form: &'static str) -> Option<String> {
        let cookies = self.parts.extensions.get::<Cookies>()?;
        let cookie = cookies.get(form)?;
        percent_decode_str(cookie.value()).decode_utf8().ok().map(Into::into)
    }

    /// Whether a browser, or whoever shows links, only looks ahead: nobody has decided to go there.
    pub fn looks_ahead(&self) -> bool {
        let purposes = [SEC_PURPOSE, PURPOSE].map(|name| self.parts.headers.get(name));
        let is_prefetch =
            |purpose: &HeaderValue| purpose.to_str().is_ok_and(|told| told.contains("prefetch"));
        self.parts.method == Method::HEAD || purposes.into_iter().flatten().any(is_prefetch)
    }

    /// Whether a page is being rendered, rather than a function called by one.
    pub fn is_page(&self) -> bool {
        is_page(&self.parts)
    }

    /// The page that the person is looking at, as a path with its query; without what an earlier form left
    /// in it.
    pub fn page(&self) -> String {
        let uri = if self.is_page() {
            Some(self.parts.uri.clone())
        } else {
            let referer = self.parts.headers.get(header::REFERER).and_then(|referer| referer.to_str().ok());
            referer.and_then(|referer| referer.parse().ok())
        };
        let Some(uri) = uri else { return "/".to_owned() };
        let query = uri.query().unwrap_or_default().split('&');
        let kept: Vec<&str> = query.filter(|pair| !pair.is_empty() && !pair.starts_with("__")).collect();
        if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) }
    }
}

/// A page is asked for, or at least its headers.
fn is_page(parts: &Parts) -> bool {
    matches!(parts.method, Method::GET | Method::HEAD)
}

pub fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A path on this site, or the home page where somebody tries to lead elsewhere.
pub fn local_path(path: &str) -> &str {
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_local { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for path in ["/actions", "/history?before=5", "/"] {
            assert_eq!(local_path(path), path);
        }
        for path in ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\nb", "/é"]
        {
            assert_eq!(local_path(path), "/", "{path:?}");
        }
    }
}
