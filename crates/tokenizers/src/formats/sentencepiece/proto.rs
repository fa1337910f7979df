//! What a model file says: the messages of sentencepiece_model.proto that bear on encoding.

use super::wire::Fields;
use crate::Error;
use crate::merging::vocabulary::LONGEST_PIECE;

/// The whole file.
#[derive(Clone, Debug)]
pub(crate) struct Proto {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) algorithm: Algorithm,
    /// A dummy space goes to the end of the text instead of its beginning.
    pub(crate) space_is_suffix: bool,
    pub(crate) byte_fallback: bool,
    /// What the unknown piece decodes to.
    pub(crate) unknown_surface: String,
    pub(crate) normalizer: Normalization,
}

/// A vocabulary entry.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) score: f32,
    pub(crate) kind: Kind,
}

/// How a piece may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// How a text is cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Unigram,
    Bpe,
}

/// The normaliser's switches and its map of characters.
#[derive(Clone, Debug)]
pub(crate) struct Normalization {
    pub(crate) map: Vec<u8>,
    pub(crate) add_dummy_prefix: bool,
    pub(crate) remove_extra_whitespaces: bool,
    pub(crate) escape_whitespaces: bool,
}

impl Default for Normalization {
    fn default() -> Self {
        Self {
            map: Vec::new(),
            add_dummy_prefix: true,
            remove_extra_whitespaces: true,
            escape_whitespaces: true,
        }
    }
}

/// What the unknown piece decodes to where the file does not say.
pub(crate) const UNKNOWN_SURFACE: &str = " \u{2047} ";

impl Proto {
    pub(crate) fn parse(file: &[u8]) -> Result<Proto, Error> {
        let mut proto = Proto {
            pieces: Vec::new(),
            algorithm: Algorithm::Unigram,
            space_is_suffix: false,
            byte_fallback: false,
            unknown_surface: UNKNOWN_SURFACE.to_owned(),
            normalizer: Normalization::default(),
        };
        for field in Fields::of(file) {
            match field? {
                (1, piece) => {
                    let piece = Piece::parse(piece.bytes()?, proto.pieces.len())?;
                    proto.pieces.push(piece);
                }
                (2, trainer) => proto.trainer(trainer.bytes()?)?,
                (3, normalizer) => proto.normalizer.parse(normalizer.bytes()?)?,
                (5, denormalizer) => {
                    let mut read = Normalization::default();
                    read.parse(denormalizer.bytes()?)?;
                    if !read.map.is_empty() {
                        return Err(Error::SentencePiece("a denormaliser is not supported".into()));
                    }
                }
                _ => {} // self-tests, and what later versions may add: no bearing on ids
            }
        }
        Ok(proto)
    }

    fn trainer(&mut self, message: &[u8]) -> Result<(), Error> {
        for field in Fields::of(message) {
            match field? {
                (3, model) => {
                    self.algorithm = match model.integer()? {
                        1 => Algorithm::Unigram,
                        2 => Algorithm::Bpe,
                        3 => return Err(Error::SentencePiece("word models are not supported".into())),
                        4 => return Err(Error::SentencePiece("character models are not supported".into())),
                        other => return Err(Error::SentencePiece(format!("unknown model type {other}"))),
                    }
                }
                (24, flag) => self.space_is_suffix = flag.flag()?,
                (35, flag) => self.byte_fallback = flag.flag()?,
                (44, surface) => surface.text()?.clone_into(&mut self.unknown_surface),
                _ => {} // how the model was trained
            }
        }
        Ok(())
    }
}

impl Piece {
    fn parse(message: &[u8], id: usize) -> Result<Piece, Error> {
        let mut piece = Piece { text: String::new(), score: 0.0, kind: Kind::Normal };
        for field in Fields::of(message) {
            match field? {
                (1, text) => text.text()?.clone_into(&mut piece.text),
                (2, score) => piece.score = score.float()?,
                (3, kind) => {
                    let kind = kind.integer()?;
                    piece.kind = Kind::from_number(kind).ok_or_else(|| {
                        Error::SentencePiece(format!("piece {id} is of the unknown type {kind}"))
                    })?;
                }
                _ => {} // extensions
            }
        }
        if piece.text.is_empty() {
            return Err(Error::SentencePiece(format!("piece {id} is empty")));
        }
        if piece.text.len() > LONGEST_PIECE {
            return Err(Error::SentencePiece(format!("piece {id} is longer than {LONGEST_PIECE} bytes")));
        }
        if piece.score.is_nan() {
            return Err(Error::SentencePiece(format!("the score of piece {id} is not a number")));
        }
        Ok(piece)
    }
}

impl Kind {
    /// The type as the file numbers it.
    pub(crate) fn from_number(number: u64) -> Option<Kind> {
        Some(match number {
            1 => Kind::Normal,
            2 => Kind::Unknown,
            3 => Kind::Control,
            4 => Kind::UserDefined,
            5 => Kind::Unused,
            6 => Kind::Byte,
            _ => return None,
        })
    }
}

impl Normalization {
    fn parse(&mut self, message: &[u8]) -> Result<(), Error> {
        for field in Fields::of(message) {
            match field? {
                (2, map) => map.bytes()?.clone_into(&mut self.map),
                (3, flag) => self.add_dummy_prefix = flag.flag()?,
                (4, flag) => self.remove_extra_whitespaces = flag.flag()?,
                (5, flag) => self.escape_whitespaces = flag.flag()?,
                _ => {} // the rules' name and source: the map is what they became
            }
        }
        Ok(())
    }
}
