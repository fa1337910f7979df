//! A vocabulary's file as the arrays of a GGUF file.

use std::collections::HashMap;

use serde_json::Value;

use super::arrays::{Gguf, Layout, wrong};
use super::splits::name_of;
use crate::formats::sentencepiece::proto::{Algorithm, Kind as PieceKind, Proto};
use crate::merging::level::level_text;
use crate::merging::vocabulary::Vocabulary;
use crate::open::kind_of;
use crate::{DummyPrefix, Error, Kind, Settings, formats};

const NORMAL: u64 = 1;
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
const UNUSED: u64 = 5;

/// The arrays of a vocabulary: its pieces, scores or merges, types. What stands around a text is the caller's to say.
///
/// # Errors
/// [`Error::Gguf`] where the format has no room for it; what is wrong with the file.
pub fn arrays(file: &[u8], settings: &Settings) -> Result<Gguf, Error> {
    let mut arrays = match kind_of(file)? {
        Kind::SentencePiece => of_model(&Proto::parse(file)?, settings)?,
        Kind::Json => of_json(file)?,
        Kind::Tiktoken => of_ranks(file, &settings.resolved()?)?,
        Kind::Pair => {
            let reason = "vocab.json stands alone here; save the vocabulary as tokenizer.json".to_owned();
            return Err(wrong("model", reason));
        }
    };
    for special in settings.resolved()?.specials()? {
        put(&mut arrays, special.id, &special.name, CONTROL);
    }
    for token in &settings.added {
        let kind = if token.special { CONTROL } else { USER_DEFINED };
        put(&mut arrays, token.id, &token.content, kind);
    }
    Ok(arrays)
}

/// Puts a token at its id; ids between that nothing has are unused.
fn put(arrays: &mut Gguf, id: u32, name: &str, kind: u64) {
    let at = id as usize;
    if arrays.tokens.len() > at && arrays.tokens[at] == name && arrays.token_type[at] != NORMAL {
        return;
    }
    while arrays.tokens.len() <= at {
        arrays.tokens.push(format!("[PAD{}]", arrays.tokens.len()));
        arrays.token_type.push(UNUSED);
        if !arrays.scores.is_empty() {
            arrays.scores.push(-10_000.0);
        }
    }
    name.clone_into(&mut arrays.tokens[at]);
    arrays.token_type[at] = kind;
}

fn of_model(proto: &Proto, settings: &Settings) -> Result<Gguf, Error> {
    if proto.algorithm != Algorithm::Bpe {
        return Err(wrong("model", "a unigram model has no form that is written here".into()));
    }
    let kind = |kind: PieceKind| match kind {
        PieceKind::Normal => NORMAL,
        PieceKind::Unknown => 2,
        PieceKind::Control => CONTROL,
        PieceKind::UserDefined => USER_DEFINED,
        PieceKind::Unused => UNUSED,
        PieceKind::Byte => 6,
    };
    let dummy = match settings.dummy_prefix {
        DummyPrefix::Never => false,
        DummyPrefix::File | DummyPrefix::Every | DummyPrefix::First | DummyPrefix::Spaceless => {
            proto.normalizer.add_dummy_prefix
        }
    };
    Ok(Gguf {
        model: Layout::SentencePiece.name()?,
        pre: Some("default".into()),
        tokens: proto.pieces.iter().map(|piece| piece.text.clone()).collect(),
        scores: proto.pieces.iter().map(|piece| piece.score).collect(),
        token_type: proto.pieces.iter().map(|piece| kind(piece.kind)).collect(),
        add_space_prefix: Some(dummy),
        ..Gguf::default()
    })
}

