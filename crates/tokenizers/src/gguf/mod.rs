//! The tokenizer inside a GGUF file: the arrays under `tokenizer.ggml.`, read by whoever reads the file.
//!
//! `model = "llama"` is a sentencepiece BPE model without its file, `model = "gpt2"` a byte-level BPE with a list of
//! merges, whose split pattern is known by name only (`pre`; `splits.toml` beside this file says what a name means).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::formats::sentencepiece::Model;
use crate::formats::sentencepiece::proto::{
    Algorithm, Kind, Normalization as Normalizer, Piece, Proto, UNKNOWN_SURFACE,
};
use crate::merging::bpe::{ALONE, Merge, Merges};
use crate::merging::bytes::{ByteBpe, ByteEncoder, WholeWords};
use crate::merging::level::level_bytes;
use crate::merging::vocabulary::Vocabulary;
use crate::special::declared::Declared;
use crate::text::split::{Gaps, Splitter};
use crate::{Error, Normalization, Settings};
use crate::{Frame, Special, Tokenizer};

/// The arrays under `tokenizer.ggml.`, each field by its key; other keys are ignored.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Gguf {
    /// `llama` or `gpt2`.
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
    /// BOS.
    pub bos_token_id: Option<u32>,
    /// EOS.
    pub eos_token_id: Option<u32>,
    /// End of turn.
    pub eot_token_id: Option<u32>,
    /// Whether BOS goes before a text; by default for `llama` only.
    pub add_bos_token: Option<bool>,
    /// Whether EOS goes after a text; by default it does not.
    pub add_eos_token: Option<bool>,
    /// Whether a space goes before a text; by default for `llama` only.
    pub add_space_prefix: Option<bool>,
    /// Whether runs of spaces become one; by default they do not.
    pub remove_extra_whitespaces: Option<bool>,
}

/// Makes a tokenizer of a GGUF's arrays. Of `settings` only what the arrays can't say is used: replacements, an offset,
/// and prefix, suffix and stop by name, where they are given.
///
/// # Errors
/// [`Error::Gguf`] where the arrays contradict each other or name what is not known, else as [`crate::open`].
pub fn open_gguf(gguf: &Gguf, settings: &Settings) -> Result<Box<dyn Tokenizer>, Error> {
    let declared = match gguf.layout()? {
        Layout::SentencePiece => {
            let settings = Settings { special: BTreeMap::new(), ..settings.clone() };
            let mut model = gguf.sentencepiece()?;
            model.set_frame(gguf.frame()?);
            Declared::of_model(model, &settings)?
        }
        Layout::Bytes => {
            let split = gguf.split()?;
            let normalization = split.normalization;
            let settings = Settings { special: BTreeMap::new(), normalization, ..settings.clone() };
            Declared::of_bytes(Box::new(gguf.byte_level(&split)?), &settings)?
        }
    };
    Ok(Box::new(declared))
}

impl Gguf {
    fn sentencepiece(&self) -> Result<Model, Error> {
        if self.scores.len() != self.tokens.len() {
            let reason = format!("{} scores for {} tokens", self.scores.len(), self.tokens.len());
            return Err(wrong("scores", reason));
        }
        let pieces = self.tokens.iter().zip(&self.scores).enumerate();
        let pieces =
            pieces.map(|(id, (text, &score))| Ok(Piece { text: text.clone(), score, kind: self.kind(id)? }));
        let pieces = pieces.collect::<Result<Vec<_>, Error>>()?;
        if let Some(id) = self.scores.iter().position(|score| score.is_nan()) {
            return Err(wrong("scores", format!("the score of token {id} is not a number")));
        }
        if let Some(id) = self.tokens.iter().position(String::is_empty) {
            return Err(wrong("tokens", format!("token {id} is empty")));
        }
        Model::from_proto(Proto {
            byte_fallback: pieces.iter().any(|piece| piece.kind == Kind::Byte),
            pieces,
            algorithm: Algorithm::Bpe,
            space_is_suffix: false,
            unknown_surface: UNKNOWN_SURFACE.to_owned(),
            normalizer: Normalizer {
                map: Vec::new(),
                add_dummy_prefix: self.add_space_prefix.unwrap_or(true),
                remove_extra_whitespaces: self.remove_extra_whitespaces.unwrap_or(false),
                escape_whitespaces: true,
            },
        })
    }

