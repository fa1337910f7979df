//! A sentencepiece model, ready to encode and decode.

use super::bpe::Bpe;
use super::decoder::PieceDecoder;
use super::normalizer::{Normalizer, SPACE};
use super::pieces::{Pieces, Sink};
use super::proto::{Algorithm, Proto};
use super::surfaces::Surfaces;
use super::unigram::Unigram;
use crate::Error;
use crate::text::added::{Added, Part};
use crate::text::trie::Trie;
use crate::{AddedToken, Decoder, DummyPrefix, Frame, Special, Specials, Tokenizer};

/// A sentencepiece model: ids and text equal sentencepiece 0.2's.
#[derive(Clone, Debug)]
pub struct Model {
    pieces: Pieces,
    normalizer: Normalizer,
    user_defined: Option<Trie>,
    search: Search,
    specials: Vec<Special>,
    /// Tokens that are looked for in the normalised text, as they are spelled there.
    spelled: Option<Added>,
    dummy_prefix: DummyPrefix,
    surfaces: Surfaces,
    frame: Frame,
}

#[derive(Clone, Debug)]
enum Search {
    Bpe(Bpe),
    Unigram(Unigram),
}

/// The longest normalised text that positions count.
const LONGEST: usize = (u32::MAX - 1) as usize;

impl Model {
    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// [`Error::SentencePiece`] says what is wrong with it.
    pub fn from_bytes(file: &[u8]) -> Result<Self, Error> {
        Self::from_proto(Proto::parse(file)?)
    }

    pub(crate) fn from_proto(proto: Proto) -> Result<Self, Error> {
        let pieces = Pieces::new(&proto)?;
        let specials = pieces.specials();
        let mut user_defined = pieces.matched().filter(|&(id, _)| pieces.is_user_defined(id)).peekable();
        let user_defined = user_defined
            .peek()
            .is_some()
            .then(|| Trie::new(user_defined.map(|(id, text)| (text.as_bytes(), id))));
        let normalizer = Normalizer::new(&proto.normalizer, proto.space_is_suffix, user_defined.as_ref())?;
        let search = match proto.algorithm {
            Algorithm::Bpe => Search::Bpe(Bpe::new(&pieces)),
            Algorithm::Unigram => Search::Unigram(Unigram::new(&pieces)),
        };
        let surfaces = Surfaces::new(&pieces, &proto.unknown_surface);
        Ok(Self {
            pieces,
            normalizer,
            surfaces,
            user_defined,
            search,
            specials,
            spelled: None,
            dummy_prefix: DummyPrefix::File,
            frame: Frame::default(),
        })
    }

    /// The same model with other texts that begin with a space, and with the `normalized` ones of `tokens` looked for in
    /// the normalised text.
    pub(crate) fn with_added(
        mut self,
        tokens: &[AddedToken],
        dummy_prefix: DummyPrefix,
    ) -> Result<Self, Error> {
        self.dummy_prefix = dummy_prefix;
        self.normalizer.add_dummy_prefix = match dummy_prefix {
            DummyPrefix::File => self.normalizer.add_dummy_prefix,
            DummyPrefix::Every | DummyPrefix::First | DummyPrefix::Spaceless => true,
            DummyPrefix::Never => false,
        };
        let normalized = tokens.iter().filter(|token| token.normalized);
        let spelled: Vec<_> = normalized.map(|token| (self.spelling(&token.content), token)).collect();
        for (name, token) in &spelled {
            self.surfaces.set_piece(token.id, name);
        }
        self.spelled = Added::new(&spelled).map_err(|reason| Error::setting("added", reason))?;
        Ok(self)
    }

    /// How a token is spelled where it is looked for.
    fn spelling(&self, name: &str) -> String {
        match self.dummy_prefix {
            DummyPrefix::First | DummyPrefix::Spaceless => name.to_owned(),
            DummyPrefix::File | DummyPrefix::Every | DummyPrefix::Never => self.normalized(name, true),
        }
    }

    /// The pieces that a text holds as they are, and the control pieces, as tokens to look for.
    pub(crate) fn kept(&self) -> Vec<AddedToken> {
        self.pieces.kept().map(|(id, content, special)| AddedToken::plain(id, content, special)).collect()
    }

