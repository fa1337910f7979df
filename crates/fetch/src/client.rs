//! Requests: redirects followed by hand, so that the token goes to the hub alone.

use std::time::Duration;

use ureq::Agent;
use ureq::http::{Response, Uri, header};

use crate::Error;

/// So many redirects are followed.
const MOST: usize = 10;
/// How long a connection, and then the beginning of an answer, may take.
const CONNECT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(60);

/// A client of one hub.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// An answer with a body that is yet to be read.
pub(crate) type Answer = Response<ureq::Body>;

impl Client {
    pub(crate) fn new(endpoint: &str, token: Option<String>) -> Client {
        let config = Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .user_agent(concat!("camelid/", env!("CARGO_PKG_VERSION")));
        Client { agent: config.build().into(), endpoint: endpoint.to_owned(), token }
    }

    /// The answer to GET; from the byte `from` on, if the server can.
    pub(crate) fn get(&self, url: &str, from: u64) -> Result<Answer, Error> {
        let mut at = url.to_owned();
        for _ in 0..MOST {
            let mut request = self.agent.get(&at);
            if let Some(token) = self.token.as_ref().filter(|_| same_origin(&at, &self.endpoint)) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            if from > 0 {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            // Whole bytes, as they are stored: a range of what is packed would be another.
            let request = request.header(header::ACCEPT_ENCODING, "identity");
            let network = |error: ureq::Error| Error::Network { url: at.clone(), problem: error.to_string() };
            let answer = request.call().map_err(network)?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            at = redirected(&at, &answer)?;
        }
        Err(Error::Answer { url: url.to_owned(), problem: format!("more than {MOST} redirects") })
    }
}

/// Where a redirect leads.
fn redirected(at: &str, answer: &Answer) -> Result<String, Error> {
    let wrong = |problem: &str| Error::Answer { url: at.to_owned(), problem: problem.to_owned() };
    let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| wrong("a redirect to nowhere"))?;
    if location.starts_with("https://") || location.starts_with("http://") && at.starts_with("http://") {
        return Ok(location.to_owned());
    }
    let (Some(origin), true) = (origin(at), location.starts_with('/') && !location.starts_with("//")) else {
        return Err(wrong(&format!("a redirect to `{location}`")));
    };
    Ok(format!("{origin}{location}"))
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

fn same_origin(a: &str, b: &str) -> bool {
    origin(a).is_some_and(|a| origin(b).is_some_and(|b| a.eq_ignore_ascii_case(&b)))
}

#[cfg(test)]
mod tests {
    use super::same_origin;

    #[test]
    fn the_token_s_host_is_host_and_port_and_scheme() {
        let hub = "https://hub.example";
        assert!(same_origin("https://hub.example/a/b", hub) && same_origin("https://HUB.example/", hub));
        for other in [
            "http://hub.example/a",
            "https://hub.example:8443/a",
            "https://hub.example.evil/a",
            "https://hub.example@evil/a",
            "/a",
        ] {
            assert!(!same_origin(other, hub), "{other}");
        }
    }
}
