//! How Stripe is reached: with which key and where, and with what it signs. Without a key there is the sandbox, a
//! stand-in within this program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::Uri;
use thiserror::Error;

use super::signature::{NotSecrets, Secrets};
use crate::domain::purchase::Mode;

/// What the stand-in is asked with. It guards nothing: whoever reaches the sandbox may do anything there.
pub const SANDBOX_KEY: &str = "sk_test_sandbox_of_scrip";
/// Where the stand-in answers.
const SANDBOX_PATH: &str = "/sandbox/stripe";

#[derive(Clone, Default)]
pub struct Settings {
    /// `None`: the sandbox.
    key: Option<String>,
    /// `None`: Stripe's own, or the sandbox's.
    base: Option<String>,
    /// In the sandbox these may be missing.
    pub secrets: Secrets,
}

/// None of them repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotSettings {
    #[error("STRIPE_SECRET_KEY is a publishable key; take the secret one, which starts with sk_")]
    Publishable,
    #[error(
        "STRIPE_SECRET_KEY is not a key of Stripe's: those start with sk_test_, sk_live_, rk_test_ or rk_live_"
    )]
    NotAKey,
    #[error(
        "STRIPE_SECRET_KEY is set without STRIPE_WEBHOOK_SECRET: nothing that Stripe tells could be believed. \
         It is shown beside the endpoint in Stripe's dashboard, and starts with whsec_"
    )]
    NoSecret,
    #[error("STRIPE_WEBHOOK_SECRET is {0}")]
    Secrets(#[from] NotSecrets),
    #[error("STRIPE_API_BASE must be an address such as https://api.stripe.com, not “{0}”")]
    Base(String),
    #[error("STRIPE_API_BASE is set without STRIPE_SECRET_KEY, which would be the sandbox")]
    BaseOfSandbox,
    #[error(
        "STRIPE_SECRET_KEY is a live key: it is not sent to a sandbox, nor without https; unset STRIPE_API_BASE"
    )]
    LiveElsewhere,
}

impl Settings {
    /// What the three variables say; each is empty where it is not set.
    pub fn read(key: &str, secrets: &str, base: &str) -> Result<Self, NotSettings> {
        let key = Some(key).filter(|key| !key.is_empty());
        if let Some(key) = key {
            check_key(key)?;
        }
        let secrets = match (secrets, key) {
            ("", Some(_)) => return Err(NotSettings::NoSecret),
            ("", None) => Secrets::default(),
            (secrets, _) => secrets.parse()?,
        };
        let base = base.trim_end_matches('/');
        let settings = Self {
            key: key.map(ToOwned::to_owned),
            base: Some(base.to_owned()).filter(|base| !base.is_empty()),
            secrets,
        };
        settings.check_base()?;
        Ok(settings)
    }

    pub const fn is_sandbox(&self) -> bool {
        self.key.is_none()
    }

    /// Whether real money is about.
    pub fn is_live(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.starts_with("sk_live_") || key.starts_with("rk_live_"))
    }

    pub fn mode(&self) -> Mode {
        match (self.is_sandbox(), self.is_live()) {
            (true, _) => Mode::Sandbox,
            (false, false) => Mode::Test,
            (false, true) => Mode::Live,
        }
    }

    pub(super) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(SANDBOX_KEY)
    }

    /// Where to ask, without a slash at the end; `None`: at Stripe itself.
    pub(super) fn base(&self, listens_on: SocketAddr) -> Option<String> {
        let at_sandbox = || format!("http://{}{SANDBOX_PATH}", within(listens_on));
        self.base.clone().or_else(|| self.is_sandbox().then(at_sandbox))
    }

    fn check_base(&self) -> Result<(), NotSettings> {
        let Some(base) = &self.base else { return Ok(()) };
        let is_address = base.parse::<Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some()
                && uri.query().is_none()
        });
        if !is_address {
            return Err(NotSettings::Base(base.clone()));
        }
        if self.is_sandbox() {
            return Err(NotSettings::BaseOfSandbox);
        }
        if self.is_live() && (!base.starts_with("https://") || base.ends_with(SANDBOX_PATH)) {
            return Err(NotSettings::LiveElsewhere);
        }
        Ok(())
    }
}

fn check_key(key: &str) -> Result<(), NotSettings> {
    if key.starts_with("pk_") {
        return Err(NotSettings::Publishable);
    }
    let rest =
        ["sk_test_", "sk_live_", "rk_test_", "rk_live_"].iter().find_map(|kind| key.strip_prefix(kind));
    let is_key =
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()));
    if is_key { Ok(()) } else { Err(NotSettings::NotAKey) }
}

