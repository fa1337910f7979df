//! An unusual `tokenizer.json`, encoded by Hugging Face's `tokenizers`.

use std::sync::OnceLock;

use super::scheme::{LARGEST_ID, Loaded, Scheme, piece};
use crate::Error;
use crate::merging::vocabulary::Vocabulary;
use crate::{Frame, Special, Specials};

#[derive(Debug)]
pub(super) struct Library {
    parsing: hf::Tokenizer,
    /// The same tokenizer, but special tokens are text; made when it is first asked for.
    literal: OnceLock<hf::Tokenizer>,
}

impl Library {
    pub(super) fn load(file: &[u8], scheme: &Scheme) -> Result<Loaded<Self>, Error> {
        // Theirs panics on some files that are JSON but no tokenizer, and on templates that name no token.
        let read = std::panic::catch_unwind(|| read(file));
        let (parsing, frame) = read.map_err(|_| Error::Json("is no tokenizer".into()))??;
        let pieces = pieces(&parsing, scheme)?;
        let specials = specials(&parsing);
        Ok(Loaded { engine: Self { parsing, literal: OnceLock::new() }, pieces, specials, frame })
    }

    pub(super) fn encode(&self, text: &str, specials: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        let tokenizer = match specials {
            Specials::Parse => &self.parsing,
            Specials::Literal => self.literal.get_or_init(|| {
                let mut literal = self.parsing.clone();
                literal.set_encode_special_tokens(true);
                literal
            }),
        };
        let encoding = tokenizer.encode_fast(text, false).map_err(refused)?;
        ids.extend_from_slice(encoding.get_ids());
        Ok(())
    }
}

fn pieces(tokenizer: &hf::Tokenizer, scheme: &Scheme) -> Result<Vocabulary, Error> {
    let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |last| last.saturating_add(1));
    if size > LARGEST_ID {
        return Err(Error::Json(format!("the id {} is beyond any vocabulary", size - 1)));
    }
    let added = tokenizer.get_added_vocabulary();
    let mut pieces = Vocabulary::with_capacity(size as usize);
    for id in 0..size {
        // A special token that is matched in normalised text decodes as it is spelled there.
        match added.simple_id_to_token(id).or_else(|| tokenizer.id_to_token(id)) {
            Some(token) => {
                pieces.push(&piece(&token, scheme));
            }
            None => pieces.push_hole(),
        }
    }
    Ok(pieces)
}

fn specials(tokenizer: &hf::Tokenizer) -> Vec<Special> {
    let added = tokenizer.get_added_tokens_decoder();
    let mut specials: Vec<_> = added
        .into_iter()
        .filter(|(_, token)| token.special)
        .map(|(id, token)| Special { name: token.content, id })
        .collect();
    specials.sort_by_key(|special| special.id);
    specials
}

fn read(file: &[u8]) -> Result<(hf::Tokenizer, Frame), Error> {
    let mut parsing = hf::Tokenizer::from_bytes(file).map_err(refused)?;
    // A file may carry what its last user set: no text is to be cut off or filled up.
    parsing.with_truncation(None).map_err(refused)?;
    parsing.with_padding(None);
    let frame = frame(&parsing)?;
    Ok((parsing, frame))
}

/// What the file's template puts around a text.
fn frame(tokenizer: &hf::Tokenizer) -> Result<Frame, Error> {
    let plain = tokenizer.encode_fast("a", false).map_err(refused)?;
    let framed = tokenizer.encode_fast("a", true).map_err(refused)?;
    let (plain, framed) = (plain.get_ids(), framed.get_ids());
    let at = framed.windows(plain.len().max(1)).position(|window| window == plain).unwrap_or(0);
    let after = framed.get(at + plain.len()..).unwrap_or_default();
    Ok(Frame { before: framed[..at.min(framed.len())].to_vec(), after: after.to_vec(), stop: Vec::new() })
}

fn refused(error: hf::Error) -> Error {
    Error::Json(error.to_string())
}
