//! `tokenizer.json`: the usual kinds are run here, whatever else by Hugging Face's `tokenizers`, with the feature
//! `hugging-face`.
//!
//! A file is read strictly: one word that [`file`] does not know, or that [`read`] can't honour to the letter, and the
//! library encodes; without it, the file is refused with that word. Decoding is always ours, since theirs can't stream exactly.

mod fallback;
mod file;
#[cfg(feature = "hugging-face")]
mod library;
mod model;
mod read;
mod scheme;
#[cfg(test)]
#[cfg(feature = "hugging-face")]
mod tests;
mod usual;

use serde::Deserialize;
use serde_json::Value;

use fallback::FallbackDecoder;
#[cfg(feature = "hugging-face")]
use library::Library;
use scheme::{Loaded, Scheme};
use usual::Usual;

use crate::Error;
use crate::merging::bytes::{ByteDecoder, decode_bytes};
use crate::merging::vocabulary::Vocabulary;
use crate::text::lossy::Lossy;
use crate::{Decoder, Frame, Special, Specials, Tokenizer};

/// A `tokenizer.json`.
#[derive(Debug)]
pub(crate) struct Json {
    engine: Engine,
    scheme: Scheme,
    /// As decoding wants them: bytes for a byte-level vocabulary.
    pieces: Vocabulary,
    specials: Vec<Special>,
    frame: Frame,
}

/// Who encodes.
#[derive(Debug)]
enum Engine {
    Usual(Box<Usual>),
    #[cfg(feature = "hugging-face")]
    Library(Box<Library>),
}

/// What of any file is read here: the whole of it is checked to be JSON.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    decoder: Value,
}

impl Json {
    pub(crate) fn from_bytes(file: &[u8]) -> Result<Self, Error> {
        let file = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
        let Head { decoder } =
            serde_json::from_slice(file).map_err(|error| Error::Json(error.to_string()))?;
        let scheme = Scheme::of(&decoder)?;
        match read::read(file, &scheme) {
            Ok(loaded) => Ok(Self::of(loaded, scheme, |usual| Engine::Usual(Box::new(usual)))),
            #[cfg(not(feature = "hugging-face"))]
            Err(unusual) => Err(Error::Json(format!(
                "{unusual}, which Hugging Face's own engine reads: build camelid-tokenizers with the feature `hugging-face`"
            ))),
            // What is unusual is for the library to know, or to refuse.
            #[cfg(feature = "hugging-face")]
            Err(_) => {
                let loaded = Library::load(file, &scheme)?;
                Ok(Self::of(loaded, scheme, |library| Engine::Library(Box::new(library))))
            }
        }
    }

    fn of<E>(loaded: Loaded<E>, scheme: Scheme, engine: impl FnOnce(E) -> Engine) -> Self {
        let Loaded { engine: of, pieces, specials, frame } = loaded;
        Self { engine: engine(of), scheme, pieces, specials, frame }
    }
}

impl Tokenizer for Json {
    fn encode_into(&self, text: &str, specials: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        match &self.engine {
            Engine::Usual(usual) => usual.encode(&self.pieces, text, specials, ids),
            #[cfg(feature = "hugging-face")]
            Engine::Library(library) => library.encode(text, specials, ids),
        }
    }

    fn decoder(&self) -> Box<dyn Decoder + '_> {
        match &self.scheme {
            Scheme::ByteLevel => Box::new(ByteDecoder { vocabulary: &self.pieces, bytes: Lossy::default() }),
            Scheme::ByteFallback(fallback) => Box::new(FallbackDecoder::new(fallback, &self.pieces)),
        }
    }

    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        match &self.scheme {
            Scheme::ByteLevel => decode_bytes(&self.pieces, ids, text),
            Scheme::ByteFallback(fallback) => {
                let mut decoder = FallbackDecoder::new(fallback, &self.pieces);
                ids.iter().try_for_each(|&id| decoder.push(id, text))?;
                decoder.finish(text);
                Ok(())
            }
        }
    }

    fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    fn piece(&self, id: u32) -> Option<&[u8]> {
        self.pieces.get(id)
    }

    fn id(&self, piece: &[u8]) -> Option<u32> {
        self.pieces.id(piece)
    }

    fn specials(&self) -> &[Special] {
        &self.specials
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }
}
