//! Secrets that are shown once and kept as digests: 256 random bits, which nobody needs to slow down guessing at.

use sha2::{Digest, Sha256};

use crate::{server::Error, text::hexadecimal};

/// `N` random bytes in hexadecimal digits.
pub fn random_digits<const N: usize>() -> Result<String, Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(hexadecimal(&bytes))
}

pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}