    fn byte_level(&self, split: &Split) -> Result<ByteBpe, Error> {
        let mut vocabulary = Vocabulary::with_capacity(self.tokens.len());
        for (id, token) in self.tokens.iter().enumerate() {
            // Special tokens are spelled as text, all others byte by byte.
            let bytes = match self.kind(id)? {
                Kind::Control | Kind::UserDefined => token.as_bytes().to_vec(),
                Kind::Normal | Kind::Unknown | Kind::Unused | Kind::Byte => level_bytes(token),
            };
            vocabulary.push(&bytes);
        }
        let splitters = split.patterns.iter().map(|pattern| Ok((Splitter::new(pattern)?, Gaps::Keep)));
        let encoder = ByteEncoder {
            bytes: Box::new(std::array::from_fn(|byte| vocabulary.id(&[byte as u8]).unwrap_or(ALONE))),
            merges: self.merges(&vocabulary)?,
            splitters: splitters.collect::<Result<_, _>>().map_err(|reason: String| wrong("pre", reason))?,
            whole: Vec::new(),
        };
        Ok(ByteBpe {
            encoder: encoder.with_whole_words(&vocabulary, split.whole_words),
            vocabulary,
            specials: self.specials()?,
            frame: self.frame()?,
        })
    }

    fn merges(&self, vocabulary: &Vocabulary) -> Result<Merges, Error> {
        let mut merges = Merges::with_capacity(self.merges.len());
        for (rank, merge) in self.merges.iter().enumerate() {
            let unknown =
                || wrong("merges", format!("merge {rank} {merge:?} is not of two tokens and makes no third"));
            let (left, right) = merge.split_once(' ').ok_or_else(unknown)?;
            let (left, right) = (level_bytes(left), level_bytes(right));
            let id = |piece: &[u8]| vocabulary.id(piece).ok_or_else(unknown);
            let symbol = id(&[&left[..], &right].concat())?;
            merges.insert(id(&left)?, id(&right)?, Merge { rank: rank as u32, symbol });
        }
        Ok(merges)
    }

    fn kind(&self, id: usize) -> Result<Kind, Error> {
        if self.token_type.is_empty() {
            return Ok(Kind::Normal);
        }
        let number = self.token_type.get(id).copied();
        number.and_then(Kind::from_number).ok_or_else(|| {
            wrong(
                "token_type",
                match number {
                    Some(number) => format!("token {id} is of the unknown type {number}"),
                    None => format!("token {id} has none"),
                },
            )
        })
    }

    fn specials(&self) -> Result<Vec<Special>, Error> {
        let mut specials = Vec::new();
        for (id, name) in self.tokens.iter().enumerate() {
            if matches!(self.kind(id)?, Kind::Control | Kind::UserDefined) && !name.is_empty() {
                specials.push(Special { name: name.clone(), id: id as u32 });
            }
        }
        Ok(specials)
    }

    fn frame(&self) -> Result<Frame, Error> {
        let known = |key, id: Option<u32>| match id {
            Some(id) if id as usize >= self.tokens.len() => {
                Err(wrong(key, format!("id {id} is not in the vocabulary of {} ids", self.tokens.len())))
            }
            id => Ok(id),
        };
        let bos = known("bos_token_id", self.bos_token_id)?;
        let eos = known("eos_token_id", self.eos_token_id)?;
        let eot = known("eot_token_id", self.eot_token_id)?;
        let add_bos = self.add_bos_token.unwrap_or(self.layout()? == Layout::SentencePiece);
        let add_eos = self.add_eos_token.unwrap_or(false);
        Ok(Frame {
            before: bos.filter(|_| add_bos).into_iter().collect(),
            after: eos.filter(|_| add_eos).into_iter().collect(),
            stop: eos.into_iter().chain(eot).collect(),
        })
    }

    fn layout(&self) -> Result<Layout, Error> {
        let known: BTreeMap<String, Layout> =
            toml::from_str(include_str!("models.toml")).map_err(|error| wrong("model", error.to_string()))?;
        known.get(&self.model).copied().ok_or_else(|| {
            let names: Vec<_> = known.into_keys().collect();
            wrong("model", format!("{:?} is not known; known are {}", self.model, names.join(", ")))
        })
    }

    fn split(&self) -> Result<Split, Error> {
        let name = self
            .pre
            .as_deref()
            .ok_or_else(|| wrong("pre", "is missing: nothing says how a text is split".into()))?;
        let mut known: BTreeMap<String, Split> =
            toml::from_str(include_str!("splits.toml")).map_err(|error| wrong("pre", error.to_string()))?;
        match known.remove(name) {
            Some(split) => Ok(split),
            None => {
                let names: Vec<_> = known.into_keys().collect();
                Err(wrong("pre", format!("{name:?} is not known; known are {}", names.join(", "))))
            }
        }
    }
}

/// What a name in `model` means.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Layout {
    SentencePiece,
    Bytes,
}

/// What a name in `pre` means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Split {
    patterns: Vec<String>,
    #[serde(default)]
    whole_words: WholeWords,
    #[serde(default)]
    normalization: Normalization,
}

fn wrong(key: &'static str, reason: String) -> Error {
    Error::Gguf { key, reason }
}
