//! Values as a reader would say them.

pub(in crate::commands) use camelid_atlas::{thousands, written};

/// At most 100 letters: the rest is in `--json`.
pub(in crate::commands) fn shortened(text: &str) -> String {
    let mut letters = text.chars();
    let head: String = letters.by_ref().take(100).collect();
    if letters.next().is_some() { format!("{head}…") } else { head }
}
