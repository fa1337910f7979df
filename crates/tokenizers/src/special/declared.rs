//! What a family adds to its file: special tokens beyond it, replacements, an offset, a frame.

use super::replace::{Replacer, Restorer};
use super::tokens::{LARGEST_ID, tokens};
use crate::formats::sentencepiece::Model;
use crate::text::added::{Added, Part};
use crate::{AddedToken, Decoder, Frame, Special, Specials, Tokenizer};
use crate::{Error, Normalization, Settings, SpecialIn};

/// A format's tokenizer with a family's [`Settings`] around it.
///
/// text → Unicode normalisation → cut at special tokens → replacements → the format's ids → plus the offset.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(super) inner: Inner,
    normalization: Normalization,
    pub(super) replacer: Option<Replacer>,
    pub(super) offset: u32,
    /// By id: the tokens that the family or the folder names, special or not.
    named: Vec<Special>,
    specials: Vec<Special>,
    /// The tokens that are looked for in the text as given.
    raw: Option<Added>,
    /// Whether one of those is no special token, so that it is one in any text.
    raw_in_any_text: bool,
    /// By id: whether it is written here, by its name. Where nobody names any, the format writes them as its reference
    /// does: sentencepiece hides control pieces.
    spoken: Vec<bool>,
    frame: Frame,
}

/// Who turns text without special tokens into ids.
#[derive(Debug)]
pub(super) enum Inner {
    /// A model, to which it matters where in a text a part of it begins.
    Pieces(Box<Model>),
    Other(Box<dyn Tokenizer>),
}

impl Inner {
    fn get(&self) -> &dyn Tokenizer {
        match self {
            Inner::Pieces(model) => &**model,
            Inner::Other(other) => &**other,
        }
    }

    fn encode_part(
        &self,
        text: &str,
        at: usize,
        specials: Specials,
        ids: &mut Vec<u32>,
    ) -> Result<(), Error> {
        match self {
            Inner::Pieces(model) => model.encode_part(text, at, specials, ids),
            Inner::Other(other) => other.encode_into(text, specials, ids),
        }
    }

    fn decode_part(&self, ids: &[u32], at_start: bool, text: &mut String) -> Result<(), Error> {
        match self {
            Inner::Pieces(model) => {
                let mut decoder = model.decoder_from(at_start);
                ids.iter().try_for_each(|&id| decoder.push(id, text))?;
                decoder.finish(text);
                Ok(())
            }
            Inner::Other(other) => other.decode_into(ids, text),
        }
    }

    pub(super) fn decoder(&self, at_start: bool) -> Box<dyn Decoder + '_> {
        match self {
            Inner::Pieces(model) => Box::new(model.decoder_from(at_start)),
            Inner::Other(other) => other.decoder(),
        }
    }
}

impl Declared {
    /// A sentencepiece model.
    pub(crate) fn of_model(model: Model, settings: &Settings) -> Result<Self, Error> {
        let mut tokens = tokens(&model, settings)?;
        let adds = settings.added.iter().any(|token| model.id(token.content.as_bytes()).is_none());
        let dummy_prefix = if adds { settings.converted } else { settings.dummy_prefix };
        if dummy_prefix.parts_at_kept_pieces() {
            let known = |kept: &AddedToken| tokens.iter().any(|token| token.id == kept.id);
            let kept: Vec<_> = model.kept().into_iter().filter(|kept| !known(kept)).collect();
            tokens.extend(kept);
        }
        let model = model.with_added(&tokens, dummy_prefix)?;
        Self::new(Inner::Pieces(Box::new(model)), tokens, settings)
    }

    /// Ranks or byte-level pieces: special tokens are looked for here.
    pub(crate) fn of_bytes(inner: Box<dyn Tokenizer>, settings: &Settings) -> Result<Self, Error> {
        let tokens = tokens(&*inner, settings)?;
        Self::new(Inner::Other(inner), tokens, settings)
    }

