//! Answers of JSON.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value as Json;

use crate::error::Error;

/// An answer of JSON.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    text: String,
    retry_after: Option<u64>,
}

impl Reply {
    pub(crate) fn json(status: u16, json: &Json) -> Reply {
        Reply { status, text: json.to_string(), retry_after: None }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(CONTENT_TYPE, "application/json")], self.text).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let reply = Reply::json(self.status, &self.body());
        Reply { retry_after: self.retry_after, ..reply }.into_response()
    }
}
