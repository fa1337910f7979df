//! A format's tokenizer with the tokens that are not merged from text around it.

use super::partition::Partition;
use crate::text::finder::Cut;
use crate::{Decoder, Error, Frame, Special, Specials, Tokenizer};

/// text → cut at tokens that stand in it by name → the ids of what is between, each part a text of its own.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) inner: Box<dyn Tokenizer>,
    pub(super) partition: Option<Partition>,
    /// Those that are not shown, by id.
    pub(super) specials: Vec<Special>,
    pub(super) frame: Frame,
}

impl Tokenizer for Whole {
    fn encode_into(&self, text: &str, specials: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        let Some(partition) = &self.partition else {
            return self.inner.encode_into(text, Specials::Literal, ids);
        };
        partition.cut(text, specials, |part| match part {
            Cut::Key(id) => {
                ids.push(id);
                Ok(())
            }
            Cut::Between(part) => self.inner.encode_into(part, Specials::Literal, ids),
        })
    }

    fn decoder(&self) -> Box<dyn Decoder + '_> {
        self.inner.decoder()
    }

    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        self.inner.decode_into(ids, text)
    }

    fn vocab_size(&self) -> usize {
        self.inner.vocab_size()
    }

    fn piece(&self, id: u32) -> Option<&[u8]> {
        self.inner.piece(id)
    }

    fn id(&self, piece: &[u8]) -> Option<u32> {
        self.inner.id(piece)
    }

    fn specials(&self) -> &[Special] {
        &self.specials
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }
}
