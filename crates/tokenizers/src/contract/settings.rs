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

    /// In which text a special token is looked for.
    pub special_in: SpecialIn,

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

/// In which text a special token is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpecialIn {
    /// In the text as given; what stands between two special tokens is then encoded as a text of its own.
    #[default]
    Text,
    /// In the normalised text, where the token's name is normalised too: with a dummy prefix, `<s>` is `▁<s>`
    /// and is found at the beginning or after a space. Only a sentencepiece model has this choice.
    Normalized,
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
