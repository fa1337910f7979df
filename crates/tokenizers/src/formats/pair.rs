//! GPT-2's two files, `vocab.json` and `merges.txt`: what an older byte-level tokenizer is saved as.
//!
//! They are what a `tokenizer.json` holds in its model, so they become one: the split pattern, the normalisation and the
//! added tokens are those of the settings, and without a pattern GPT-2's own.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{AddedToken, Error, Normalization, Settings};

/// Whether a JSON object begins with a name and a number, as pieces and their ids do.
pub(crate) fn looks_like_vocab(object: &[u8]) -> bool {
    let name = object[1..].trim_ascii_start();
    let mut names = serde_json::Deserializer::from_slice(name).into_iter::<String>();
    if !matches!(names.next(), Some(Ok(_))) {
        return false;
    }
    let rest = name[names.byte_offset()..].trim_ascii_start();
    let value = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
    value.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
}

/// The `tokenizer.json` that the two files amount to.
pub(crate) fn as_json(vocab: &[u8], merges: &[u8], settings: &Settings) -> Result<Vec<u8>, Error> {
    let vocab: HashMap<String, u32> =
        serde_json::from_slice(vocab.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(vocab))
            .map_err(|error| Error::Pair(format!("vocab.json: {error}")))?;
    let merges = std::str::from_utf8(merges).map_err(|_| Error::Pair("merges.txt is no UTF-8".into()))?;
    let merges = read_merges(merges)?;
    let split = |pattern: &String| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let level = |use_regex| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": use_regex });
    let cuts = settings.pattern.iter().map(split).chain([level(settings.pattern.is_none())]);
    let normalizer = match settings.normalization {
        Normalization::None => Value::Null,
        Normalization::Nfc => json!({ "type": "NFC" }),
    };
    let file = json!({
        "version": "1.0",
        "added_tokens": added(&vocab, settings)?,
        "normalizer": normalizer,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": cuts.collect::<Vec<_>>() },
        "post_processor": null,
        "decoder": level(false),
        "model": { "type": "BPE", "vocab": vocab, "merges": merges },
    });
    serde_json::to_vec(&file).map_err(|error| Error::Pair(error.to_string()))
}

fn read_merges(text: &str) -> Result<Vec<[&str; 2]>, Error> {
    let mut pairs = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with("#version") {
            continue;
        }
        let wrong =
            || Error::Pair(format!("merges.txt, line {}: two pieces and a space are expected", at + 1));
        pairs.push(line.trim_end().split_once(' ').ok_or_else(wrong)?.into());
    }
    Ok(pairs)
}

/// The folder's tokens, else the family's; by id, since a file's added tokens stand in that order.
fn added(vocab: &HashMap<String, u32>, settings: &Settings) -> Result<Vec<Value>, Error> {
    let mut tokens = match settings.added.is_empty() {
        false => settings.added.clone(),
        true => {
            let specials = settings.specials()?;
            specials.iter().map(|special| AddedToken::plain(special.id, &special.name, true)).collect()
        }
    };
    for token in &mut tokens {
        token.id = vocab.get(&token.content).copied().unwrap_or(token.id);
    }
    tokens.sort_by_key(|token| token.id);
    tokens.dedup_by_key(|token| token.id);
    let value = |token| serde_json::to_value(token).map_err(|error| Error::Pair(error.to_string()));
    tokens.iter().map(value).collect()
}
