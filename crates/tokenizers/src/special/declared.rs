//! What a family adds to its file: special tokens beyond it, replacements, an offset, a frame.

use crate::formats::sentencepiece::Model;
use crate::special::replace::{Replacer, Restorer};
use crate::text::finder::{Cut, Finder};
use crate::{Decoder, Frame, Special, Specials, Tokenizer};
use crate::{Error, Normalization, Settings, SpecialIn};

/// A format's tokenizer with a family's [`Settings`] around it.
///
/// text → Unicode normalisation → cut at special tokens → replacements → the format's ids → plus the offset.
#[derive(Debug)]
pub(crate) struct Declared {
    inner: Box<dyn Tokenizer>,
    normalization: Normalization,
    replacer: Option<Replacer>,
    offset: u32,
    specials: Vec<Special>,
    finder: Option<Finder>,
    /// By id: whether it is written here, by the name that the family gives it. Where a family names none, the format
    /// writes them as its reference does: sentencepiece hides control pieces.
    spoken: Vec<bool>,
    frame: Frame,
}

/// Who looks for special tokens in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finds {
    /// The format itself: its file names them.
    Inner,
    /// [`Declared`], in the text as given.
    Outer,
}

impl Declared {
    /// A sentencepiece model, whose special tokens are looked for where the family says.
    pub(crate) fn of_model(model: Model, settings: &Settings) -> Result<Self, Error> {
        match settings.special_in {
            SpecialIn::Text => Self::new(Box::new(model), settings, Finds::Outer),
            SpecialIn::Normalized => {
                let specials = settings.specials()?;
                Self::new(Box::new(model.with_spelled(&specials)?), settings, Finds::Inner)
            }
        }
    }

    /// Checks the settings against what the file holds.
    pub(crate) fn new(inner: Box<dyn Tokenizer>, settings: &Settings, finds: Finds) -> Result<Self, Error> {
        if (inner.vocab_size() as u64 + u64::from(settings.offset)) > u64::from(LARGEST_ID) {
            let reason = format!("{} leaves no room for the vocabulary", settings.offset);
            return Err(Error::setting("offset", reason));
        }
        let specials = match finds {
            Finds::Inner => inner.specials().to_vec(),
            Finds::Outer if settings.special.is_empty() => shift(inner.specials(), settings.offset),
            Finds::Outer => settings.specials()?,
        };
        check(&*inner, &settings.specials()?, settings.offset, finds)?;
        let finder = match finds {
            Finds::Inner => None,
            Finds::Outer => Finder::new(specials.iter().map(|special| (&*special.name, special.id)))
                .map_err(|reason| Error::setting("special", reason))?,
        };
        let mut spoken = Vec::new();
        if finds == Finds::Outer && !settings.special.is_empty() {
            check_reach(&specials)?;
            spoken.resize(specials.last().map_or(0, |last| last.id as usize + 1), false);
            specials.iter().for_each(|special| spoken[special.id as usize] = true);
        }
        let mut declared = Self {
            replacer: Replacer::new(&settings.replace)?,
            normalization: settings.normalization,
            offset: settings.offset,
            frame: inner.frame().clone(),
            inner,
            specials,
            finder,
            spoken,
        };
        declared.declare_frame(settings)?;
        Ok(declared)
    }

