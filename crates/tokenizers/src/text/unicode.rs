//! Canonical composition, by the tables of today and by those of Hugging Face's `tokenizers`.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// `text` in normalisation form C.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    composed(text, |part, out| out.extend(UnicodeNormalization::nfc(part)))
}

/// `text` in normalisation form C, as Hugging Face's `tokenizers` makes it: by the tables of Unicode 9.
pub(crate) fn nfc_of_hf(text: &str) -> Cow<'_, str> {
    use unicode_normalization_alignments::UnicodeNormalization as Old;
    composed(text, |part, out| out.extend(Old::nfc(part).map(|(character, _)| character)))
}

/// Hands only those parts of `text` to `compose` that may change.
fn composed<'t>(text: &'t str, compose: impl Fn(&str, &mut String)) -> Cow<'t, str> {
    // What is composed by newer tables is so by older ones, which leave a character that they don't know as it is.
    let is_composed = |part: &str| is_nfc_quick(part.chars()) == IsNormalized::Yes;
    if text.is_ascii() || is_composed(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Nothing composes with what follows but across an ASCII character's right side: a part begins with one.
    while let Some(at) = rest.find(|character: char| !character.is_ascii()) {
        let end =
            rest[at..].find(|character: char| character.is_ascii()).map_or(rest.len(), |length| at + length);
        let (before, part) = rest[..end].split_at(at.saturating_sub(1));
        out.push_str(before);
        match is_composed(part) {
            true => out.push_str(part),
            false => compose(part, &mut out),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_compose_as_the_whole_does(text in "([a-e]{0,2}(\u{300}|\u{301}|\u{323}|\u{327}|é|\u{1100}|\u{1161}|中|\\PC)?){0,12}") {
            let whole: String = text.nfc().collect();
            prop_assert_eq!(nfc(&text), whole);
        }
    }
}
