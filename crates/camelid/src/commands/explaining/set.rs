//! `--set KEY=VALUE`: a key of config.json, set otherwise than a published size has it.

use serde_json::Value as Json;

/// A key and its value: JSON, or else a text.
pub(super) type Setting = (String, Json);

/// Reads `KEY=VALUE`.
pub(super) fn setting(text: &str) -> Result<Setting, String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as sliding_window=4096")?;
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(format!("`{key}` is no key of config.json; a key within a table is TABLE.KEY"));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.to_owned()));
    Ok((key.to_owned(), value))
}