    /// The text that pieces are matched against.
    #[must_use]
    pub fn normalize(&self, text: &str) -> String {
        self.normalized(text, true)
    }

    fn normalized(&self, text: &str, at_start: bool) -> String {
        let dummy = match self.dummy_prefix {
            DummyPrefix::File | DummyPrefix::Every | DummyPrefix::Never => self.normalizer.add_dummy_prefix,
            DummyPrefix::First => at_start,
            DummyPrefix::Spaceless => at_start && !text.starts_with(' ') && !text.starts_with(SPACE),
        };
        self.normalizer.normalize(text, dummy, self.user_defined.as_ref())
    }

    /// Appends the ids of a part of a text that begins at byte `at` of it.
    pub(crate) fn encode_part(
        &self,
        text: &str,
        at: usize,
        specials: Specials,
        ids: &mut Vec<u32>,
    ) -> Result<(), Error> {
        match self.dummy_prefix {
            DummyPrefix::File | DummyPrefix::Every | DummyPrefix::Never => {
                let text = self.bounded(text, at == 0)?;
                self.cut(&text, specials, ids, |_, part, ids| {
                    self.encode_normalized(part, ids);
                    Ok(())
                })
            }
            // Nothing is normalised before such tokens are looked for.
            DummyPrefix::First | DummyPrefix::Spaceless => {
                self.cut(text, specials, ids, |inside, part, ids| {
                    self.encode_normalized(&self.bounded(part, at + inside == 0)?, ids);
                    Ok(())
                })
            }
        }
    }

    /// The normalised text, if it is not too long.
    fn bounded(&self, text: &str, at_start: bool) -> Result<String, Error> {
        let text = self.normalized(text, at_start);
        if text.len() > LONGEST {
            return Err(Error::TooLong { bytes: text.len(), limit: LONGEST });
        }
        Ok(text)
    }

    /// Cuts a text at the tokens that are spelled there; `plain` hears where the rest of it stands.
    fn cut(
        &self,
        text: &str,
        specials: Specials,
        ids: &mut Vec<u32>,
        plain: impl Fn(usize, &str, &mut Vec<u32>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(spelled) = &self.spelled else { return plain(0, text, ids) };
        spelled.cut(text, specials, |part| match part {
            Part::Token(id) => {
                ids.push(id);
                Ok(())
            }
            Part::Text(at, part) => plain(at, part, ids),
        })
    }

    /// A decoder at the beginning of a text, or in the midst of one.
    pub(crate) fn decoder_from(&self, at_start: bool) -> PieceDecoder<'_> {
        let decoder = PieceDecoder::new(&self.surfaces, &self.normalizer);
        match self.dummy_prefix {
            DummyPrefix::First | DummyPrefix::Spaceless if !at_start => decoder.in_the_midst(),
            DummyPrefix::First
            | DummyPrefix::Spaceless
            | DummyPrefix::File
            | DummyPrefix::Every
            | DummyPrefix::Never => decoder,
        }
    }

    /// Appends the ids of a text that is normalised already.
    pub(crate) fn encode_normalized(&self, text: &str, ids: &mut Vec<u32>) {
        let mut sink = Sink::new(&self.pieces, ids);
        match &self.search {
            Search::Bpe(bpe) => bpe.encode(text, self.user_defined.as_ref(), &mut sink),
            Search::Unigram(unigram) => unigram.encode(text, &mut sink),
        }
    }
}

impl Tokenizer for Model {
    /// The reference looks for no special tokens; [`crate::open`] wraps what does.
    fn encode_into(&self, text: &str, specials: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        self.encode_part(text, 0, specials, ids)
    }

    fn decoder(&self) -> Box<dyn Decoder + '_> {
        Box::new(PieceDecoder::new(&self.surfaces, &self.normalizer))
    }

    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        let mut decoder = PieceDecoder::new(&self.surfaces, &self.normalizer);
        ids.iter().try_for_each(|&id| decoder.push(id, text))?;
        decoder.finish(text);
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    fn piece(&self, id: u32) -> Option<&[u8]> {
        self.pieces.vocabulary.get(id)
    }

    fn id(&self, piece: &[u8]) -> Option<u32> {
        self.pieces.vocabulary.id(piece)
    }

    fn specials(&self) -> &[Special] {
        &self.specials
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }
}