/// Byte-level BPE of a `tokenizer.json`.
fn of_json(file: &[u8]) -> Result<Gguf, Error> {
    let json: Value = serde_json::from_slice(file).map_err(|error| wrong("model", error.to_string()))?;
    let no_room = |what: &str| {
        wrong("model", format!("the tokenizer.json {what}, which has no form that is written here"))
    };
    let model = &json["model"];
    if model["byte_fallback"] == Value::Bool(true) || !json.to_string().contains("\"ByteLevel\"") {
        return Err(no_room("is no byte-level BPE"));
    }
    let vocab: HashMap<String, u32> =
        serde_json::from_value(model["vocab"].clone()).map_err(|_| no_room("has no table of pieces"))?;
    let pair = |merge: &Value| match merge {
        Value::String(text) => Some(text.clone()),
        Value::Array(pair) => Some(format!("{} {}", pair.first()?.as_str()?, pair.get(1)?.as_str()?)),
        _ => None,
    };
    let merges = model["merges"].as_array().ok_or_else(|| no_room("has no merges"))?;
    let merges = merges
        .iter()
        .map(pair)
        .collect::<Option<_>>()
        .ok_or_else(|| no_room("has merges of another form"))?;
    let patterns = patterns(&json["pre_tokenizer"]);
    let pre = name_of(&patterns)?
        .ok_or_else(|| wrong("pre", format!("no name is known for the split {patterns:?}")))?;
    let mut arrays = Gguf { model: Layout::Bytes.name()?, pre: Some(pre), merges, ..Gguf::default() };
    for (piece, id) in vocab {
        put(&mut arrays, id, &piece, NORMAL);
    }
    for token in json["added_tokens"].as_array().into_iter().flatten() {
        let (Some(id), Some(content)) = (token["id"].as_u64(), token["content"].as_str()) else { continue };
        let kind = if token["special"] == Value::Bool(true) { CONTROL } else { USER_DEFINED };
        put(&mut arrays, u32::try_from(id).map_err(|_| no_room("has an id too large"))?, content, kind);
    }
    Ok(arrays)
}

/// The patterns that cut a text, in order; GPT-2's where byte level brings its own.
fn patterns(pre_tokenizer: &Value) -> Vec<String> {
    let steps = match pre_tokenizer["pretokenizers"].as_array() {
        Some(steps) => steps.clone(),
        None => vec![pre_tokenizer.clone()],
    };
    let pattern = |step: &Value| match step["type"].as_str() {
        Some("Split") => step["pattern"]["Regex"].as_str().map(str::to_owned),
        Some("ByteLevel") if step["use_regex"] != Value::Bool(false) => Some(GPT2.to_owned()),
        Some("Digits") => Some(r"\p{N}".to_owned()),
        _ => None,
    };
    steps.iter().filter_map(pattern).collect()
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// tiktoken's ranks, each token as the merge of two that came before it.
fn of_ranks(file: &[u8], settings: &Settings) -> Result<Gguf, Error> {
    let pattern = settings.pattern.clone().unwrap_or_default();
    let pre = name_of(std::slice::from_ref(&pattern))?
        .ok_or_else(|| wrong("pre", format!("no name is known for the split {pattern:?}")))?;
    let vocabulary = formats::tiktoken::vocabulary(file)?;
    let mut arrays = Gguf { model: Layout::Bytes.name()?, pre: Some(pre), ..Gguf::default() };
    for id in 0..vocabulary.len() as u32 {
        let bytes = vocabulary.get(id).unwrap_or_default();
        put(&mut arrays, id, &level_text(bytes), NORMAL);
        if let Some((left, right)) = parts(&vocabulary, bytes, id) {
            arrays.merges.push(format!("{} {}", level_text(left), level_text(right)));
        }
    }
    Ok(arrays)
}

/// The two tokens that a token is merged of: what merging its bytes by ranks below its own leaves, if that is two.
fn parts<'b>(vocabulary: &Vocabulary, bytes: &'b [u8], rank: u32) -> Option<(&'b [u8], &'b [u8])> {
    let mut ends: Vec<usize> = (0..=bytes.len()).collect();
    loop {
        let pairs = (0..ends.len().saturating_sub(2)).filter_map(|at| {
            let id = vocabulary.id(&bytes[ends[at]..ends[at + 2]])?;
            (id < rank).then_some((id, at))
        });
        match pairs.min() {
            Some((_, at)) => drop(ends.remove(at + 1)),
            None => break,
        }
    }
    match ends[..] {
        [_, middle, _] => Some(bytes.split_at(middle)),
        _ => None,
    }
}
