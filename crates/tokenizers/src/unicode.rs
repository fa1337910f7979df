//! Canonical composition, by the tables of today and by those of Hugging Face's `tokenizers`.

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

/// `text` in normalisation form C, as Hugging Face's `tokenizers` makes it: by the tables of an older Unicode.
pub(crate) fn nfc_of_hf(text: &str) -> Cow<'_, str> {
    // What is composed by newer tables is so by older ones: a character that they don't know stays as it is.
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        unicode_normalization_alignments::UnicodeNormalization::nfc(text)
            .map(|(character, _)| character)
            .collect(),
    )
}
