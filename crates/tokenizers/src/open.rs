//! From a file to a tokenizer: the format is told by the content.

use std::path::{Path, PathBuf};

use crate::formats::json::Json;
use crate::formats::sentencepiece::Model;
use crate::formats::tiktoken;
use crate::special::declared::{Declared, Finds};
use crate::{Error, Kind, Settings, Tokenizer};

/// The names that are looked for in a directory of which no family is known.
const USUAL_NAMES: [&str; 2] = ["tokenizer.model", "tokenizer.json"];

/// Opens the tokenizer at `path`: a file, or a checkpoint's directory, in which [`Settings::files`] are looked for.
///
/// # Errors
/// [`Error::Missing`], [`Error::Read`], or what is wrong with the file or with the settings for it.
pub fn open(path: &Path, settings: &Settings) -> Result<Box<dyn Tokenizer>, Error> {
    let (path, expected) = find(path, settings)?;
    let bytes = read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    let tokenizer =
        kind_of(&bytes).and_then(|kind| match expected.iter().find(|&&expected| expected != kind) {
            Some(&expected_kind) if !expected.contains(&kind) => {
                Err(Error::Kind { found: kind, expected: expected_kind })
            }
            _ => from_bytes(&bytes, settings),
        });
    tokenizer.map_err(|error| error.within(&path))
}

/// Larger files are no vocabularies: the largest real ones have 35 MB.
const LARGEST_FILE: u64 = 1 << 30;

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > LARGEST_FILE {
        return Err(std::io::Error::other("larger than 1 GiB: no vocabulary"));
    }
    std::fs::read(path)
}

/// Makes a tokenizer of the bytes of a file.
///
/// # Errors
/// [`Error::Unrecognised`], or what is wrong with the file or with the settings for it.
pub fn from_bytes(file: &[u8], settings: &Settings) -> Result<Box<dyn Tokenizer>, Error> {
    let declared = match kind_of(file)? {
        Kind::SentencePiece => Declared::of_model(Model::from_bytes(file)?, settings)?,
        Kind::Tiktoken => {
            let pattern = settings.pattern.as_deref().ok_or_else(|| {
                Error::setting("pattern", "ranks carry no split pattern: the family has to be known")
            })?;
            Declared::new(Box::new(tiktoken::parse(file, pattern)?), settings, Finds::Outer)?
        }
        // The file says the rest itself, and some checkpoints rename reserved tokens there: only names are looked up.
        Kind::Json => {
            let Settings { prefix, suffix, stop, .. } = settings.clone();
            let settings = Settings { prefix, suffix, stop, ..Settings::default() };
            Declared::new(Box::new(Json::from_bytes(file)?), &settings, Finds::Inner)?
        }
    };
    Ok(Box::new(declared))
}

/// The format that the content shows.
///
/// # Errors
/// [`Error::Unrecognised`].
pub fn kind_of(file: &[u8]) -> Result<Kind, Error> {
    let text = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
    if text.trim_ascii_start().starts_with(b"{") {
        Ok(Kind::Json)
    } else if tiktoken::looks_like_ranks(file) {
        Ok(Kind::Tiktoken)
    } else if file.first() == Some(&0x0A) {
        // Field 1, a length and bytes: the first piece. Every model begins with one.
        Ok(Kind::SentencePiece)
    } else {
        Err(Error::Unrecognised)
    }
}

/// The file, and the kinds it may be of; no kinds where nothing is known.
fn find(path: &Path, settings: &Settings) -> Result<(PathBuf, Vec<Kind>), Error> {
    if !path.is_dir() {
        return Ok((path.to_owned(), settings.files.iter().map(|file| file.kind).collect()));
    }
    let declared = settings.files.iter().map(|file| (file.name.clone(), vec![file.kind]));
    let usual = USUAL_NAMES.map(|name| (name.to_owned(), Vec::new()));
    let candidates: Vec<_> = if settings.files.is_empty() { usual.into() } else { declared.collect() };
    let names = candidates.iter().map(|(name, _)| name.clone()).collect();
    candidates
        .into_iter()
        .map(|(name, kinds)| (path.join(name), kinds))
        .find(|(path, _)| path.is_file())
        .ok_or(Error::Missing { directory: path.to_owned(), names })
}
