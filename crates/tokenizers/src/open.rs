//! From a file to a tokenizer: the format is told by the content.

use std::path::{Path, PathBuf};

use crate::formats::json::Json;
use crate::formats::sentencepiece::Model;
use crate::formats::{pair, tiktoken};
use crate::special::declared::Declared;
use crate::{Error, Kind, Settings, Tokenizer, known};

/// The names that are looked for in a directory of which no family is known, as transformers does.
const USUAL_NAMES: [&str; 3] = ["tokenizer.json", "tokenizer.model", "vocab.json"];

/// The name of what stands beside a `vocab.json`.
const MERGES: &str = "merges.txt";

/// Opens the tokenizer at `path`: a file, or a checkpoint's directory, in which [`Settings::files`] are looked for.
///
/// # Errors
/// [`Error::Missing`], [`Error::Read`], or what is wrong with the file or with the settings for it.
pub fn open(path: &Path, settings: &Settings) -> Result<Box<dyn Tokenizer>, Error> {
    let Located { path, kind, bytes } = read_first(path, settings)?;
    let tokenizer = match kind {
        Kind::Pair => beside(&path).and_then(|merges| from_pair(&bytes, &merges, settings)),
        Kind::SentencePiece | Kind::Tiktoken | Kind::Json => from_bytes(&bytes, settings),
    };
    tokenizer.map_err(|error| error.within(&path))
}

/// The file that [`open`] would read, and its format.
///
/// # Errors
/// As [`open`], for a file that can't be read or told.
pub fn locate(path: &Path, settings: &Settings) -> Result<(PathBuf, Kind), Error> {
    read_first(path, settings).map(|located| (located.path, located.kind))
}

/// Larger files are no vocabularies: the largest real ones have 35 MB.
const LARGEST_FILE: u64 = 1 << 30;

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let within = |source| Error::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(within)?.len() > LARGEST_FILE {
        return Err(within(std::io::Error::other("larger than 1 GiB: no vocabulary")));
    }
    std::fs::read(path).map_err(within)
}

/// The merges beside a `vocab.json`.
fn beside(path: &Path) -> Result<Vec<u8>, Error> {
    let merges = path.with_file_name(MERGES);
    match merges.is_file() {
        true => read(&merges),
        false => Err(Error::Pair(format!("there is no {MERGES} beside it"))),
    }
}

/// Makes a tokenizer of the bytes of a file.
///
/// # Errors
/// [`Error::Unrecognised`], or what is wrong with the file or with the settings for it.
pub fn from_bytes(file: &[u8], settings: &Settings) -> Result<Box<dyn Tokenizer>, Error> {
    let declared = match kind_of(file)? {
        Kind::SentencePiece => Declared::of_model(Model::from_bytes(file)?, settings)?,
        Kind::Tiktoken => ranks(file, settings)?,
        // The file says the rest itself, and some checkpoints rename reserved tokens there: only names are looked up.
        Kind::Json => Declared::of_format(Box::new(Json::from_bytes(file)?), &frame_of(settings))?,
        Kind::Pair => {
            return Err(Error::Pair(format!("the merges stand in {MERGES}: open the file by its path")));
        }
    };
    Ok(Box::new(declared))
}

/// Makes a tokenizer of the bytes of a `vocab.json` and a `merges.txt`.
///
/// # Errors
/// [`Error::Pair`], or what is wrong with the settings for them.
pub fn from_pair(vocab: &[u8], merges: &[u8], settings: &Settings) -> Result<Box<dyn Tokenizer>, Error> {
    let settings = &settings.resolved()?;
    let file = pair::as_json(vocab, merges, settings)?;
    let json = Json::from_bytes(&file).map_err(|error| Error::Pair(error.to_string()))?;
    Ok(Box::new(Declared::of_format(Box::new(json), &frame_of(settings))?))
}

