//! Pieces that are text, with bytes as pieces: Hugging Face's `Replace`, `ByteFallback`, `Fuse`, `Strip` in one pass.

use serde_json::Value;

use crate::Decoder;
use crate::Error;
use crate::merging::vocabulary::Vocabulary;

/// What such a decoder was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fallback {
    replace: Vec<(String, String)>,
    /// A character that is cut off the whole text's beginning, at most so many times.
    strip: Option<(char, usize)>,
}

impl Fallback {
    /// Reads a `Sequence` of `Replace`s, `ByteFallback`, `Fuse` and perhaps `Strip`; none for anything else.
    pub(crate) fn of(decoder: &Value) -> Option<Self> {
        if text(decoder, "type")? != "Sequence" {
            return None;
        }
        let mut fallback = Self { replace: Vec::new(), strip: None };
        let mut steps = decoder.get("decoders")?.as_array()?.iter().peekable();
        while let Some(step) = steps.next_if(|step| text(step, "type") == Some("Replace")) {
            let pattern = text(step.get("pattern")?, "String")?;
            fallback.replace.push((pattern.to_owned(), text(step, "content")?.to_owned()));
        }
        for kind in ["ByteFallback", "Fuse"] {
            steps.next_if(|step| text(step, "type") == Some(kind))?;
        }
        if let Some(step) = steps.next() {
            let number = |key| step.get(key)?.as_u64();
            let plain = text(step, "type")? == "Strip" && number("stop")? == 0;
            let content = text(step, "content")?.chars().next()?;
            fallback.strip = plain.then_some((content, number("start")? as usize));
            fallback.strip?;
        }
        steps.next().is_none().then_some(fallback)
    }
}

/// Decodes pieces that are text or bytes.
pub(crate) struct FallbackDecoder<'a> {
    fallback: &'a Fallback,
    pieces: &'a Vocabulary,
    /// A run of bytes: text if all of it is, else a replacement for each, so nothing is known before its end.
    run: Vec<u8>,
    /// How many characters may still be cut off the beginning.
    strip: usize,
}

impl<'a> FallbackDecoder<'a> {
    pub(crate) fn new(fallback: &'a Fallback, pieces: &'a Vocabulary) -> Self {
        Self { fallback, pieces, run: Vec::new(), strip: fallback.strip.map_or(0, |(_, times)| times) }
    }

    fn write(&mut self, mut piece: &str, out: &mut String) {
        while let Some((content, _)) = self.fallback.strip.filter(|_| self.strip > 0 && !piece.is_empty()) {
            match piece.strip_prefix(content) {
                Some(rest) => {
                    piece = rest;
                    self.strip -= 1;
                }
                None => self.strip = 0,
            }
        }
        out.push_str(piece);
    }

    fn flush(&mut self, out: &mut String) {
        if self.run.is_empty() {
            return;
        }
        let run = std::mem::take(&mut self.run);
        match std::str::from_utf8(&run) {
            Ok(text) => self.write(text, out),
            Err(_) => self.write(&"\u{FFFD}".repeat(run.len()), out),
        }
    }
}

impl Decoder for FallbackDecoder<'_> {
    fn push(&mut self, id: u32, out: &mut String) -> Result<(), Error> {
        let unknown = || Error::UnknownId { id, size: self.pieces.len() };
        let piece = self.pieces.get(id).ok_or_else(unknown)?;
        if let Some(byte) = byte_piece(piece) {
            self.run.push(byte);
            return Ok(());
        }
        self.flush(out);
        // Every piece was pushed as a `str`.
        let piece = std::str::from_utf8(piece).unwrap_or_default();
        match self.fallback.replace.iter().any(|(from, _)| piece.contains(from)) {
            false => self.write(piece, out),
            true => {
                let mut piece = piece.to_owned();
                for (from, to) in &self.fallback.replace {
                    piece = piece.replace(from, to);
                }
                self.write(&piece, out);
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut String) {
        self.flush(out);
        *self = Self::new(self.fallback, self.pieces);
    }
}

/// `<0x0A>` as 10, in either case.
fn byte_piece(piece: &[u8]) -> Option<u8> {
    let [b'<', b'0', b'x', high, low, b'>'] = piece else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(*high)? * 16 + digit(*low)?) as u8)
}

/// A string member of a JSON object.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}
