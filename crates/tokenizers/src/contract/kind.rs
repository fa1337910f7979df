//! The formats.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The formats that the families ship.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A sentencepiece model (protobuf): pieces with scores, a normaliser; BPE or Unigram.
    SentencePiece,
    /// tiktoken ranks: lines of a base64 token, a space and its rank.
    Tiktoken,
    /// Hugging Face's `tokenizer.json`.
    Json,
    /// GPT-2's two files: `vocab.json` (pieces to ids), and `merges.txt` beside it.
    Pair,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::SentencePiece => "a sentencepiece model",
            Kind::Tiktoken => "tiktoken ranks",
            Kind::Json => "a tokenizer.json",
            Kind::Pair => "a vocab.json",
        })
    }
}