/// An address under which this program reaches itself: who listens everywhere is asked on the loopback.
pub(super) fn within(listens_on: SocketAddr) -> SocketAddr {
    let ip = match listens_on.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listens_on.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_1";

    fn refused(key: &str, secrets: &str, base: &str) -> NotSettings {
        Settings::read(key, secrets, base).err().unwrap()
    }

    fn base(settings: &Settings, listens_on: &str) -> Option<String> {
        settings.base(listens_on.parse().unwrap())
    }

    #[test]
    fn without_a_key_there_is_the_sandbox_on_the_programs_own_address() {
        let settings = Settings::read("", "", "").unwrap();
        assert!(settings.is_sandbox() && !settings.is_live());
        assert_eq!(settings.key(), SANDBOX_KEY);
        for (listens_on, expected) in [
            ("127.0.0.1:3000", "http://127.0.0.1:3000/sandbox/stripe"),
            ("0.0.0.0:80", "http://127.0.0.1:80/sandbox/stripe"),
            ("[::]:3000", "http://[::1]:3000/sandbox/stripe"),
            ("192.168.1.7:3000", "http://192.168.1.7:3000/sandbox/stripe"),
        ] {
            assert_eq!(base(&settings, listens_on).as_deref(), Some(expected));
        }
        assert!(Settings::read("", "whsec_1,whsec_2", "").unwrap().is_sandbox());
    }

    #[test]
    fn real_money_is_about_with_a_live_key() {
        for (key, is_live) in
            [("sk_test_1", false), ("rk_test_1", false), ("sk_live_1", true), ("rk_live_1", true)]
        {
            let settings = Settings::read(key, SECRET, "").unwrap();
            assert_eq!((settings.is_sandbox(), settings.is_live()), (false, is_live), "{key}");
            assert_eq!(base(&settings, "127.0.0.1:3000"), None);
        }
    }

    #[test]
    fn stripe_may_be_reached_elsewhere() {
        let settings = Settings::read("sk_test_1", SECRET, "http://127.0.0.1:12111/").unwrap();
        assert_eq!(base(&settings, "127.0.0.1:3000").as_deref(), Some("http://127.0.0.1:12111"));
        assert!(Settings::read("sk_live_1", SECRET, "https://proxy.example.com/stripe").is_ok());
    }

    #[test]
    fn what_would_not_work_is_refused_by_name() {
        for (key, secrets, base, expected) in [
            ("pk_live_1", SECRET, "", NotSettings::Publishable),
            ("pk_test_1", SECRET, "", NotSettings::Publishable),
            ("sk_1", SECRET, "", NotSettings::NotAKey),
            ("sk_test_", SECRET, "", NotSettings::NotAKey),
            ("sk_test_1 ", SECRET, "", NotSettings::NotAKey),
            ("whsec_1", SECRET, "", NotSettings::NotAKey),
            ("sk_test_1", "", "", NotSettings::NoSecret),
            ("sk_test_1", "secret", "", NotSettings::Secrets(NotSecrets)),
            ("", "secret", "", NotSettings::Secrets(NotSecrets)),
            ("sk_test_1", SECRET, "api.stripe.com", NotSettings::Base("api.stripe.com".to_owned())),
            ("sk_test_1", SECRET, "ftp://a", NotSettings::Base("ftp://a".to_owned())),
            ("sk_test_1", SECRET, "https://a?b", NotSettings::Base("https://a?b".to_owned())),
            ("", "", "https://api.stripe.com", NotSettings::BaseOfSandbox),
            ("sk_live_1", SECRET, "http://127.0.0.1:3000/sandbox/stripe", NotSettings::LiveElsewhere),
            ("sk_live_1", SECRET, "https://example.com/sandbox/stripe/", NotSettings::LiveElsewhere),
            ("rk_live_1", SECRET, "http://api.stripe.com", NotSettings::LiveElsewhere),
        ] {
            assert_eq!(refused(key, secrets, base), expected, "{key} {secrets} {base}");
        }
    }

    #[test]
    fn no_error_repeats_a_secret() {
        for refused in [
            refused("sk_secret", SECRET, ""),
            refused("pk_test_secret", SECRET, ""),
            refused("sk_live_secret", "whsec_secret", "http://a"),
            refused("sk_test_secret", "secret", ""),
        ] {
            assert!(!refused.to_string().contains("_secret"), "{refused}");
        }
    }
}
