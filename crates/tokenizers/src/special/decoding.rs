//! The text of ids, among which some are written by their names.

use super::declared::Declared;
use super::replace::Restorer;
use crate::{Decoder, Error, Tokenizer};

pub(super) struct DeclaredDecoder<'a> {
    declared: &'a Declared,
    inner: Box<dyn Decoder + 'a>,
    restorer: Option<Restorer<'a>>,
    scratch: String,
}

impl<'a> DeclaredDecoder<'a> {
    pub(super) fn new(declared: &'a Declared) -> Self {
        let restorer = declared.replacer.as_ref().map(Restorer::new);
        Self { declared, inner: declared.inner.decoder(true), restorer, scratch: String::new() }
    }

    /// Hands on what is held back.
    fn end_part(&mut self, text: &mut String) {
        let out = if self.restorer.is_some() { &mut self.scratch } else { &mut *text };
        self.inner.finish(out);
        self.restore(text);
        if let Some(restorer) = &mut self.restorer {
            restorer.finish(text);
        }
    }

    /// Hands on what the inner decoder wrote.
    fn restore(&mut self, text: &mut String) {
        if let Some(restorer) = &mut self.restorer {
            restorer.push(&self.scratch, text);
            self.scratch.clear();
        }
    }
}

impl Decoder for DeclaredDecoder<'_> {
    fn push(&mut self, id: u32, text: &mut String) -> Result<(), Error> {
        // What upstream's decoders do: the text between two special tokens is a text of its own.
        if self.declared.is_spoken(id)
            && let Some(special) = self.declared.named_by(id)
        {
            self.end_part(text);
            self.inner = self.declared.inner.decoder(false);
            text.push_str(&special.name);
            return Ok(());
        }
        let unknown = || Error::UnknownId { id, size: self.declared.vocab_size() };
        let inner = id.checked_sub(self.declared.offset).ok_or_else(unknown)?;
        let out = if self.restorer.is_some() { &mut self.scratch } else { &mut *text };
        self.inner.push(inner, out).map_err(|_| unknown())?;
        self.restore(text);
        Ok(())
    }

    fn finish(&mut self, text: &mut String) {
        self.end_part(text);
        self.inner = self.declared.inner.decoder(true);
    }
}
