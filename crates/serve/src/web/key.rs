//! The key that requests must show.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::Error;

/// A key, known by its digest, so that comparing takes one time for any length.
#[derive(Clone)]
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) fn new(key: &str) -> Key {
        Key(Sha256::digest(key.as_bytes()).into())
    }

    /// Refuses a request that does not show it.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        let shown = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        let shown = shown.and_then(|value| {
            let (scheme, key) = value.split_at_checked("Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
        });
        let Some(shown) = shown else {
            let message = "this server wants a key: `Authorization: Bearer KEY`";
            return Err(Error::new(401, "invalid_request_error", message).coded("invalid_api_key"));
        };
        let digest: [u8; 32] = Sha256::digest(shown.trim_ascii()).into();
        if bool::from(digest.ct_eq(&self.0)) {
            return Ok(());
        }
        Err(Error::new(401, "invalid_request_error", "the key is not this server's").coded("invalid_api_key"))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}
