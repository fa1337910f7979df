//! The arrays of a GGUF file as a `tokenizer.json`, which transformers and its kin read.

use serde_json::{Map, Value, json};

use super::arrays::{Gguf, Layout, wrong};
use super::merged::sides;
use super::splits::split;
use crate::merging::bytes::WholeWords;
use crate::{Error, Normalization, Tokenizer};

const NORMAL: u64 = 1;
const UNKNOWN: u64 = 2;
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
const BYTE: u64 = 6;

/// A `tokenizer.json` of the arrays, with the frame of `like` around a text. Its keys stand in alphabetical order, unless a
/// crate of the same program turns on `serde_json`'s `preserve_order`, as `camelid` does: then the vocabulary is by id.
///
/// # Errors
/// [`Error::Gguf`] for arrays that contradict each other.
pub fn tokenizer_json(
    arrays: &Gguf,
    like: &dyn Tokenizer,
    normalization: Normalization,
) -> Result<String, Error> {
    let mut json = match arrays.layout()? {
        Layout::SentencePiece | Layout::Characters => of_pieces(arrays)?,
        Layout::Bytes => of_bytes(arrays, normalization)?,
    };
    json["post_processor"] = frame(like);
    serde_json::to_string_pretty(&json).map_err(|error| wrong("tokens", error.to_string()))
}

fn kind(arrays: &Gguf, id: usize) -> u64 {
    arrays.token_type.get(id).copied().unwrap_or(NORMAL)
}

/// Tokens that are looked for before anything else.
fn added(arrays: &Gguf) -> Vec<Value> {
    let tokens = arrays.tokens.iter().enumerate().filter_map(|(id, content)| {
        let special = match kind(arrays, id) {
            CONTROL | UNKNOWN => true,
            USER_DEFINED => false,
            _ => return None,
        };
        Some(json!({
            "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": special,
        }))
    });
    tokens.collect()
}

fn vocab(arrays: &Gguf, holds: impl Fn(u64) -> bool) -> Map<String, Value> {
    let tokens = arrays.tokens.iter().enumerate().filter(|(id, _)| holds(kind(arrays, *id)));
    tokens.map(|(id, token)| (token.clone(), id.into())).collect()
}

/// Sentencepiece's merges by score, as transformers' own converter of such models writes them; or the file's own.
fn of_pieces(arrays: &Gguf) -> Result<Value, Error> {
    let vocab = vocab(arrays, |_| true);
    let dummy = arrays.space_before()?;
    let merges = match arrays.layout()? {
        Layout::Characters => listed(arrays).collect::<Result<_, _>>()?,
        Layout::SentencePiece | Layout::Bytes => merges_by_score(arrays, &vocab),
    };
    let space = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
    let prepend = json!({ "type": "Prepend", "prepend": "▁" });
    let normalizers: Vec<Value> = dummy.then_some(prepend).into_iter().chain([space]).collect();
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if dummy {
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    let unknown = (0..arrays.tokens.len()).find(|id| kind(arrays, *id) == UNKNOWN);
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added(arrays),
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": null, "post_processor": null,
        "decoder": { "type": "Sequence", "decoders": decoders },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown.map(|id| arrays.tokens[id].clone()),
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
            "byte_fallback": (0..arrays.tokens.len()).any(|id| kind(arrays, id) == BYTE), "ignore_merges": false,
            "merges": merges, "vocab": vocab,
        },
    }))
}

/// The file's merges, in its order.
fn listed(arrays: &Gguf) -> impl Iterator<Item = Result<[String; 2], Error>> {
    arrays.merges.iter().map(|merge| Ok(sides(merge)?.map(str::to_owned)))
}

/// Every way of making a piece of two, the best piece first.
fn merges_by_score(arrays: &Gguf, vocab: &Map<String, Value>) -> Vec<[String; 2]> {
    let mut merges = Vec::new();
    for (id, piece) in arrays.tokens.iter().enumerate().filter(|(id, _)| kind(arrays, *id) == NORMAL) {
        let score = arrays.scores.get(id).copied().unwrap_or(0.0);
        let ends = piece.char_indices().skip(1).map(|(end, _)| piece.split_at(end));
        let of = |part: &str| vocab.get(part).and_then(Value::as_u64);
        let mut ways: Vec<_> =
            ends.filter_map(|(left, right)| Some(((of(left)?, of(right)?), left, right))).collect();
        ways.sort_by_key(|(ids, ..)| *ids);
        merges.extend(ways.into_iter().map(|(_, left, right)| (score, left, right)));
    }
    let length = |text: &str| text.chars().count();
    merges.sort_by(|a, b| {
        let lengths = |it: &(f32, &str, &str)| (length(it.1), length(it.2));
        b.0.total_cmp(&a.0).then_with(|| lengths(b).cmp(&lengths(a)))
    });
    merges.into_iter().map(|(_, left, right)| [left.to_owned(), right.to_owned()]).collect()
}

fn of_bytes(arrays: &Gguf, normalization: Normalization) -> Result<Value, Error> {
    let split = split(arrays.pre.as_deref())?;
    let cut = |pattern: &String| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let level =
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    let cuts: Vec<Value> = split.patterns.iter().map(cut).chain([level.clone()]).collect();
    let normalizer = match normalization {
        Normalization::None => Value::Null,
        Normalization::Nfc => json!({ "type": "NFC" }),
    };
    let merges: Vec<Vec<&str>> = arrays.merges.iter().map(|merge| merge.splitn(2, ' ').collect()).collect();
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added(arrays),
        "normalizer": normalizer, "pre_tokenizer": { "type": "Sequence", "pretokenizers": cuts },
        "post_processor": null, "decoder": level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": matches!(split.whole_words, WholeWords::Take),
            "vocab": vocab(arrays, |kind| kind == NORMAL), "merges": merges,
        },
    }))
}

/// What stands before and after a text.
fn frame(like: &dyn Tokenizer) -> Value {
    let frame = like.frame();
    if frame.before.is_empty() && frame.after.is_empty() {
        return Value::Null;
    }
    let name = |id: &u32| String::from_utf8_lossy(like.piece(*id).unwrap_or_default()).into_owned();
    let token = |id: &u32| json!({ "SpecialToken": { "id": name(id), "type_id": 0 } });
    let text = |id: &str, kind: u32| json!({ "Sequence": { "id": id, "type_id": kind } });
    let around = |parts: Vec<Value>| -> Vec<Value> {
        frame.before.iter().map(token).chain(parts).chain(frame.after.iter().map(token)).collect()
    };
    let specials: Map<String, Value> = frame
        .before
        .iter()
        .chain(&frame.after)
        .map(|id| (name(id), json!({ "id": name(id), "ids": [id], "tokens": [name(id)] })))
        .collect();
    json!({
        "type": "TemplateProcessing", "single": around(vec![text("A", 0)]),
        "pair": around(vec![text("A", 0), text("B", 1)]), "special_tokens": specials,
    })
}
