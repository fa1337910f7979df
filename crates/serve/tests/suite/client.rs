//! A client of few words: HTTP/1.0, so that an answer ends with its connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value as Json;

/// An answer: its status, its head as text, its body.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The events of a stream, and whether it said that it was done.
    pub(crate) fn events(&self) -> (Vec<Json>, bool) {
        let data: Vec<_> = self.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let done = data.last() == Some(&"[DONE]");
        let events = data.iter().filter(|data| **data != "[DONE]");
        (events.map(|data| serde_json::from_str(data).expect("JSON")).collect(), done)
    }
}

/// Sends bytes as they are and reads all that comes; nothing where the server just hangs up.
pub(crate) fn raw(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(address);
    // A server that has heard enough may hang up before all is sent.
    let _ = stream.write_all(bytes);
    read(stream)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout");
    stream
}

pub(crate) fn read(mut stream: TcpStream) -> Option<Answer> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let all = String::from_utf8(all).expect("UTF-8");
    let (head, body) = all.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
}

/// The bytes of a request.
pub(crate) fn request(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[track_caller]
pub(crate) fn post(address: SocketAddr, path: &str, body: &Json) -> Answer {
    raw(address, request(path, &body.to_string()).as_bytes()).expect("an answer")
}

#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    raw(address, format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).expect("an answer")
}
