//! A request's body, bounded in bytes and in time.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;

use crate::error::Error;

/// Of a body that is too long so much is read and dropped, so that its sender hears the answer.
const DROPPED: usize = 256 << 20;

/// The whole body of a request of JSON.
pub(crate) async fn read(request: Request<Body>, most: usize, time: Duration) -> Result<Vec<u8>, Error> {
    let (head, body) = request.into_parts();
    is_json(&head.headers)?;
    let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    // Who asks first is told before a byte is sent.
    if head.headers.contains_key(EXPECT) && length.is_some_and(|length: usize| length > most) {
        return Err(too_long(most));
    }
    let arrives = tokio::time::timeout(time, gather(body, most));
    arrives.await.unwrap_or_else(|_| {
        let message = format!("the body did not arrive within {} s", time.as_secs_f64());
        Err(Error::new(408, "invalid_request_error", message))
    })
}

async fn gather(mut body: Body, most: usize) -> Result<Vec<u8>, Error> {
    let (mut bytes, mut length) = (Vec::new(), 0usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::invalid(format!("the body breaks off: {error}")))?;
        let Some(data) = frame.data_ref() else { continue };
        length = length.saturating_add(data.len());
        if length <= most {
            bytes.extend_from_slice(data);
        } else {
            bytes = Vec::new();
        }
        if length > most.saturating_add(DROPPED) {
            break;
        }
    }
    if length > most { Err(too_long(most)) } else { Ok(bytes) }
}

fn too_long(most: usize) -> Error {
    let message = format!("the body is longer than the {most} bytes that this server reads");
    Error::new(413, "invalid_request_error", message).coded("request_too_large")
}

/// A page in a browser can send other types without asking; JSON it can't.
fn is_json(headers: &HeaderMap) -> Result<(), Error> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let message = "the body must be JSON: send `Content-Type: application/json`";
    Err(Error::new(415, "invalid_request_error", message))
}
