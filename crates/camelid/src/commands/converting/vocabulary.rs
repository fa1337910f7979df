//! The vocabulary of a GGUF file: the source's own, in GGUF's arrays, and proved to give the same ids.

use anyhow::ensure;
use camelid_checkpoint::gguf::{Array, Value};
use camelid_generate::Opened;
use camelid_tokenizers::{Gguf, Settings, Specials, open_gguf};
use serde_json::Value as Json;

use crate::commands::output::style::note;

/// Texts of many kinds, one a line.
const CORPUS: &str = include_str!("data/corpus.txt");
/// A type of ggml's for rows that no token has.
const UNUSED: u64 = 5;

/// Texts that vocabularies are held to.
pub(super) fn corpus() -> impl Iterator<Item = String> {
    CORPUS.lines().map(|line| line.replace("\\n", "\n").replace("\\t", "\t"))
}

/// `tokenizer.ggml.*` and the chat template; a note and no vocabulary where the source has none, or one of a kind that the
/// file has no room for.
///
/// # Errors
/// The vocabulary does not fit the model, or gives other ids in the file's form.
pub(super) fn metadata(opened: &Opened, rows: usize) -> anyhow::Result<Vec<(String, Value)>> {
    if let Some(metadata) = opened.gguf_metadata() {
        let own = metadata.iter().filter(|(key, _)| key.starts_with("tokenizer."));
        return Ok(own.map(|(key, value)| (key.to_owned(), value.clone())).collect());
    }
    let arrays = match opened.gguf_vocabulary() {
        Ok(arrays) => arrays,
        Err(error) => {
            note(&format!("the file has no vocabulary: {error}"));
            return Ok(vec![("tokenizer.ggml.model".into(), Value::String("no_vocab".into()))]);
        }
    };
    let arrays = padded(arrays, rows)?;
    same_ids(opened, &arrays)?;
    let mut out = written(&arrays);
    out.extend(
        opened.template_text().map(|text| ("tokenizer.chat_template".to_owned(), Value::String(text))),
    );
    Ok(out)
}

/// As many tokens as the table has rows.
fn padded(mut arrays: Gguf, rows: usize) -> anyhow::Result<Gguf> {
    let tokens = arrays.tokens.len();
    ensure!(
        tokens <= rows,
        "the vocabulary does not fit the model: it has {tokens} tokens, the table of embeddings {rows} rows"
    );
    for at in tokens..rows {
        arrays.tokens.push(format!("[PAD{at}]"));
        arrays.token_type.push(UNUSED);
        if !arrays.scores.is_empty() {
            arrays.scores.push(-10_000.0);
        }
    }
    Ok(arrays)
}

/// Holds the arrays to the source's own tokenizer, text by text.
fn same_ids(opened: &Opened, arrays: &Gguf) -> anyhow::Result<()> {
    let (ours, theirs) = (opened.tokenizer()?, open_gguf(arrays, &Settings::default())?);
    for text in corpus() {
        let (a, b) = (ours.encode(&text, Specials::Literal)?, theirs.encode(&text, Specials::Literal)?);
        ensure!(
            a == b,
            "the vocabulary gives other ids in a GGUF file: {text:?} is {a:?} and would be {b:?}; convert to a folder, or \
             take the vocabulary's files away to write a file without one"
        );
    }
    Ok(())
}

fn written(arrays: &Gguf) -> Vec<(String, Value)> {
    let text = |text: &str| Value::String(text.to_owned());
    let mut out = vec![("model", text(&arrays.model))];
    out.extend(arrays.pre.as_deref().map(|pre| ("pre", text(pre))));
    out.push(("tokens", Value::Array(Array::String(arrays.tokens.clone()))));
    if !arrays.scores.is_empty() {
        out.push(("scores", Value::Array(Array::F32(arrays.scores.clone()))));
    }
    let types = arrays.token_type.iter().map(|kind| *kind as i64).collect();
    out.push(("token_type", Value::Array(Array::Signed(types))));
    if !arrays.merges.is_empty() {
        out.push(("merges", Value::Array(Array::String(arrays.merges.clone()))));
    }
    let ids = [
        ("bos_token_id", arrays.bos_token_id),
        ("eos_token_id", arrays.eos_token_id),
        ("unknown_token_id", arrays.unknown_token_id),
    ];
    out.extend(ids.into_iter().filter_map(|(key, id)| Some((key, Value::Unsigned(id?.into())))));
    let flags = [
        ("add_bos_token", arrays.add_bos_token),
        ("add_eos_token", arrays.add_eos_token),
        ("add_space_prefix", arrays.add_space_prefix),
    ];
    out.extend(flags.into_iter().filter_map(|(key, flag)| Some((key, Value::Bool(flag?)))));
    out.into_iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).collect()
}

/// A number, a truth value or a text as GGUF has them.
pub(super) fn value(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(truth) => Some(Value::Bool(*truth)),
        Json::String(text) => Some(Value::String(text.clone())),
        Json::Number(number) => Some(match number.as_u64() {
            Some(whole) => Value::Unsigned(whole),
            None => Value::F32(number.as_f64()? as f32),
        }),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
