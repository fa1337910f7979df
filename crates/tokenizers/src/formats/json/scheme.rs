//! How pieces become text again, and what is known when a file has been read.

use serde_json::Value;

use super::fallback::{Fallback, text};
use crate::merging::level::level_bytes;
use crate::merging::vocabulary::Vocabulary;
use crate::{Error, Frame, Special};

/// What is known when a file has been read.
pub(super) struct Loaded<E> {
    pub(super) engine: E,
    pub(super) pieces: Vocabulary,
    pub(super) specials: Vec<Special>,
    pub(super) frame: Frame,
}

/// How pieces become text again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Every character of a piece is a byte.
    ByteLevel,
    /// Pieces are text, `<0x0A>` is a byte.
    ByteFallback(Fallback),
}

/// The largest id that is believed: a table of all ids is made.
pub(super) const LARGEST_ID: u32 = 1 << 24;

impl Scheme {
    pub(super) fn of(decoder: &Value) -> Result<Scheme, Error> {
        if text(decoder, "type") == Some("ByteLevel") {
            return Ok(Scheme::ByteLevel);
        }
        let fallback = Fallback::of(decoder);
        let fallback =
            fallback.ok_or_else(|| Error::Json(format!("the decoder {decoder} is not supported")))?;
        Ok(Scheme::ByteFallback(fallback))
    }
}

/// A token as decoding wants it.
pub(super) fn piece(token: &str, scheme: &Scheme) -> Vec<u8> {
    match scheme {
        Scheme::ByteLevel => level_bytes(token),
        Scheme::ByteFallback(_) => token.as_bytes().to_vec(),
    }
}
