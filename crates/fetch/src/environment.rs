//! What the environment says, as Hugging Face's client reads it.

use std::path::PathBuf;

use camelid_checkpoint::hub;

use crate::Error;

/// Where the hub is, and where its cache.
#[derive(Clone)]
pub(crate) struct Environment {
    /// Without a slash at its end.
    pub(crate) endpoint: String,
    pub(crate) token: Option<String>,
    pub(crate) cache: PathBuf,
}

impl Environment {
    pub(crate) fn read() -> Result<Environment, Error> {
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            let wanted = "an address that begins with https:// is wanted";
            return Err(Error::Variable { variable: "HF_ENDPOINT", value: endpoint, wanted });
        }
        let cache = hub::cache().ok_or(Error::NoCache)?;
        Ok(Environment { endpoint, token: token(), cache })
    }
}

/// Whether the environment says that there is no network: `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE`.
#[must_use]
pub fn is_offline() -> bool {
    is_set("HF_HUB_OFFLINE") || is_set("TRANSFORMERS_OFFLINE")
}

/// The token: from the environment, else from the file that `hf auth login` writes.
fn token() -> Option<String> {
    let given = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
    let kept = || {
        if is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return None;
        }
        let path = text("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| {
            let home = text("HF_HOME").map(PathBuf::from).or_else(|| {
                let caches = text("XDG_CACHE_HOME").map(PathBuf::from);
                caches.or_else(|| Some(std::env::home_dir()?.join(".cache"))).map(|it| it.join("huggingface"))
            });
            home.map(|home| home.join("token"))
        })?;
        std::fs::read_to_string(path).ok()
    };
    let token = given.or_else(kept)?;
    let token = token.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

fn text(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.trim().is_empty())
}

fn is_set(variable: &str) -> bool {
    text(variable)
        .is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str()))
}
