//! The tree of families, and how little each of them says.

use std::path::Path;

use anyhow::Context;
use camelid_families::{Declaration, Library};

/// The families that extend one, or the roots: those whose parent is no family.
pub(in crate::commands) fn children<'a>(library: &'a Library, parent: Option<&str>) -> Vec<&'a Declaration> {
    let families: Vec<&Declaration> = library.families().collect();
    let of = |family: &Declaration| {
        family.chain.get(1).filter(|name| families.iter().any(|other| other.name == **name)).cloned()
    };
    families.iter().copied().filter(|family| of(family).as_deref() == parent).collect()
}

/// Lines of a family's file that say something, `[release]` and `[[sizes]]` left out.
pub(in crate::commands) fn declared_lines(source: &str) -> usize {
    let mut counted = 0;
    let mut skipping = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with('[') && line.contains(']') && !line.contains('=') {
            skipping = ["[release]", "[[sizes]]"].iter().any(|table| line.starts_with(table));
        }
        counted += usize::from(!skipping && !line.is_empty() && !line.starts_with('#'));
    }
    counted
}

/// Lines of the project's own Rust, comments and unit tests left out, in which a family's name stands; none where the
/// sources are not at hand, as for an installed command.
///
/// # Errors
/// A source file can't be read.
pub(in crate::commands) fn rust_lines_that_name_a_family(library: &Library) -> anyhow::Result<Option<usize>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if !crates.join("families/families").is_dir() {
        return Ok(None);
    }
    let names: Vec<String> = library.families().map(|family| family.name.to_lowercase()).collect();
    let named = |line: &&str| {
        let words = line.to_lowercase();
        let mut words = words.split(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-'));
        // `llama3` is upstream's name of a rope scaling.
        words.any(|word| word != "llama3" && names.iter().any(|name| name == word))
    };
    let mut lines = 0;
    for entry in glob::glob(&format!("{}/*/src/**/*.rs", crates.display()))? {
        let path = entry?;
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().lines();
        lines += code.filter(|line| !line.trim_start().starts_with("//")).filter(named).count();
    }
    Ok(Some(lines))
}
