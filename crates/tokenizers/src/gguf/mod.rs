//! The tokenizer inside a GGUF file: the arrays under `tokenizer.ggml.`, read by whoever reads the file.
//!
//! `model = "llama"` is a sentencepiece BPE model without its file, `model = "gpt2"` a byte-level BPE with a list of
//! merges, whose split pattern is known by name only (`pre`; `tables/splits.toml` says what a name means), `model = "gemma4"` pieces
//! that characters merge to by a list. Ids are llama.cpp's, whose converter writes these files: where it and the vocabulary's own tokenizer.json differ (it
//! composes no Unicode, for one), the file is read as it reads it.

mod arrays;
mod json;
mod kinds;
mod merged;
mod out;
mod partition;
mod splits;
mod whole;

use std::borrow::Cow;

use crate::formats::sentencepiece::Model;
use crate::formats::sentencepiece::proto::{
    Algorithm, Kind, Normalization as Normalizer, Piece, Proto, UNKNOWN_SURFACE,
};
use crate::merging::bpe::{ALONE, Merge, Merges};
use crate::merging::bytes::{ByteBpe, ByteEncoder};
use crate::merging::level::level_bytes;
use crate::merging::vocabulary::Vocabulary;
use crate::text::split::{Gaps, Splitter};
use crate::{Error, Frame, Settings, Special, Tokenizer};
pub use arrays::Gguf;
use arrays::{Layout, wrong};
pub use json::tokenizer_json;
use kinds::Kinds;
use merged::Merged;
pub use out::arrays as gguf_arrays;
use partition::{Key, Partition, When};
use splits::{Split, split};
use whole::Whole;

/// Makes a tokenizer of a GGUF's arrays. Of `settings` only `stop` is used: of the tokens that it names, those that the
/// vocabulary has end a text beside the file's own.
///
/// # Errors
/// [`Error::Gguf`] where the arrays contradict each other or name what is not known, else as [`crate::open`].
pub fn open_gguf(gguf: &Gguf, settings: &Settings) -> Result<Box<dyn Tokenizer>, Error> {
    gguf.check_ids()?;
    let kinds = Kinds::of(gguf)?;
    let (inner, bos): (Box<dyn Tokenizer>, bool) = match gguf.layout()? {
        Layout::SentencePiece => (Box::new(gguf.sentencepiece(&kinds)?), true),
        Layout::Bytes => {
            let split = split(gguf.pre.as_deref())?;
            (Box::new(gguf.byte_level(&kinds, &split)?), split.bos)
        }
        Layout::Characters => (Box::new(gguf.merged(&kinds)?), true),
    };
    let mut frame = gguf.frame(&kinds, bos)?;
    for id in settings.stop.iter().flatten().filter_map(|name| inner.id(name.as_bytes())) {
        if !frame.stop.contains(&id) {
            frame.stop.push(id);
        }
    }
    let (partition, specials) = (gguf.partition(&kinds)?, gguf.specials(&kinds));
    Ok(Box::new(Whole { inner, partition, specials, frame }))
}

