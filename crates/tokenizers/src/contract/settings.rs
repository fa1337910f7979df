//! The `[tokenizer]` table of a family: what its files leave unsaid.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::kind::Kind;
use super::tokenizer::Special;

/// A family's `[tokenizer]` table.
///
/// What the file itself says (pieces, scores, normaliser, merges) is never repeated here.
/// The default is a file that says everything itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The files that hold the vocabulary, in order of preference: the first that exists is read.
    /// Its content must be of the stated kind; the name proves nothing.
    pub files: Vec<File>,

    /// The name of a published rank file, whose pattern, normalisation, special tokens and frame are known here
    /// ([`Settings::known`]); what the other words say goes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,

    /// The pattern that cuts a text into words before any merge, for tiktoken ranks, which do not carry one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,

    /// What is done to a text before anything else, where upstream's code does it and the file does not say so.
    pub normalization: Normalization,

    /// Texts that upstream's code replaces by pieces before encoding, and back after decoding, in this order.
    pub replace: Vec<Replace>,

    /// Added to every id of the file: ids below it belong to something else (images).
    pub offset: u32,

    /// Special tokens by name, with their ids. A run is written once, with its first id:
    /// `"<|extra_{0..204}|>" = 151646` names 205 tokens.
    pub special: BTreeMap<String, u32>,

    /// Where a special token is looked for.
    pub special_in: SpecialIn,

    /// Further tokens, by the folder's own files. One that has the name or the id of a special token takes its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<AddedToken>,

    /// Which texts begin with one more space.
    pub dummy_prefix: DummyPrefix,

    /// The same, where `added` holds a token that the file does not: such a model is read by way of another format.
    pub converted: DummyPrefix,

    /// Names of the tokens before a text, in order: BOS where the family adds it, `[gMASK]`, `sop`.
    /// Without this word, what the file itself says; most say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Vec<String>>,

    /// Names of the tokens after a text, in order: EOS where the family adds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suffix: Option<Vec<String>>,

    /// Names of the tokens at which a generated text ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Vec<String>>,
}

/// A vocabulary file and its format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name inside the checkpoint's directory.
    pub name: String,
    /// Its format.
    pub kind: Kind,
}

/// A Unicode normalisation form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// The text as it is.
    #[default]
    None,
    /// Canonical composition.
    Nfc,
}

/// Where a special token of [`Settings::special`] is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpecialIn {
    /// In the text as given; what stands between two special tokens is then encoded as a text of its own.
    #[default]
    Text,
    /// In no text: only a frame or a conversation brings them in, by name. (A name such as `sop` is a part of words.)
    Nowhere,
}

/// Which texts begin with one more space, so that a word is the same piece at the beginning as further on.
/// Only a sentencepiece model has this choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DummyPrefix {
    /// As the file says; where it says yes, every text between two special tokens.
    #[default]
    File,
    /// Every text between two special tokens, whatever the file says.
    Every,
    /// A text at the very beginning, but none behind a special token.
    First,
    /// A text at the very beginning, if it does not begin with a space.
    Spaceless,
    /// None.
    Never,
}

impl DummyPrefix {
    /// Whether the pieces that a file wants to keep whole part a text as special tokens do: so it is in libraries that add
    /// them to a vocabulary from outside.
    pub(crate) fn parts_at_kept_pieces(self) -> bool {
        match self {
            DummyPrefix::File | DummyPrefix::First => false,
            DummyPrefix::Every | DummyPrefix::Spaceless | DummyPrefix::Never => true,
        }
    }
}

/// A token that is added to a vocabulary, as `tokenizer.json` and `tokenizer_config.json` describe it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddedToken {
    /// Its id.
    pub id: u32,
    /// How it is spelled.
    pub content: String,
    /// It is no token inside a word.
    pub single_word: bool,
    /// It takes the whitespace before it with it.
    pub lstrip: bool,
    /// It takes the whitespace after it with it.
    pub rstrip: bool,
    /// It is looked for in the normalised text, in which its name is normalised too: with a dummy prefix `<x>` is `▁<x>`,
    /// and is found at the beginning and after a space only.
    pub normalized: bool,
    /// It stands for no text, and is one only where a text may hold such tokens ([`crate::Specials::Parse`]).
    pub special: bool,
}

