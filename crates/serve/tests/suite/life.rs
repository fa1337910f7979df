//! Full queues, slow clients, clients that vanish, and the end.

use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{connect, get, read, request};
use crate::served::{Served, text};

/// The bytes of a stream of many tokens.
fn long() -> String {
    let body = json!({ "model": "stories", "prompt": "Once upon a time", "max_tokens": 450, "temperature": 0, "stream": true, "n": 4, "logprobs": 5 });
    request("/v1/completions", &body.to_string())
}

#[test]
fn who_finds_no_place_is_told_when_to_come_back() {
    let served = Served::with(|limits| (limits.parallel, limits.queue) = (1, 1), None);
    let wanted = served.complete(json!({ "prompt": "Once", "max_tokens": 300 }));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = || served.ask(json!({ "prompt": "Once", "max_tokens": 300 }));
        let running: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        running.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let (good, busy): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(!good.is_empty() && !busy.is_empty(), "{} and {}", good.len(), busy.len());
    for answer in good {
        assert_eq!(text(&answer.json(), 0), text(&wanted, 0));
    }
    for answer in busy {
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (429, &json!("rate_limit_exceeded")));
        assert!(answer.head.contains("retry-after: 5"), "{}", answer.head);
    }
    assert_eq!(served.ask(json!({ "prompt": "Once" })).status, 200);
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let served = Served::with(|limits| (limits.parallel, limits.queue) = (4, 0), None);
    let wanted = served.complete(json!({ "prompt": "Once", "max_tokens": 40 }));
    for bytes in [1, 40, 200] {
        let vanishing: Vec<_> = (0..4)
            .map(|_| {
                let mut stream = connect(served.address);
                let _ = stream
                    .write_all(&long().as_bytes()[..bytes.max(long().len() * usize::from(bytes == 200))]);
                stream
            })
            .collect();
        std::thread::sleep(Duration::from_millis(20));
        drop(vanishing);
    }
    let begin = Instant::now();
    let answer = loop {
        let answer = served.ask(json!({ "prompt": "Once", "max_tokens": 40 }));
        if answer.status == 200 || begin.elapsed() > Duration::from_secs(20) {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(text(&answer.json(), 0), text(&wanted, 0));
    std::thread::sleep(Duration::from_millis(600));
    let metrics = get(served.address, "/metrics").body;
    assert!(
        metrics.contains("\ncamelid_running 0\n") && metrics.contains("\ncamelid_waiting 0\n"),
        "{metrics}"
    );
}

#[test]
fn half_a_request_is_not_waited_for() {
    let served = Served::with(|limits| limits.arrival = Duration::from_millis(300), None);
    let begin = Instant::now();
    let mut body = connect(served.address);
    let whole = request("/v1/completions", &json!({ "model": "stories", "prompt": "A" }).to_string());
    body.write_all(&whole.as_bytes()[..whole.len() - 5]).expect("it is sent");
    let answer = read(body).expect("an answer");
    assert_eq!((answer.status, &answer.json()["error"]["type"]), (408, &json!("invalid_request_error")));
    let mut head = connect(served.address);
    head.write_all(b"POST /v1/comp").expect("it is sent");
    let answer = read(head);
    assert!(answer.is_none_or(|answer| answer.status == 408));
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(served.ask(json!({ "prompt": "A" })).status, 200);
}

#[test]
fn an_answer_that_takes_too_long_is_ended() {
    let served = Served::with(|limits| limits.timeout = Duration::from_millis(1), None);
    let answer = served.ask(json!({ "prompt": "Once", "max_tokens": 400, "n": 8 }));
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (504, &json!("timeout")));
    let streamed = served.ask(json!({ "prompt": "Once", "max_tokens": 400, "n": 8, "stream": true }));
    let (events, done) = streamed.events();
    assert_eq!((&events.last().expect("one")["error"]["code"], done), (&json!("timeout"), false));
}

#[test]
fn what_runs_ends_and_nothing_new_begins() {
    let mut served = Served::new();
    let wanted = crate::client::raw(served.address, long().as_bytes()).expect("an answer");
    let mut running: Vec<_> = (0..6)
        .map(|_| {
            let mut stream = connect(served.address);
            stream.write_all(long().as_bytes()).expect("it is sent");
            let mut lines = BufReader::new(stream);
            // The head: it has been taken.
            let mut line = String::new();
            lines.read_line(&mut line).expect("a line");
            assert!(line.contains("200"), "{line}");
            lines
        })
        .collect();
    served.stop.ask();
    let late = std::net::TcpStream::connect(served.address).ok().and_then(|mut stream| {
        stream.write_all(long().as_bytes()).ok()?;
        read(stream)
    });
    assert!(late.is_none_or(|answer| answer.status == 503 && answer.head.contains("retry-after")));
    for lines in &mut running {
        let mut rest = String::new();
        std::io::Read::read_to_string(lines, &mut rest).expect("all of it");
        assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
        let texts = |text: &str| text.matches("\"text\":").count();
        assert_eq!(texts(&rest), texts(&wanted.body));
    }
    served.join();
}