    /// A format that names its special tokens and looks for them itself.
    pub(crate) fn of_format(inner: Box<dyn Tokenizer>, settings: &Settings) -> Result<Self, Error> {
        let specials = inner.specials().to_vec();
        let mut declared = Self::new(Inner::Other(inner), Vec::new(), settings)?;
        declared.specials = specials;
        declared.declare_frame(settings)?;
        Ok(declared)
    }

    fn new(inner: Inner, tokens: Vec<AddedToken>, settings: &Settings) -> Result<Self, Error> {
        if (inner.get().vocab_size() as u64 + u64::from(settings.offset)) > u64::from(LARGEST_ID) {
            let reason = format!("{} leaves no room for the vocabulary", settings.offset);
            return Err(Error::setting("offset", reason));
        }
        let named = |keep: fn(&AddedToken) -> bool| {
            let mut named: Vec<_> = tokens.iter().filter(|token| keep(token)).map(special).collect();
            named.sort_by_key(|special| special.id);
            named
        };
        let is_family_s =
            |token: &AddedToken| !settings.added.iter().any(|added| added.content == token.content);
        let raw: Vec<_> = tokens
            .iter()
            .filter(|token| !token.normalized)
            .filter(|token| settings.special_in == SpecialIn::Text || !is_family_s(token))
            .map(|token| (token.content.clone(), token))
            .collect();
        let named_all = named(|_| true);
        let mut spoken = Vec::new();
        if !settings.special.is_empty() || !settings.added.is_empty() {
            spoken.resize(named_all.last().map_or(0, |last| last.id as usize + 1), false);
            // What is spelled in normalised text decodes as it is spelled there.
            let spoken_here = tokens.iter().filter(|token| !token.normalized);
            spoken_here.for_each(|token| spoken[token.id as usize] = true);
        }
        let mut declared = Self {
            replacer: Replacer::new(&settings.replace)?,
            normalization: settings.normalization,
            offset: settings.offset,
            frame: inner.get().frame().clone(),
            raw: Added::new(&raw).map_err(|reason| Error::setting("special", reason))?,
            raw_in_any_text: raw.iter().any(|(_, token)| !token.special),
            specials: named(|token| token.special),
            named: named_all,
            spoken,
            inner,
        };
        for ids in [&mut declared.frame.before, &mut declared.frame.after, &mut declared.frame.stop] {
            ids.iter_mut().for_each(|id| *id += settings.offset);
        }
        declared.declare_frame(settings)?;
        Ok(declared)
    }

    /// Where the family says nothing, the file's own frame stays.
    fn declare_frame(&mut self, settings: &Settings) -> Result<(), Error> {
        if let Some(prefix) = &settings.prefix {
            self.frame.before = self.named("prefix", prefix)?;
        }
        if let Some(suffix) = &settings.suffix {
            self.frame.after = self.named("suffix", suffix)?;
        }
        if let Some(stop) = &settings.stop {
            // A folder whose own tokens bear other names is of a release that lacks some: Llama 3 before `<|eom_id|>`.
            let has = |name: &&String| settings.added.is_empty() || self.id(name.as_bytes()).is_some();
            let stop: Vec<String> = stop.iter().filter(has).cloned().collect();
            self.frame.stop = self.named("stop", &stop)?;
        }
        Ok(())
    }

    fn named(&self, key: &str, names: &[String]) -> Result<Vec<u32>, Error> {
        let id = |name: &String| {
            self.id(name.as_bytes()).ok_or_else(|| {
                Error::setting(key, format!("the vocabulary has no {name:?}, nor is it a special token"))
            })
        };
        names.iter().map(id).collect()
    }

    /// Appends the ids of a text in which no special token is looked for any more.
    fn encode_plain(
        &self,
        text: &str,
        at: usize,
        specials: Specials,
        ids: &mut Vec<u32>,
    ) -> Result<(), Error> {
        let begin = ids.len();
        match &self.replacer {
            Some(replacer) => self.inner.encode_part(&replacer.apply(text), at, specials, ids)?,
            None => self.inner.encode_part(text, at, specials, ids)?,
        }
        ids[begin..].iter_mut().for_each(|id| *id += self.offset);
        Ok(())
    }

