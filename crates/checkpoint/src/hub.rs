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

/// The folder of a model's files, by its hub name `ORG/NAME`, from this environment's cache.
///
/// # Errors
/// [`Error::NotCached`], which says where it looked.
pub fn resolve(name: &str) -> Result<PathBuf, Error> {
    match cache(|variable| std::env::var_os(variable), std::env::home_dir()) {
        Some(cache) => resolve_in(&cache, name),
        None => Err(not_cached(name, Path::new("~"), "there is no home folder to look for the cache in")),
    }
}

/// As [`resolve`], in the given cache.
///
/// # Errors
/// [`Error::NotCached`].
pub fn resolve_in(cache: &Path, name: &str) -> Result<PathBuf, Error> {
    let Some((org, model)) = name.split_once('/').filter(|(org, model)| is_segment(org) && is_segment(model))
    else {
        return Err(not_cached(name, cache, "a hub name has the form ORG/NAME"));
    };
    let folder = cache.join(format!("models--{org}--{model}"));
    if !folder.is_dir() {
        return Err(not_cached(name, &folder, "is not there; download it, or name a folder"));
    }
    let reference = folder.join("refs").join("main");
    let Ok(commit) = std::fs::read_to_string(&reference) else {
        return Err(not_cached(name, &reference, "is not there; name the snapshot's folder instead"));
    };
    let Some(commit) = commit_of(&commit) else {
        return Err(not_cached(name, &reference, "does not hold a commit"));
    };
    let snapshot = folder.join("snapshots").join(commit);
    if !snapshot.is_dir() {
        return Err(not_cached(name, &snapshot, "is not there; download it again"));
    }
    Ok(snapshot)
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
fn cache(variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
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

fn not_cached(name: &str, looked: &Path, problem: &'static str) -> Error {
    Error::NotCached { name: name.to_owned(), looked: looked.to_owned(), problem }
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
        assert_eq!(cache(variable, Some("/home/me".into())), Some(expected.into()));
    }

    #[test]
    fn the_cache_is_where_the_variables_say() {
        check(&[], "/home/me/.cache/huggingface/hub");
        check(&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub");
        check(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")], "/h/hub");
        check(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")], "/c");
        check(&[("HF_HUB_CACHE", "")], "/home/me/.cache/huggingface/hub");
        assert_eq!(cache(|_| None, None), None);
    }
}
