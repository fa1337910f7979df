//! The tables of data that the crate `tokenizers` reads, as JSON: it has a reader of JSON anyway, and is to be light.

use std::path::{Path, PathBuf};

use anyhow::Context;

const TABLES: [&str; 4] = ["models", "names", "ranks", "splits"];

/// Each table that is written in TOML, with its text in JSON.
pub(super) fn pages() -> anyhow::Result<Vec<(PathBuf, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tokenizers/tables");
    let folder = folder.canonicalize().unwrap_or(folder);
    let page = |name: &str| {
        let written = folder.join(name).with_extension("toml");
        let text = std::fs::read_to_string(&written).with_context(|| written.display().to_string())?;
        let table: serde_json::Value =
            toml::from_str(&text).with_context(|| written.display().to_string())?;
        Ok((written.with_extension("json"), format!("{table:#}\n")))
    };
    TABLES.into_iter().map(page).collect()
}