    /// Where the family says nothing, the file's own frame stays.
    fn declare_frame(&mut self, settings: &Settings) -> Result<(), Error> {
        for ids in [&mut self.frame.before, &mut self.frame.after, &mut self.frame.stop] {
            ids.iter_mut().for_each(|id| *id += self.offset);
        }
        if let Some(prefix) = &settings.prefix {
            self.frame.before = self.named("prefix", prefix)?;
        }
        if let Some(suffix) = &settings.suffix {
            self.frame.after = self.named("suffix", suffix)?;
        }
        if let Some(stop) = &settings.stop {
            self.frame.stop = self.named("stop", stop)?;
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
    fn encode_plain(&self, text: &str, specials: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        let begin = ids.len();
        match &self.replacer {
            Some(replacer) => self.inner.encode_into(&replacer.apply(text), specials, ids)?,
            None => self.inner.encode_into(text, specials, ids)?,
        }
        ids[begin..].iter_mut().for_each(|id| *id += self.offset);
        Ok(())
    }

    /// Appends the text of ids among which no special token is named any more.
    fn decode_plain(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
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
            return self.inner.decode_into(ids, text).map_err(unknown);
        };
        let mut scratch = String::new();
        self.inner.decode_into(ids, &mut scratch).map_err(unknown)?;
        let mut restorer = Restorer::new(replacer);
        restorer.push(&scratch, text);
        restorer.finish(text);
        Ok(())
    }

    /// Whether an id is written by its name here, and not by the format.
    fn is_spoken(&self, id: u32) -> bool {
        self.spoken.get(id as usize).copied().unwrap_or(false)
    }

    fn special(&self, id: u32) -> Option<&Special> {
        let at = self.specials.binary_search_by_key(&id, |special| special.id).ok()?;
        Some(&self.specials[at])
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
        let Some(finder) = self.finder.as_ref().filter(|_| specials == Specials::Parse) else {
            return self.encode_plain(text, specials, ids);
        };
        finder.cut(text, |part| match part {
            Cut::Key(id) => {
                ids.push(id);
                Ok(())
            }
            Cut::Between(part) => self.encode_plain(part, Specials::Literal, ids),
        })
    }

    fn decoder(&self) -> Box<dyn Decoder + '_> {
        Box::new(DeclaredDecoder {
            declared: self,
            inner: self.inner.decoder(),
            restorer: self.replacer.as_ref().map(Restorer::new),
            scratch: String::new(),
        })
    }

    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        let mut rest = ids;
        while !rest.is_empty() {
            let length = rest.iter().position(|&id| self.is_spoken(id)).unwrap_or(rest.len());
            self.decode_plain(&rest[..length], text)?;
            rest = &rest[length..];
            let named = rest.split_first().and_then(|(&id, after)| Some((self.special(id)?, after)));
            if let Some((special, after)) = named {
                text.push_str(&special.name);
                rest = after;
            }
        }
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        let last = self.specials.last().map_or(0, |special| special.id as usize + 1);
        last.max(self.inner.vocab_size() + self.offset as usize)
    }

    fn piece(&self, id: u32) -> Option<&[u8]> {
        match self.special(id) {
            Some(special) => Some(special.name.as_bytes()),
            None => self.inner.piece(id.checked_sub(self.offset)?),
        }
    }

    fn id(&self, piece: &[u8]) -> Option<u32> {
        let special = self.specials.iter().find(|special| special.name.as_bytes() == piece);
        special.map(|special| special.id).or_else(|| Some(self.inner.id(piece)? + self.offset))
    }

    fn specials(&self) -> &[Special] {
        &self.specials
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }
}

struct DeclaredDecoder<'a> {
    declared: &'a Declared,
    inner: Box<dyn Decoder + 'a>,
    restorer: Option<Restorer<'a>>,
    scratch: String,
}

impl DeclaredDecoder<'_> {
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
            && let Some(special) = self.declared.special(id)
        {
            self.finish(text);
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
        let out = if self.restorer.is_some() { &mut self.scratch } else { &mut *text };
        self.inner.finish(out);
        self.restore(text);
        if let Some(restorer) = &mut self.restorer {
            restorer.finish(text);
        }
    }
}

fn shift(specials: &[Special], offset: u32) -> Vec<Special> {
    specials.iter().map(|special| Special { name: special.name.clone(), id: special.id + offset }).collect()
}

/// The largest id that is believed, a hundred times that of any vocabulary: a table of all ids is made.
const LARGEST_ID: u32 = 1 << 24;

fn check_reach(specials: &[Special]) -> Result<(), Error> {
    match specials.last() {
        Some(Special { name, id }) if *id > LARGEST_ID => {
            Err(Error::setting(format!("special.{name:?}"), format!("the id {id} is beyond any vocabulary")))
        }
        Some(_) | None => Ok(()),
    }
}

/// A special token is either an entry of the file, with the same name and id, or lies beyond the file, where the file
/// need not find it.
fn check(inner: &dyn Tokenizer, specials: &[Special], offset: u32, finds: Finds) -> Result<(), Error> {
    for Special { name, id } in specials {
        let wrong = |reason: String| Err(Error::setting(format!("special.{name:?}"), reason));
        if name.is_empty() {
            return wrong("a special token has no name".into());
        }
        let own = inner.id(name.as_bytes()).map(|own| own + offset);
        if own.is_some_and(|own| own != *id) {
            return wrong(format!("is {id} here and {} in the file", own.unwrap_or_default()));
        }
        if own.is_none() && finds == Finds::Inner {
            return wrong("is not in the file".into());
        }
        let other = id.checked_sub(offset).and_then(|inner_id| inner.piece(inner_id));
        if own.is_none()
            && let Some(other) = other
        {
            return wrong(format!(
                "has the id {id}, which is {:?} in the file",
                String::from_utf8_lossy(other)
            ));
        }
    }
    Ok(())
}
