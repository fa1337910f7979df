//! What a usual `tokenizer.json` says, word by word: a word that is not here makes the file an unusual one.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::AddedToken;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File<'f> {
    pub(super) version: Option<Cow<'f, str>>,
    /// What its last user set; no text is to be cut off or filled up.
    #[serde(default, rename = "truncation")]
    _truncation: IgnoredAny,
    #[serde(default, rename = "padding")]
    _padding: IgnoredAny,
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    pub(super) normalizer: Option<Normalizer>,
    pub(super) pre_tokenizer: Option<PreTokenizer>,
    pub(super) post_processor: Option<PostProcessor>,
    /// Read by [`super::scheme::Scheme`], which refuses what it does not know.
    #[serde(default, rename = "decoder")]
    _decoder: Value,
    #[serde(borrow)]
    pub(super) model: Model<'f>,
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(super) enum Normalizer {
    #[serde(rename = "NFC")]
    Nfc {},
    Prepend {
        prepend: String,
    },
    Replace {
        pattern: Pattern,
        content: String,
    },
    Sequence {
        normalizers: Vec<Normalizer>,
    },
}

#[derive(Deserialize)]
pub(super) enum Pattern {
    String(String),
    Regex(String),
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(super) enum PreTokenizer {
    Sequence {
        pretokenizers: Vec<PreTokenizer>,
    },
    Split {
        pattern: Pattern,
        behavior: Behavior,
        invert: bool,
    },
    Digits {
        individual_digits: bool,
    },
    ByteLevel {
        add_prefix_space: bool,
        #[serde(rename = "trim_offsets")]
        _trim_offsets: bool,
        #[serde(default = "yes")]
        use_regex: bool,
    },
    Metaspace(Metaspace),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metaspace {
    pub(super) replacement: char,
    #[serde(default)]
    pub(super) prepend_scheme: PrependScheme,
    pub(super) add_prefix_space: Option<bool>,
    #[serde(default = "yes")]
    pub(super) split: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PrependScheme {
    First,
    Never,
    #[default]
    Always,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Behavior {
    Isolated,
    Removed,
    MergedWithPrevious,
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(super) enum PostProcessor {
    /// Only offsets.
    ByteLevel {
        #[serde(rename = "add_prefix_space")]
        _add_prefix_space: bool,
        #[serde(rename = "trim_offsets")]
        _trim_offsets: bool,
        #[serde(default, rename = "use_regex")]
        _use_regex: bool,
    },
    TemplateProcessing {
        single: Vec<TemplatePiece>,
        #[serde(rename = "pair")]
        _pair: IgnoredAny,
        special_tokens: HashMap<String, TemplateToken>,
    },
    Sequence {
        processors: Vec<PostProcessor>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum TemplatePiece {
    SpecialToken {
        id: String,
        #[serde(rename = "type_id")]
        _type_id: u32,
    },
    Sequence {
        id: char,
        #[serde(rename = "type_id")]
        _type_id: u32,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateToken {
    #[serde(rename = "id")]
    _id: IgnoredAny,
    pub(super) ids: Vec<u32>,
    #[serde(rename = "tokens")]
    _tokens: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model<'f> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'f, str>,
    pub(super) dropout: Option<f32>,
    pub(super) unk_token: Option<String>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) end_of_word_suffix: Option<String>,
    #[serde(default)]
    pub(super) fuse_unk: bool,
    #[serde(default)]
    pub(super) byte_fallback: bool,
    #[serde(default)]
    pub(super) ignore_merges: bool,
    pub(super) vocab: HashMap<String, u32>,
    pub(super) merges: Vec<Merge>,
}

/// A pair of tokens, in the new spelling or the old one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Merge {
    Pair(String, String),
    Line(String),
}

fn yes() -> bool {
    true
}

/// Whether a file is usual in one respect.
pub(super) fn check(usual: bool, what: &str) -> Result<(), String> {
    if usual { Ok(()) } else { Err(format!("{what} is unusual")) }
}