    /// Appends the text of ids among which no special token is named any more.
    fn decode_plain(&self, ids: &[u32], at_start: bool, text: &mut String) -> Result<(), Error> {
        let shifted: Vec<u32>;
        let ids = match self.offset {
            0 => ids,
            offset => {
                let unknown = |id| Error::UnknownId { id, size: self.vocab_size() };
                let shift = |&id: &u32| id.checked_sub(offset).ok_or_else(|| unknown(id));
                shifted = ids.iter().map(shift).collect::<Result<_, _>>()?;
                &shifted
            }
        };
        let unknown = |error| match error {
            Error::UnknownId { id, .. } => Error::UnknownId { id: id + self.offset, size: self.vocab_size() },
            other => other,
        };
        let Some(replacer) = &self.replacer else {
            return self.inner.decode_part(ids, at_start, text).map_err(unknown);
        };
        let mut scratch = String::new();
        self.inner.decode_part(ids, at_start, &mut scratch).map_err(unknown)?;
        let mut restorer = Restorer::new(replacer);
        restorer.push(&scratch, text);
        restorer.finish(text);
        Ok(())
    }

    /// Whether an id is written by its name here, and not by the format.
    pub(super) fn is_spoken(&self, id: u32) -> bool {
        self.spoken.get(id as usize).copied().unwrap_or(false)
    }

    /// The token that is named so.
    pub(super) fn named_by(&self, id: u32) -> Option<&Special> {
        let at = self.named.binary_search_by_key(&id, |special| special.id).ok()?;
        Some(&self.named[at])
    }
}

impl Tokenizer for Declared {
    fn encode_into(&self, text: &str, specials: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        let composed;
        let text = match self.normalization {
            Normalization::None => text,
            Normalization::Nfc => {
                composed = crate::text::unicode::nfc(text);
                &composed
            }
        };
        let parse = specials == Specials::Parse || self.raw_in_any_text;
        let Some(raw) = self.raw.as_ref().filter(|_| parse) else {
            return self.encode_plain(text, 0, specials, ids);
        };
        raw.cut(text, specials, |part| match part {
            Part::Token(id) => {
                ids.push(id);
                Ok(())
            }
            Part::Text(at, part) => self.encode_plain(part, at, specials, ids),
        })
    }

    fn decoder(&self) -> Box<dyn Decoder + '_> {
        Box::new(DeclaredDecoder::new(self))
    }

    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        let mut rest = ids;
        while !rest.is_empty() {
            let length = rest.iter().position(|&id| self.is_spoken(id)).unwrap_or(rest.len());
            self.decode_plain(&rest[..length], rest.len() == ids.len(), text)?;
            rest = &rest[length..];
            let named = rest.split_first().and_then(|(&id, after)| Some((self.named_by(id)?, after)));
            if let Some((special, after)) = named {
                text.push_str(&special.name);
                rest = after;
            }
        }
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        let last = |tokens: &[Special]| tokens.last().map_or(0, |special| special.id as usize + 1);
        last(&self.named).max(self.inner.get().vocab_size() + self.offset as usize)
    }

    fn piece(&self, id: u32) -> Option<&[u8]> {
        match self.named_by(id) {
            Some(special) => Some(special.name.as_bytes()),
            None => self.inner.get().piece(id.checked_sub(self.offset)?),
        }
    }

    fn id(&self, piece: &[u8]) -> Option<u32> {
        let named = self.named.iter().find(|named| named.name.as_bytes() == piece);
        named.map(|named| named.id).or_else(|| Some(self.inner.get().id(piece)? + self.offset))
    }

    fn specials(&self) -> &[Special] {
        &self.specials
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }
}

fn special(token: &AddedToken) -> Special {
    Special { name: token.content.clone(), id: token.id }
}

/// The text of ids, among which some are written by their names.
struct DeclaredDecoder<'a> {
    declared: &'a Declared,
    inner: Box<dyn Decoder + 'a>,
    restorer: Option<Restorer<'a>>,
    scratch: String,
}

impl<'a> DeclaredDecoder<'a> {
    fn new(declared: &'a Declared) -> Self {
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
