//! A hub: what a model there consists of, and fetching it.

use std::path::PathBuf;

use camelid_checkpoint::hub::Name;
use serde::Deserialize;

use crate::Error;
use crate::cache::Cache;
use crate::client::{Answer, Client};
use crate::download::download;
use crate::environment::{Environment, is_offline};
use crate::needed::needed;
use crate::wanted::{File, Got, Hash, Wanted};

/// An answer of the hub's interface may be this long, in bytes.
const LONGEST: u64 = 64 << 20;

/// A hub, with the cache that its models go to.
pub struct Hub {
    client: Client,
    endpoint: String,
    cache: PathBuf,
}

#[derive(Deserialize)]
struct Model {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl Hub {
    /// The hub and the cache that the environment names.
    ///
    /// # Errors
    /// [`Error::NoCache`], [`Error::Variable`].
    pub fn from_environment() -> Result<Hub, Error> {
        let Environment { endpoint, token, cache } = Environment::read()?;
        Ok(Hub { client: Client::new(&endpoint, token), endpoint, cache })
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Asks which files a model has, and picks those that are needed.
    ///
    /// # Errors
    /// [`Error::Offline`]; [`Error::Refused`] where there is no such model, or it is not ours to have; [`Error::Files`] where
    /// its files are none that can be run, or it is not clear which.
    pub fn list(&self, name: &Name) -> Result<Wanted, Error> {
        if is_offline() {
            return Err(Error::Offline { name: name.to_string() });
        }
        let (of, revision) = (format!("{}/{}", name.org, name.model), name.revision().replace('/', "%2F"));
        let url = format!("{}/api/models/{of}/revision/{revision}?blobs=true", self.endpoint);
        let mut answer = self.granted(&url, self.client.get(&url, 0)?, name)?;
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec();
        let body = body.map_err(|error| Error::Network { url: url.clone(), problem: error.to_string() })?;
        let wrong = |problem: String| Error::Answer { url: url.clone(), problem };
        let model: Model = serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))?;
        if !is_hex(&model.sha) {
            return Err(wrong(format!("its commit is `{}`", model.sha)));
        }
        let files = model.siblings.into_iter().map(file).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        Ok(Wanted { name: name.clone(), commit: model.sha, files: needed(name, &files)? })
    }

    /// Fetches what is not in the cache yet; `progress` hears how far it is. Gives the folder of the snapshot, or the GGUF
    /// file where the name means one.
    ///
    /// # Errors
    /// [`Error::Network`] where a connection ended, and no further try got on; [`Error::Corrupt`]; [`Error::Io`]. What is
    /// there stays, and the next call goes on with it.
    pub fn fetch(&self, wanted: &Wanted, progress: &mut dyn FnMut(Got<'_>)) -> Result<PathBuf, Error> {
        let cache = Cache::new(&self.cache, &wanted.name)?;
        let of = wanted.bytes();
        let mut bytes = 0;
        for file in &wanted.files {
            if !cache.has(file) {
                let Name { org, model, .. } = &wanted.name;
                let path = escaped(&file.path);
                let url = format!("{}/{org}/{model}/resolve/{}/{path}", self.endpoint, wanted.commit);
                let mut get = |from| self.granted(&url, self.client.get(&url, from)?, &wanted.name);
                let mut heard = |got| progress(Got { path: &file.path, bytes: bytes + got, of });
                download(&cache, file, &url, &mut get, &mut heard)?;
            }
            cache.link(&wanted.commit, file)?;
            bytes += file.size;
            progress(Got { path: &file.path, bytes, of });
        }
        cache.name(wanted.name.revision(), &wanted.commit)?;
        let snapshot = cache.snapshot(&wanted.commit);
        Ok(match (&wanted.name.variant, wanted.files.first()) {
            (Some(_), Some(first)) => snapshot.join(&first.path),
            (Some(_), None) | (None, _) => snapshot,
        })
    }

    /// An answer that is one; what to do, where the hub refuses.
    fn granted(&self, url: &str, answer: Answer, name: &Name) -> Result<Answer, Error> {
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let page = format!("{}/{}/{}", self.endpoint, name.org, name.model);
        let advice = match status {
            401 => format!(
                "there is no such model, or it is not for everybody: set HF_TOKEN to a token that may read {page}"
            ),
            403 => format!(
                "its terms are to be accepted first, at {page}, by the account that HF_TOKEN belongs to"
            ),
            404 => format!(
                "there is no model {}/{}, or no revision {} of it",
                name.org,
                name.model,
                name.revision()
            ),
            429 => "too many requests: try again in some minutes".to_owned(),
            500..600 => "the hub has a problem of its own: try again later".to_owned(),
            _ => "the hub refuses".to_owned(),
        };
        Err(Error::Refused { url: url.to_owned(), status, advice })
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// A file as the hub tells of it: a path that leads nowhere else, a size, and a hash.
fn file(sibling: Sibling) -> Result<File, String> {
    let Sibling { rfilename: path, size, blob_id, lfs } = sibling;
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\\');
    if !path.split('/').all(plain) || path.contains('\0') {
        return Err(format!("a file is called `{path}`"));
    }
    let (size, hash) = match (lfs, size, blob_id) {
        (Some(Lfs { sha256, size }), _, _) => (size, Hash::Sha256(sha256)),
        (None, Some(size), Some(id)) => (size, Hash::Git(id)),
        (None, _, _) => return Err(format!("`{path}` has no size or no hash")),
    };
    let digits = match hash {
        Hash::Sha256(_) => 64,
        Hash::Git(_) => 40,
    };
    if hash.digits().len() != digits || !is_hex(hash.digits()) {
        return Err(format!("the hash of `{path}` is `{}`", hash.digits()));
    }
    Ok(File { path, size, hash })
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A path in an address.
fn escaped(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into());
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