/// Ranks carry neither a pattern nor special tokens: the settings do, or the number of ranks tells whose they are.
fn ranks(file: &[u8], settings: &Settings) -> Result<Declared, Error> {
    let settings = match (settings.resolved()?, tiktoken::count(file)) {
        (settings, count) if settings.pattern.is_none() && settings.special.is_empty() => {
            known::of_ranks(count)?.under(&settings)
        }
        (settings, _) => settings,
    };
    let pattern = settings.pattern.as_deref().ok_or_else(|| {
        Error::setting("pattern", "ranks carry no split pattern: the family has to be known")
    })?;
    Declared::of_bytes(Box::new(tiktoken::parse(file, pattern)?), &settings)
}

/// What is asked of a file that names its tokens itself.
fn frame_of(settings: &Settings) -> Settings {
    let Settings { prefix, suffix, stop, .. } = settings.clone();
    Settings { prefix, suffix, stop, ..Settings::default() }
}

/// The format that the content shows.
///
/// # Errors
/// [`Error::Unrecognised`], [`Error::Pointer`].
pub fn kind_of(file: &[u8]) -> Result<Kind, Error> {
    let text = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file).trim_ascii_start();
    if text.starts_with(b"version https://git-lfs") {
        Err(Error::Pointer)
    } else if text.starts_with(b"{") {
        Ok(if pair::looks_like_vocab(text) { Kind::Pair } else { Kind::Json })
    } else if tiktoken::looks_like_ranks(file) {
        Ok(Kind::Tiktoken)
    } else if file.first() == Some(&0x0A) {
        // Field 1, a length and bytes: the first piece. Every model begins with one.
        Ok(Kind::SentencePiece)
    } else {
        Err(Error::Unrecognised)
    }
}

/// A file that was read.
struct Located {
    path: PathBuf,
    kind: Kind,
    bytes: Vec<u8>,
}

/// The first file whose format can be told; where there is none, what is wrong with the first.
fn read_first(path: &Path, settings: &Settings) -> Result<Located, Error> {
    let mut first_error = None;
    for (path, expected) in candidates(path, settings)? {
        match read_one(&path, &expected) {
            Ok(located) => return Ok(located),
            // What was never downloaded may stand beside what was.
            Err(error @ (Error::Pointer | Error::Unrecognised)) => {
                first_error.get_or_insert(error.within(&path));
            }
            Err(error) => return Err(error.within(&path)),
        }
    }
    Err(first_error.unwrap_or(Error::Unrecognised))
}

fn read_one(path: &Path, expected: &[Kind]) -> Result<Located, Error> {
    let bytes = read(path)?;
    let kind = kind_of(&bytes)?;
    match expected.first() {
        Some(&first) if !expected.contains(&kind) => Err(Error::Kind { found: kind, expected: first }),
        _ => Ok(Located { path: path.to_owned(), kind, bytes }),
    }
}

/// The files that there are, with the kinds that each may be of; no kinds where nothing is known.
fn candidates(path: &Path, settings: &Settings) -> Result<Vec<(PathBuf, Vec<Kind>)>, Error> {
    if !path.is_dir() {
        return Ok(vec![(path.to_owned(), settings.files.iter().map(|file| file.kind).collect())]);
    }
    let declared = settings.files.iter().map(|file| (file.name.clone(), vec![file.kind]));
    let usual = USUAL_NAMES.map(|name| (name.to_owned(), Vec::new()));
    let wanted: Vec<_> = if settings.files.is_empty() { usual.into() } else { declared.collect() };
    let names = wanted.iter().map(|(name, _)| name.clone()).collect();
    let there: Vec<_> = wanted
        .into_iter()
        .map(|(name, kinds)| (path.join(name), kinds))
        .filter(|(path, _)| path.is_file())
        .collect();
    match there.is_empty() {
        true => Err(Error::Missing { directory: path.to_owned(), names }),
        false => Ok(there),
    }
}