impl AddedToken {
    /// One that is looked for in the text as given, and takes nothing with it.
    pub(crate) fn plain(id: u32, content: &str, special: bool) -> Self {
        let content = content.to_owned();
        Self { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }
    }
}

/// A text that upstream replaces by a piece before encoding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// The text.
    pub text: String,
    /// The piece; `{}` in it is the number of times.
    pub piece: String,
    /// Replace runs: the least and the most times that `text` stands in a row; the longest run first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<[usize; 2]>,
}

impl Settings {
    /// [`Settings::special`] with its runs written out, by id.
    ///
    /// # Errors
    /// [`Error::Setting`] for a run whose bounds are no numbers, or out of order, or too many; for two names with one id.
    pub fn specials(&self) -> Result<Vec<Special>, Error> {
        let mut specials = Vec::with_capacity(self.special.len());
        for (name, &first) in &self.special {
            expand(name, first, &mut specials)?;
        }
        specials.sort_by_key(|special| special.id);
        for pair in specials.windows(2) {
            if pair[0].id == pair[1].id {
                let (id, other) = (pair[0].id, &pair[0].name);
                let reason = format!("has the id {id}, which is that of {other:?}");
                return Err(Error::setting(format!("special.{:?}", pair[1].name), reason));
            }
        }
        Ok(specials)
    }
}

/// The longest run that is written out: more is a slip of the pen.
const LONGEST_RUN: u32 = 65_536;

fn expand(name: &str, first: u32, specials: &mut Vec<Special>) -> Result<(), Error> {
    let Some((head, bounds, tail)) = run(name) else {
        specials.push(Special { name: name.to_owned(), id: first });
        return Ok(());
    };
    let wrong = |reason: &str| Error::setting(format!("special.{name:?}"), reason);
    let [from, to] = bounds;
    let length = to.checked_sub(from).ok_or_else(|| wrong("the run ends before it begins"))?;
    if length >= LONGEST_RUN {
        return Err(wrong("the run is longer than 65536"));
    }
    first.checked_add(length).ok_or_else(|| wrong("the ids pass 2³² − 1"))?;
    specials.extend((0..=length).map(|step| {
        let name = format!("{head}{}{tail}", from + step);
        Special { name, id: first + step }
    }));
    Ok(())
}

/// `<|extra_{0..204}|>` as (`<|extra_`, [0, 204], `|>`); none where the name holds no run of numbers.
fn run(name: &str) -> Option<(&str, [u32; 2], &str)> {
    let (head, rest) = name.split_once('{')?;
    let (bounds, tail) = rest.split_once('}')?;
    let (from, to) = bounds.split_once("..")?;
    Some((head, [from.parse().ok()?, to.parse().ok()?], tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> Settings {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn a_run_of_specials_is_written_out() {
        let settings = settings("[special]\n\"<|x_{3..5}|>\" = 10\n\"<s>\" = 1\n\"a{b}\" = 2");
        let names: Vec<_> = settings.specials().unwrap().into_iter().map(|s| (s.name, s.id)).collect();
        let expected = [("<s>", 1), ("a{b}", 2), ("<|x_3|>", 10), ("<|x_4|>", 11), ("<|x_5|>", 12)];
        assert_eq!(names, expected.map(|(name, id)| (name.to_owned(), id)));
    }

    #[test]
    fn two_specials_with_one_id_are_refused() {
        let error = settings("[special]\n\"<|x_{0..5}|>\" = 10\n\"<s>\" = 12").specials().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"tokenizer.special."<|x_2|>": has the id 12, which is that of "<s>""#
        );
    }

    #[test]
    fn a_run_out_of_bounds_is_refused() {
        for run in ["{5..3}", "{0..70000}", "{0..9}"] {
            let text = format!("[special]\n\"{run}\" = 4294967290");
            assert!(settings(&text).specials().is_err(), "{run}");
        }
    }

    #[test]
    fn an_unknown_word_is_refused() {
        assert!(toml::from_str::<Settings>("bos = 1").is_err());
    }
}
