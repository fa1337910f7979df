//! Text within the page.

use std::fmt::Write;

use super::super::verdict::{StageReport, Verdict};

/// A stage's distance as a reader has it.
pub(super) fn apart(stage: &StageReport) -> String {
    stage.residual.map_or_else(|| "not finite".to_owned(), |apart| format!("{apart:.1e}"))
}

pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equal => "equal",
        Verdict::Rounding => "rounding",
        Verdict::Different => "different",
    }
}

/// Text that can't be anything but text, in an element or in an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter if letter.is_control() => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

/// Writes to a string, which never fails.
pub(super) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).unwrap_or_default();
}
