//! Where the Hugging Face client keeps what it downloaded.
//!
//! ```text
//! CACHE/models--ORG--NAME/refs/main            the commit that "main" was when last asked for
//! CACHE/models--ORG--NAME/snapshots/COMMIT/    the files, as links into ../../blobs
//! ```
//! CACHE is `$HF_HUB_CACHE`, else `$HF_HOME/hub`, else `$XDG_CACHE_HOME/huggingface/hub`, else
//! `~/.cache/huggingface/hub`. Nothing is downloaded here.
//! Source: huggingface_hub, "Understand caching" and "Environment variables".

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Error;

/// So deep lie files in a snapshot, at most.
const DEEPEST: usize = 3;

/// A model of the hub's: `ORG/NAME`, with `@REVISION` another than `main`, with `:VARIANT` one of its GGUF files.
///
/// ```
/// use camelid_checkpoint::hub::Name;
///
/// let name: Name = "bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M".parse()?;
/// assert_eq!((name.folder().as_str(), name.revision()), ("models--bartowski--Llama-3.2-1B-Instruct-GGUF", "main"));
/// assert!("llama".parse::<Name>().is_err());
/// # Ok::<(), camelid_checkpoint::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Whose it is.
    pub org: String,
    /// What it is called.
    pub model: String,
    /// A branch, a tag or a commit; `main` where it is not said.
    pub revision: Option<String>,
    /// What the name of a GGUF file holds, such as `Q4_K_M`; upper and lower case are equal.
    pub variant: Option<String>,
}

impl Name {
    /// The revision: that which is asked for, else `main`.
    #[must_use]
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// The name of its folder in a cache.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("models--{}--{}", self.org, self.model)
    }

    /// Of these paths in a model's repository, the GGUF file that the variant means: the first part where it lies in
    /// several.
    ///
    /// # Errors
    /// None is meant, or several.
    pub fn choose<'p>(&self, variant: &str, paths: &[&'p str]) -> Result<&'p str, Error> {
        let ggufs = paths.iter().copied().filter(|path| path.to_ascii_lowercase().ends_with(".gguf"));
        let mut ggufs: Vec<&str> = ggufs.filter(|path| !is_later_part(path)).collect();
        ggufs.sort_unstable();
        let wanted = variant.to_ascii_lowercase();
        let meant: Vec<&str> =
            ggufs.iter().copied().filter(|path| holds(&path.to_ascii_lowercase(), &wanted)).collect();
        let told = |problem: String| Error::NoVariant { name: self.to_string(), problem };
        match meant[..] {
            [one] => Ok(one),
            [] if ggufs.is_empty() => Err(told("the model has no GGUF file".to_owned())),
            [] => Err(told(format!("no GGUF file is called so; there are {}", ggufs.join(", ")))),
            [..] => Err(told(format!("several GGUF files are called so: {}", meant.join(", ")))),
        }
    }
}

/// Whether a file of a model in several parts is not the first of them: `…-00002-of-00003.gguf`.
fn is_later_part(path: &str) -> bool {
    let mut ends = path.trim_end_matches(".gguf").rsplit("-of-");
    let (Some(_), Some(before)) = (ends.next(), ends.next()) else { return false };
    let number = before.rsplit('-').next().unwrap_or_default();
    number.len() == 5 && number.parse().is_ok_and(|number: u32| number > 1)
}

/// Whether a path holds the word, with no letter or digit before or after it: `Q4_K` is not `IQ4_K`, nor `Q4_K_M`.
fn holds(path: &str, word: &str) -> bool {
    let edge =
        |letter: Option<char>| letter.is_none_or(|letter| !letter.is_ascii_alphanumeric() && letter != '_');
    path.match_indices(word)
        .any(|(at, _)| edge(path[..at].chars().next_back()) && edge(path[at + word.len()..].chars().next()))
}

impl std::str::FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Name, Error> {
        let bad = || Error::HubName { name: text.to_owned() };
        let (org, rest) = text.split_once('/').ok_or_else(bad)?;
        let (rest, variant) = rest.split_once(':').map_or((rest, None), |(rest, it)| (rest, Some(it)));
        let (model, revision) = rest.split_once('@').map_or((rest, None), |(model, it)| (model, Some(it)));
        let is_path = |text: &str| text.split('/').all(is_segment);
        if !is_segment(org) || !is_segment(model) || ![revision, variant].into_iter().flatten().all(is_path) {
            return Err(bad());
        }
        let [revision, variant] = [revision, variant].map(|part| part.map(str::to_owned));
        Ok(Name { org: org.to_owned(), model: model.to_owned(), revision, variant })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.org, self.model)?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))?;
        self.variant.iter().try_for_each(|variant| write!(f, ":{variant}"))
    }
}

/// This environment's cache; none where there is no home folder either.
#[must_use]
pub fn cache() -> Option<PathBuf> {
    cache_of(|variable| std::env::var_os(variable), std::env::home_dir())
}

/// The folder of a model's files, or one GGUF file of them, by its hub name, from this environment's cache.
///
/// # Errors
/// [`Error::HubName`]; [`Error::NotCached`], which says where it looked; [`Error::NoVariant`].
pub fn resolve(name: &str) -> Result<PathBuf, Error> {
    let parsed: Name = name.parse()?;
    match cache() {
        Some(cache) => resolve_in(&cache, &parsed),
        None => Err(not_cached(&parsed, Path::new("~"), "there is no home folder to look for the cache in")),
    }
}

