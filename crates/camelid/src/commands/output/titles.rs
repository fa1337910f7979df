//! What a family is called in a line of its own.

use camelid_families::Declaration;

/// A family's title with its name, as `Gemma 2 (gemma2)`.
pub(in crate::commands) fn titled(family: &Declaration) -> String {
    format!("{} ({})", family.title, family.name)
}