impl Gguf {
    /// What a user should know of how texts are split; none where the file says it.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let bytes = self.layout().is_ok_and(|layout| layout == Layout::Bytes);
        let vague = matches!(self.pre.as_deref(), None | Some("" | splits::DEFAULT));
        (bytes && vague).then(|| {
            "the file does not say how its vocabulary splits texts (tokenizer.ggml.pre): they are split as llama.cpp does \
             then, and ids may not be those that the model was trained with; a newer conversion says it"
                .to_owned()
        })
    }

    /// The tokens as they are called: one without a name gets one, as in llama.cpp.
    fn name(&self, id: usize) -> Cow<'_, str> {
        match &*self.tokens[id] {
            "" => Cow::Owned(format!("[EMPTY_{id}]")),
            name => Cow::Borrowed(name),
        }
    }

    fn sentencepiece(&self, kinds: &Kinds) -> Result<Model, Error> {
        if !self.scores.is_empty() && self.scores.len() < self.tokens.len() {
            let reason = format!("{} scores for {} tokens", self.scores.len(), self.tokens.len());
            return Err(wrong("scores", reason));
        }
        if let Some(id) = self.scores.iter().position(|score| score.is_nan()) {
            return Err(wrong("scores", format!("the score of token {id} is not a number")));
        }
        let unknown = self.unknown(kinds)?;
        let piece = |(id, kind): (usize, &Kind)| Piece {
            text: self.name(id).into_owned(),
            score: self.scores.get(id).copied().unwrap_or(0.0),
            kind: self.piece_kind(id, *kind, unknown),
        };
        let pieces: Vec<_> = kinds.kinds.iter().enumerate().map(piece).collect();
        Model::from_proto(Proto {
            byte_fallback: pieces.iter().any(|piece| piece.kind == Kind::Byte),
            pieces,
            algorithm: Algorithm::Bpe,
            space_is_suffix: false,
            unknown_surface: UNKNOWN_SURFACE.to_owned(),
            normalizer: Normalizer {
                map: Vec::new(),
                add_dummy_prefix: self.space_before()?,
                remove_extra_whitespaces: false,
                escape_whitespaces: true,
            },
        })
    }

    /// Whether a space goes before a text.
    fn space_before(&self) -> Result<bool, Error> {
        Ok(self.layout()? == Layout::SentencePiece && self.add_space_prefix.unwrap_or(true))
    }

    /// Pieces that characters merge to.
    fn merged(&self, kinds: &Kinds) -> Result<Merged, Error> {
        Merged::new(self.sentencepiece(kinds)?, &self.merges)
    }

    /// The id of the unknown piece: the file's, else the first of that type, else 0.
    fn unknown(&self, kinds: &Kinds) -> Result<usize, Error> {
        let typed = kinds.kinds.iter().position(|kind| *kind == Kind::Unknown);
        let unknown = self.unknown_token_id.map(|id| id as usize).or(typed).unwrap_or(0);
        if unknown < self.tokens.len() { Ok(unknown) } else { Err(wrong("tokens", "there are none".into())) }
    }

    /// What a token is to sentencepiece: one is unknown, no other is; all that text can become takes part in merges; bytes
    /// are known by their names where no token has a type.
    fn piece_kind(&self, id: usize, kind: Kind, unknown: usize) -> Kind {
        let is_byte = || self.tokens[id].len() == 6 && self.tokens[id].starts_with("<0x");
        match kind {
            Kind::Normal | Kind::Control | Kind::Unknown | Kind::UserDefined | Kind::Unused | Kind::Byte
                if id == unknown =>
            {
                Kind::Unknown
            }
            Kind::Normal if self.token_type.is_empty() && is_byte() => Kind::Byte,
            Kind::Unknown => Kind::Control,
            Kind::Unused => Kind::Normal,
            Kind::Normal | Kind::Control | Kind::UserDefined | Kind::Byte => kind,
        }
    }

    fn byte_level(&self, kinds: &Kinds, split: &Split) -> Result<ByteBpe, Error> {
        let mut vocabulary = Vocabulary::with_capacity(self.tokens.len());
        for (id, kind) in kinds.kinds.iter().enumerate() {
            let name = self.name(id);
            // Special tokens are spelled as text, all others byte by byte.
            let bytes = match kind {
                Kind::Control | Kind::UserDefined | Kind::Unknown => name.as_bytes().to_vec(),
                Kind::Normal | Kind::Unused | Kind::Byte => level_bytes(&name),
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
            specials: Vec::new(),
            frame: Frame::default(),
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

    fn partition(&self, kinds: &Kinds) -> Result<Option<Partition>, Error> {
        let keys = kinds.kinds.iter().enumerate().filter_map(|(id, kind)| {
            let when = match kind {
                Kind::UserDefined => When::Always,
                Kind::Control | Kind::Unknown => When::Parsed,
                Kind::Normal | Kind::Unused | Kind::Byte => return None,
            };
            Some((&*self.tokens[id], Key { id: id as u32, when }))
        });
        Partition::new(keys)
    }

    fn specials(&self, kinds: &Kinds) -> Vec<Special> {
        let hidden = kinds.kinds.iter().enumerate().filter(|(_, kind)| match kind {
            Kind::Control | Kind::Unknown => true,
            Kind::UserDefined | Kind::Normal | Kind::Unused | Kind::Byte => false,
        });
        hidden.map(|(id, _)| Special { name: self.name(id).into_owned(), id: id as u32 }).collect()
    }

    fn frame(&self, kinds: &Kinds, bos: bool) -> Result<Frame, Error> {
        // Files that were made before the converter knew better say false.
        let always = self.layout()? == Layout::Characters;
        let add_bos = always || self.add_bos_token.unwrap_or(bos);
        let add_eos = self.add_eos_token.unwrap_or(false);
        Ok(Frame {
            before: self.bos()?.filter(|_| add_bos).into_iter().collect(),
            after: self.eos()?.filter(|_| add_eos).into_iter().collect(),
            stop: kinds.ends.clone(),
        })
    }

    fn bos(&self) -> Result<Option<u32>, Error> {
        self.or_sentencepiece(self.bos_token_id, 1)
    }

    fn eos(&self) -> Result<Option<u32>, Error> {
        self.or_sentencepiece(self.eos_token_id, 2)
    }

    /// An id as the file says it, else the one that sentencepiece's own models have.
    fn or_sentencepiece(&self, said: Option<u32>, usual: u32) -> Result<Option<u32>, Error> {
        let has_it = self.layout()? == Layout::SentencePiece && (usual as usize) < self.tokens.len();
        Ok(said.or(has_it.then_some(usual)))
    }

    fn fills(&self, key: &str) -> Option<u32> {
        match key {
            "fim_pad_token_id" => self.fim_pad_token_id,
            "fim_rep_token_id" => self.fim_rep_token_id,
            "fim_sep_token_id" => self.fim_sep_token_id,
            _ => None,
        }
    }

    /// Every id that the file names must be in its vocabulary.
    fn check_ids(&self) -> Result<(), Error> {
        let said = [
            ("bos_token_id", self.bos_token_id),
            ("eos_token_id", self.eos_token_id),
            ("eot_token_id", self.eot_token_id),
            ("eom_token_id", self.eom_token_id),
            ("unknown_token_id", self.unknown_token_id),
            ("fim_pad_token_id", self.fim_pad_token_id),
            ("fim_rep_token_id", self.fim_rep_token_id),
            ("fim_sep_token_id", self.fim_sep_token_id),
        ];
        let size = self.tokens.len();
        match said.into_iter().find_map(|(key, id)| Some((key, id.filter(|id| *id as usize >= size)?))) {
            Some((key, id)) => Err(wrong(key, format!("id {id} is not in the vocabulary of {size} ids"))),
            None => Ok(()),
        }
    }
}
