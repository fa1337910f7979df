//! What an upstream library makes of a file and of texts.

use crate::{Error, Kind, Settings, Specials, Tokenizer, kind_of};

type Encode = Box<dyn Fn(&str, Specials) -> Vec<u32>>;
type Decode = Box<dyn Fn(&[u32]) -> String>;

/// An upstream library with a vocabulary.
pub struct Upstream {
    /// The library's name.
    pub library: &'static str,
    /// Text to ids; special tokens as asked, where the library has the choice.
    pub encode: Encode,
    /// Ids to text.
    pub decode: Decode,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Upstream").field(&self.library).finish()
    }
}

/// The upstream library for the format of `file`; none where it was not built in.
///
/// # Errors
/// What the library says against the file.
pub fn upstream(file: &[u8], settings: &Settings) -> Result<Option<Upstream>, Error> {
    match kind_of(file)? {
        Kind::SentencePiece => sentencepiece(file),
        Kind::Tiktoken => tiktoken(file, settings).map(Some),
        Kind::Json => json(file).map(Some),
        Kind::Pair => Ok(None),
    }
}

fn tiktoken(file: &[u8], settings: &Settings) -> Result<Upstream, Error> {
    let settings = &settings.resolved()?;
    let pattern = settings.pattern.clone().unwrap_or_default();
    let ranks = crate::formats::tiktoken::parse(file, &pattern)?;
    let tokens = (0..ranks.vocab_size() as u32).map(|id| (ranks.piece(id).unwrap_or_default().to_vec(), id));
    let specials = settings.specials()?.into_iter().map(|special| (special.name, special.id));
    let core = tiktoken_rs::CoreBPE::new(tokens.collect(), specials.collect(), &pattern);
    let core = std::rc::Rc::new(core.map_err(|error| Error::setting("pattern", error.to_string()))?);
    let decoder = core.clone();
    Ok(Upstream {
        library: "tiktoken-rs",
        encode: Box::new(move |text, specials| match specials {
            Specials::Literal => core.encode_ordinary(text),
            Specials::Parse => core.encode_with_special_tokens(text),
        }),
        decode: Box::new(move |ids| {
            decoder
                .decode_bytes(ids)
                .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
        }),
    })
}

fn json(file: &[u8]) -> Result<Upstream, Error> {
    let parsing = hf::Tokenizer::from_bytes(file).map_err(|error| Error::Json(error.to_string()))?;
    let mut literal = parsing.clone();
    literal.set_encode_special_tokens(true);
    let decoder = literal.clone();
    Ok(Upstream {
        library: "tokenizers",
        encode: Box::new(move |text, specials| {
            let tokenizer = match specials {
                Specials::Literal => &literal,
                Specials::Parse => &parsing,
            };
            tokenizer.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
        }),
        decode: Box::new(move |ids| decoder.decode(ids, false).unwrap_or_default()),
    })
}

#[cfg(not(feature = "sentencepiece"))]
fn sentencepiece(_: &[u8]) -> Result<Option<Upstream>, Error> {
    Ok(None)
}

#[cfg(feature = "sentencepiece")]
fn sentencepiece(file: &[u8]) -> Result<Option<Upstream>, Error> {
    let refused = |error: ::sentencepiece::SentencePieceError| Error::SentencePiece(error.to_string());
    let processor = ::sentencepiece::SentencePieceProcessor::from_serialized_proto(file).map_err(refused)?;
    let processor = std::rc::Rc::new(processor);
    let decoder = processor.clone();
    Ok(Some(Upstream {
        library: "sentencepiece",
        encode: Box::new(move |text, _| {
            let pieces = processor.encode(text).unwrap_or_default();
            pieces.into_iter().map(|piece| piece.id).collect()
        }),
        decode: Box::new(move |ids| decoder.decode_piece_ids(ids).unwrap_or_default()),
    }))
}
