//! How long and how hard: the short form unless SCRIP_TORTURE_RUNS asks for more, and a seed that
//! SCRIP_TORTURE_SEED repeats. A seed gives the same deeds, retries and moments of death; how the tasks then
//! fall in with each other remains the machine's.

use std::{env, sync::OnceLock};

use rand::{SeedableRng, rngs::StdRng};

/// How many times the short form kills a program. Everything else grows in proportion.
const SHORT: u32 = 50;

pub struct Bounds {
    /// How many times a program is killed.
    pub runs: u32,
    seed: u64,
}

/// The bounds of this run, told once.
pub fn bounds() -> &'static Bounds {
    static BOUNDS: OnceLock<Bounds> = OnceLock::new();
    BOUNDS.get_or_init(|| {
        let bounds = Bounds {
            runs: number("SCRIP_TORTURE_RUNS").unwrap_or(SHORT),
            seed: number("SCRIP_TORTURE_SEED").unwrap_or_else(rand::random),
        };
        // On the error stream, which a test that passes shows as well.
        eprintln!("torture: SCRIP_TORTURE_RUNS={} SCRIP_TORTURE_SEED={}", bounds.runs, bounds.seed);
        bounds
    })
}

impl Bounds {
    /// As many as in the short form, or more in proportion; at least one.
    pub fn scaled(&self, short: u32) -> u32 {
        (u64::from(short) * u64::from(self.runs) / u64::from(SHORT)).max(1).try_into().unwrap_or(u32::MAX)
    }

    /// The choices of one part of a test.
    pub fn rng(&self, part: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a whole number, not {text}")))
}