/// As [`resolve`], in the given cache.
///
/// # Errors
/// [`Error::NotCached`], [`Error::NoVariant`].
pub fn resolve_in(cache: &Path, name: &Name) -> Result<PathBuf, Error> {
    let folder = cache.join(name.folder());
    if !folder.is_dir() {
        return Err(not_cached(
            name,
            &folder,
            "is not there; fetch it with `camelid fetch`, or name a folder",
        ));
    }
    let snapshot = revision(&folder, name)?;
    match &name.variant {
        None => Ok(snapshot),
        Some(variant) => {
            let mut paths = Vec::new();
            files(&snapshot, "", 0, &mut paths);
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            Ok(snapshot.join(name.choose(variant, &paths)?))
        }
    }
}

/// The snapshot of the revision that is asked for: a commit's own, or that of the commit which a reference names.
fn revision(folder: &Path, name: &Name) -> Result<PathBuf, Error> {
    let snapshots = folder.join("snapshots");
    let asked = name.revision();
    if commit_of(asked).is_some() && snapshots.join(asked).is_dir() {
        return Ok(snapshots.join(asked));
    }
    let reference = folder.join("refs").join(asked);
    let Ok(commit) = std::fs::read_to_string(&reference) else {
        return Err(not_cached(name, &reference, "is not there; name the snapshot's folder instead"));
    };
    let Some(commit) = commit_of(&commit) else {
        return Err(not_cached(name, &reference, "does not hold a commit"));
    };
    let snapshot = snapshots.join(commit);
    if !snapshot.is_dir() {
        return Err(not_cached(name, &snapshot, "is not there; fetch it again with `camelid fetch`"));
    }
    Ok(snapshot)
}

/// The files below a snapshot, by their paths from it.
fn files(folder: &Path, before: &str, depth: usize, out: &mut Vec<String>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.path().is_file() {
            out.push(path);
        } else if depth < DEEPEST {
            files(&entry.path(), &format!("{path}/"), depth + 1, out);
        }
    }
}

/// The snapshot of a model's own folder in a cache (`models--ORG--NAME`): what `refs/main` names, else the only one. None for
/// any other folder.
pub(crate) fn snapshot(folder: &Path) -> Option<PathBuf> {
    let snapshots = folder.join("snapshots");
    if !snapshots.is_dir() {
        return None;
    }
    let reference = std::fs::read_to_string(folder.join("refs").join("main")).ok();
    let named = reference.as_deref().and_then(commit_of).map(|commit| snapshots.join(commit));
    if let Some(named) = named.filter(|path| path.is_dir()) {
        return Some(named);
    }
    let mut all =
        std::fs::read_dir(&snapshots).ok()?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

fn commit_of(reference: &str) -> Option<&str> {
    let commit = reference.trim();
    (!commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(commit)
}

/// The cache, from the values of the environment's variables; an empty one counts as unset.
fn cache_of(variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    path("HF_HUB_CACHE").or_else(|| {
        let hub = path("HF_HOME").or_else(|| {
            let caches = path("XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")));
            caches.map(|caches| caches.join("huggingface"))
        });
        hub.map(|hub| hub.join("hub"))
    })
}

/// Letters, digits, `_`, `-`, `.`, not beginning with a dot: nothing that leads elsewhere.
fn is_segment(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(allowed)
}

fn not_cached(name: &Name, looked: &Path, problem: &'static str) -> Error {
    Error::NotCached { name: name.to_string(), looked: looked.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &str) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        };
        assert_eq!(cache_of(variable, Some("/home/me".into())), Some(expected.into()));
    }

    #[test]
    fn a_variant_is_a_whole_word_of_one_file() {
        let name: Name = "who/what:q4_k_m".parse().expect("a name");
        let choose =
            |variant, paths: &[&'static str]| name.choose(variant, paths).map_err(|error| error.to_string());
        let paths = ["a-Q4_K_M.gguf", "a-Q4_K_S.gguf", "a-IQ4_K_M.gguf", "README.md", "a-F16.gguf"];
        assert_eq!(choose("q4_k_m", &paths), Ok("a-Q4_K_M.gguf"));
        let parts = ["Q8_0/a-Q8_0-00002-of-00002.gguf", "Q8_0/a-Q8_0-00001-of-00002.gguf"];
        assert_eq!(choose("Q8_0", &parts), Ok(parts[1]), "the first part stands for all");
        let several = ["one-Q8_0.gguf", "two-Q8_0.gguf"];
        assert!(choose("Q8_0", &several).is_err_and(|error| error.ends_with("one-Q8_0.gguf, two-Q8_0.gguf")));
        assert!(
            choose("Q4_K", &paths).is_err_and(|error| error.contains("there are a-F16.gguf, a-IQ4_K_M.gguf"))
        );
    }

    #[test]
    fn the_cache_is_where_the_variables_say() {
        check(&[], "/home/me/.cache/huggingface/hub");
        check(&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub");
        check(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")], "/h/hub");
        check(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")], "/c");
        check(&[("HF_HUB_CACHE", "")], "/home/me/.cache/huggingface/hub");
        assert_eq!(cache_of(|_| None, None), None);
    }
}
