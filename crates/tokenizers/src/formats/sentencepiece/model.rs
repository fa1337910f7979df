//! A sentencepiece model, ready to encode and decode.

use super::bpe::Bpe;
use super::decoder::PieceDecoder;
use super::normalizer::Normalizer;
use super::pieces::{Pieces, Sink};
use super::proto::{Algorithm, Proto};
use super::surfaces::Surfaces;
use super::unigram::Unigram;
use crate::Error;
use crate::text::finder::{Cut, Finder};
use crate::text::trie::Trie;
use crate::{Decoder, Frame, Special, Specials, Tokenizer};

/// A sentencepiece model: ids and text equal sentencepiece 0.2's.
#[derive(Clone, Debug)]
pub struct Model {
    pieces: Pieces,
    normalizer: Normalizer,
    user_defined: Option<Trie>,
    search: Search,
    specials: Vec<Special>,
    /// Special tokens that are looked for in the normalised text, as they are spelled there.
    spelled: Option<Finder>,
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
            frame: Frame::default(),
        })
    }

    /// The same model, which looks for `specials` in the normalised text.
    pub(crate) fn with_spelled(mut self, specials: &[Special]) -> Result<Self, Error> {
        let names: Vec<_> =
            specials.iter().map(|special| (special.id, self.normalize(&special.name))).collect();
        let finder = Finder::new(names.iter().map(|(id, name)| (&**name, *id)));
        let finder = finder.map_err(|reason| Error::setting("special", reason))?;
        for (id, name) in &names {
            self.surfaces.set_piece(*id, name);
        }
        self.spelled = finder;
        Ok(self)
    }

    /// The text that pieces are matched against.
    #[must_use]
    pub fn normalize(&self, text: &str) -> String {
        self.normalizer.normalize(text, self.user_defined.as_ref())
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
        let text = self.normalize(text);
        if text.len() > LONGEST {
            return Err(Error::TooLong { bytes: text.len(), limit: LONGEST });
        }
        match self.spelled.as_ref().filter(|_| specials == Specials::Parse) {
            None => self.encode_normalized(&text, ids),
            Some(finder) => finder.cut(&text, |part| {
                match part {
                    Cut::Key(id) => ids.push(id),
                    Cut::Between(part) => self.encode_normalized(part, ids),
                }
                Ok::<_, Error>(())
            })?,
        }
        Ok(())
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
