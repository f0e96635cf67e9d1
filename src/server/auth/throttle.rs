//! How often one may try to sign up and in: against guessing passwords, and against collecting sign-up
//! credits. Counted in this process's memory; a restart forgets.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use super::email::Email;
use crate::problem::Problem;

/// A person mistypes a few times; a guesser needs thousands.
const SIGN_INS_PER_EMAIL_AND_NETWORK: (u32, Duration) = (10, Duration::from_secs(60));
/// A guesser may have many networks. Far above what one has, so that nobody locks another person out.
const SIGN_INS_PER_EMAIL: (u32, Duration) = (200, Duration::from_secs(10));
/// An office behind one address shares these.
const SIGN_INS_PER_NETWORK: (u32, Duration) = (100, Duration::from_secs(2));
const SIGN_UPS_PER_NETWORK: (u32, Duration) = (100, Duration::from_secs(10));

/// After so many checks, keys that are at rest are forgotten, so that the maps stay small.
const CHECKS_BETWEEN_SWEEPS: u32 = 1_024;

pub struct Throttle {
    sign_ins_per_email_and_network: DefaultKeyedRateLimiter<(String, IpAddr)>,
    sign_ins_per_email: DefaultKeyedRateLimiter<String>,
    sign_ins_per_network: DefaultKeyedRateLimiter<IpAddr>,
    sign_ups_per_network: DefaultKeyedRateLimiter<IpAddr>,
    checks: AtomicU32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            sign_ins_per_email_and_network: RateLimiter::keyed(quota(SIGN_INS_PER_EMAIL_AND_NETWORK)),
            sign_ins_per_email: RateLimiter::keyed(quota(SIGN_INS_PER_EMAIL)),
            sign_ins_per_network: RateLimiter::keyed(quota(SIGN_INS_PER_NETWORK)),
            sign_ups_per_network: RateLimiter::keyed(quota(SIGN_UPS_PER_NETWORK)),
            checks: AtomicU32::new(0),
        }
    }
}

impl Throttle {
    /// `email`: `None` where what was typed is no address, and so nobody's.
    pub fn sign_in(&self, from: IpAddr, email: Option<&Email>) -> Result<(), Problem> {
        self.sweep();
        let network = network(from);
        check(&self.sign_ins_per_network, &network)?;
        let Some(email) = email.map(|email| email.as_str().to_ascii_lowercase()) else { return Ok(()) };
        check(&self.sign_ins_per_email_and_network, &(email.clone(), network))?;
        check(&self.sign_ins_per_email, &email)
    }

    pub fn sign_up(&self, from: IpAddr) -> Result<(), Problem> {
        self.sweep();
        check(&self.sign_ups_per_network, &network(from))
    }

    fn sweep(&self) {
        if self.checks.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHECKS_BETWEEN_SWEEPS) {
            self.sign_ins_per_email_and_network.retain_recent();
            self.sign_ins_per_email.retain_recent();
            self.sign_ins_per_network.retain_recent();
            self.sign_ups_per_network.retain_recent();
        }
    }
}

/// What one customer of a provider has: an IPv4 address, or a /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

/// So many at once, then one more each `pause`.
fn quota((at_once, pause): (u32, Duration)) -> Quota {
    Quota::with_period(pause)
        .expect("the pauses are longer than nothing")
        .allow_burst(NonZeroU32::new(at_once).expect("the constants are positive"))
}

fn check<K: std::hash::Hash + Eq + Clone>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
) -> Result<(), Problem> {
    limiter.check_key(key).map_err(|not_until| {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        Problem::TooManyAttempts { retry_after_secs: wait.as_secs().max(1) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    #[test]
    fn guessing_one_persons_password_is_slowed_down_however_the_address_is_written() {
        let throttle = Throttle::default();
        for attempt in 0..SIGN_INS_PER_EMAIL_AND_NETWORK.0 {
            let typed = if attempt % 2 == 0 { "ada@example.com" } else { " ADA@example.com" };
            assert_eq!(throttle.sign_in(HERE, Some(&email(typed))), Ok(()));
        }
        let guess = throttle.sign_in(HERE, Some(&email("ada@example.com")));
        assert!(matches!(guess, Err(Problem::TooManyAttempts { .. })));
        assert_eq!(throttle.sign_in(HERE, Some(&email("bob@example.com"))), Ok(()));
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(
            throttle.sign_in(elsewhere, Some(&email("ada@example.com"))),
            Ok(()),
            "she is not locked out"
        );
    }

    #[test]
    fn one_machine_cannot_try_everybodys() {
        let throttle = Throttle::default();
        for attempt in 0..SIGN_INS_PER_NETWORK.0 {
            assert_eq!(throttle.sign_in(HERE, Some(&email(&format!("{attempt}@example.com")))), Ok(()));
        }
        assert!(throttle.sign_in(HERE, None).is_err());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("2001:db8:1:2::1"), parse("2001:db8:1:2:ffff::9"));
        assert_ne!(parse("2001:db8:1:2::1"), parse("2001:db8:1:3::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), parse("192.0.2.1"));
    }
}
