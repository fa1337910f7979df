//! Canonical composition.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// `text` in normalisation form C.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    // Most text is composed already, and ASCII always is.
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}
