//! A model in one GGUF file or in several: `NAME-00001-of-00003.gguf` and its like, of which the first leads to all.
//!
//! The first part has the metadata; each has its number and the count of all (`split.no`, from 0, and `split.count`) and a
//! list of its own tensors. Reference: llama.cpp, `gguf-split`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::read_gguf;
use super::metadata::{Metadata, Value};
use crate::{Error, Mapping, Source, Tensor};

/// Metadata and tensors of a GGUF file; where it is the first of several parts, with the tensors of all.
///
/// # Errors
/// As for [`read_gguf`]; [`Error::Unsupported`] for another part than the first, and where a part is missing, which it
/// names; [`Error::Malformed`] where a part is not the one that its name says, or tensors are missing.
pub fn open_gguf(path: &Path, mapping: Mapping) -> Result<(Metadata, Vec<Tensor>), Error> {
    let (metadata, mut tensors) = read_gguf(&Arc::new(Source::open(path, mapping)?))?;
    let Some(first) = Part::of(path, &metadata)? else { return Ok((metadata, tensors)) };
    let paths = first.siblings(path)?;
    if first.number != 0 {
        let (number, count) = (first.number + 1, first.count);
        let problem = format!(
            "part {number} of the {count} of a split GGUF file; name the first part, {}",
            name(&paths[0])
        );
        return Err(Error::Unsupported { path: path.to_owned(), problem });
    }
    let missing: Vec<_> =
        paths.iter().filter(|path| !path.try_exists().unwrap_or(true)).map(|path| name(path)).collect();
    if !missing.is_empty() {
        let problem = format!(
            "the first of {} parts, of which {} are not beside it: {}",
            first.count,
            missing.len(),
            missing.join(", ")
        );
        return Err(Error::Unsupported { path: path.to_owned(), problem });
    }
    for (number, path) in (0..).zip(&paths).skip(1) {
        let (metadata, more) = read_gguf(&Arc::new(Source::open(path, mapping)?))?;
        let expected = Part { number, count: first.count };
        if Part::of(path, &metadata)? != Some(expected) {
            let problem = format!("it does not say that it is part {} of {}", number + 1, first.count);
            return Err(malformed(path, problem));
        }
        tensors.extend(more);
    }
    match metadata.get("split.tensors.count").and_then(Value::as_u64) {
        Some(count) if count != tensors.len() as u64 => Err(malformed(
            path,
            format!(
                "all parts together hold {} tensors, where split.tensors.count is {count}",
                tensors.len()
            ),
        )),
        Some(_) | None => Ok((metadata, tensors)),
    }
}

/// Which part a file is: numbers begin at 0.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Part {
    number: u64,
    count: u64,
}

impl Part {
    /// What the metadata say; none where the file is the only one.
    fn of(path: &Path, metadata: &Metadata) -> Result<Option<Part>, Error> {
        let said = |key| metadata.get(key).map(Value::as_u64);
        match (said("split.count"), said("split.no")) {
            (None | Some(Some(0 | 1)), _) => Ok(None),
            // Five digits are the format's; the parts' names are made before any file is looked for.
            (Some(Some(count)), Some(Some(number))) if number < count && count <= 99_999 => {
                Ok(Some(Part { number, count }))
            }
            (Some(_), _) => {
                Err(malformed(path, "split.no is not the number of one of the split.count parts".to_owned()))
            }
        }
    }

    /// The paths of all parts, by the name of this one.
    fn siblings(self, path: &Path) -> Result<Vec<PathBuf>, Error> {
        let (number, count) = (self.number + 1, self.count);
        let ending = |number: u64| format!("-{number:05}-of-{count:05}.gguf");
        let own = ending(number);
        let Some(stem) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(&own)) else {
            let problem = format!(
                "part {number} of the {count} of a split GGUF file, under another name: the parts find each other by names \
                 that end in {own}"
            );
            return Err(Error::Unsupported { path: path.to_owned(), problem });
        };
        Ok((1..=count).map(|number| path.with_file_name(format!("{stem}{}", ending(number)))).collect())
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn malformed(path: &Path, problem: String) -> Error {
    Error::Malformed { path: path.to_owned(), format: "GGUF", problem }
}
