//! The arrays as a file has them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Error;

/// The arrays under `tokenizer.ggml.`, each field by its key; other keys are ignored.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Gguf {
    /// `llama`, `gpt2` or `gemma4`.
    pub model: String,
    /// The name of the split pattern.
    pub pre: Option<String>,
    /// The pieces by id.
    pub tokens: Vec<String>,
    /// Their scores; empty for byte-level BPE.
    pub scores: Vec<f32>,
    /// Their types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty: all normal.
    pub token_type: Vec<u64>,
    /// Pairs of pieces with a space between, the earliest merge first.
    pub merges: Vec<String>,
    /// BOS; by default 1 for `llama`.
    pub bos_token_id: Option<u32>,
    /// EOS; by default 2 for `llama`.
    pub eos_token_id: Option<u32>,
    /// End of turn.
    pub eot_token_id: Option<u32>,
    /// End of message.
    pub eom_token_id: Option<u32>,
    /// What stands for text that is in no piece; by default 0 for `llama`.
    pub unknown_token_id: Option<u32>,
    /// Padding after a gap that was filled.
    pub fim_pad_token_id: Option<u32>,
    /// A repository's name, before code of several files.
    pub fim_rep_token_id: Option<u32>,
    /// Between files.
    pub fim_sep_token_id: Option<u32>,
    /// Whether BOS goes before a text; by default for `llama`, and for those of `gpt2` whose `pre` has it.
    pub add_bos_token: Option<bool>,
    /// Whether EOS goes after a text; by default it does not.
    pub add_eos_token: Option<bool>,
    /// Whether a space goes before a text, and before what follows a special token; by default for `llama` only.
    pub add_space_prefix: Option<bool>,
}

impl Gguf {
    pub(super) fn layout(&self) -> Result<Layout, Error> {
        let known = Layout::known()?;
        known.get(&self.model).copied().ok_or_else(|| {
            let names: Vec<_> = known.into_keys().collect();
            wrong("model", format!("{:?} is not known; known are {}", self.model, names.join(", ")))
        })
    }
}

/// What a name in `model` means.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layout {
    /// Pieces by score.
    SentencePiece,
    /// Bytes, merged by a list.
    Bytes,
    /// Characters, merged by a list.
    Characters,
}

impl Layout {
    fn known() -> Result<BTreeMap<String, Layout>, Error> {
        serde_json::from_str(include_str!("../../tables/models.json"))
            .map_err(|error| wrong("model", error.to_string()))
    }

    /// What `model` says of it.
    pub(super) fn name(self) -> Result<String, Error> {
        let found = Layout::known()?.into_iter().find(|(_, layout)| *layout == self);
        found.map(|(name, _)| name).ok_or_else(|| wrong("model", "no name is known for this layout".into()))
    }
}

pub(super) fn wrong(key: &'static str, reason: String) -> Error {
    Error::Gguf { key, reason }
}
