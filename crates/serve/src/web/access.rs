//! Who may ask: who shows the key, and pages of origins that were named.

use std::str::FromStr;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use tower_http::cors::CorsLayer;

use crate::error::Error;
use crate::web::key::Key;

/// Who may ask. By default everybody who reaches the address, and no page of another origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The key that every request but `/health` must show.
    pub key: Option<String>,
    /// Origins whose pages may ask and read answers (CORS).
    pub origins: Vec<Origin>,
}

/// Where a page comes from, as browsers say it: a scheme and a host, with a port where it is not the scheme's own, such as
/// `https://chat.example:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Origin, String> {
        let is_whole = |uri: &Uri| {
            let named = uri.authority().is_some_and(|authority| text.ends_with(authority.as_str()));
            named && matches!(uri.scheme_str(), Some("http" | "https")) && !text.contains('@')
        };
        let uri = text.parse::<Uri>().ok().filter(is_whole);
        let value = uri.and_then(|_| text.to_ascii_lowercase().parse().ok());
        value
            .map(Origin)
            .ok_or_else(|| "it must be like https://chat.example or http://localhost:3000".into())
    }
}

/// The same, as requests are held to it.
#[derive(Debug)]
pub(crate) struct Guard {
    key: Option<Key>,
    origins: Vec<HeaderValue>,
    /// Whether the server is this machine's own: then a name that only looks like it is refused.
    local: bool,
}

impl Guard {
    pub(crate) fn new(access: &Access, local: bool) -> Guard {
        let origins = access.origins.iter().map(|Origin(value)| value.clone()).collect();
        Guard { key: access.key.as_deref().map(Key::new), origins, local }
    }

    /// What lets pages of the named origins in, if any is named.
    pub(crate) fn cors(&self) -> Option<CorsLayer> {
        let layer = CorsLayer::new()
            .allow_origin(self.origins.clone())
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([AUTHORIZATION, CONTENT_TYPE]);
        (!self.origins.is_empty()).then_some(layer)
    }

    /// Refuses a request that may not ask; what is `open` all may ask.
    pub(crate) fn check(&self, headers: &HeaderMap, open: bool) -> Result<(), Error> {
        match &self.key {
            _ if open => Ok(()),
            Some(key) => key.check(headers),
            None if self.local => own_name(headers),
            None => Ok(()),
        }
    }
}

/// A page of another site can make its own name lead to this machine; it can't make it an address or `localhost`.
fn own_name(headers: &HeaderMap) -> Result<(), Error> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    let name = name.to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") || name.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    let name: String = name.chars().take(128).collect();
    let message = format!(
        "this server is asked as 127.0.0.1 or localhost, not as `{name}`; behind a proxy, give it a key or have the \
         proxy send `Host: localhost`"
    );
    Err(Error::new(403, "invalid_request_error", message).coded("unknown_host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_else() {
        for text in ["http://localhost:3000", "https://chat.example"] {
            assert_eq!(text.parse::<Origin>().unwrap().0, text);
        }
        let said = "https://Chat.Example".parse::<Origin>().unwrap();
        assert_eq!(said.0, "https://chat.example", "as browsers send it");
        let others =
            ["", "*", "chat.example", "https://", "https://chat.example/", "https://a@b", "file://x", "null"];
        for text in others {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
