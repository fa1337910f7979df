//! What can't be answered: an error in OpenAI's shape each, and the server goes on.

use camelid_serve::Access;
use serde_json::{Value as Json, json};

use crate::client::{Answer, get, post, raw, request};
use crate::served::{Served, stories};

#[track_caller]
fn check(answer: &Answer, status: u16, code: Option<&str>, param: Option<&str>, words: &str) {
    let json = answer.json();
    let error = json["error"].as_object().expect("an error");
    assert_eq!(error.keys().collect::<Vec<_>>(), ["message", "type", "param", "code"]);
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!((error["code"].as_str(), error["param"].as_str()), (code, param), "{answer:?}");
    let message = error["message"].as_str().expect("a text");
    assert!(message.contains(words), "{message}");
    assert!(message.len() < 400, "{message}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a line for each field")]
fn a_field_that_is_wrong_is_named() {
    let served = Served::new();
    let check = |request: Json, code: &str, param: &str, words: &str| {
        check(&served.ask(request), 400, Some(code), Some(param), words);
    };
    check(json!({}), "missing_required_parameter", "prompt", "`prompt` is missing");
    check(
        json!({ "prompt": "A", "model": null }),
        "missing_required_parameter",
        "model",
        "`model` is missing",
    );
    check(json!({ "prompt": "A", "model": 7 }), "invalid_value", "model", "`model` is 7; it must be a name");
    check(
        json!({ "prompt": 7 }),
        "invalid_value",
        "prompt",
        "`prompt` is 7; it must be a text, a list of ids",
    );
    check(json!({ "prompt": [] }), "invalid_value", "prompt", "an empty list");
    check(json!({ "prompt": ["A", 7] }), "invalid_value", "prompt", "`prompt` holds a number among texts");
    check(json!({ "prompt": [1, -5] }), "invalid_value", "prompt", "holds -5, which is no token id");
    check(json!({ "prompt": [1, 1e99] }), "invalid_value", "prompt", "which is no token id");
    check(
        json!({ "prompt": [1, 512] }),
        "invalid_value",
        "prompt",
        "holds the id 512, and the vocabulary ends before 512",
    );
    check(
        json!({ "prompt": "A ".repeat(600) }),
        "context_length_exceeded",
        "prompt",
        "and this server's context is 512",
    );
    check(
        json!({ "prompt": "A", "temperature": "hot" }),
        "invalid_value",
        "temperature",
        "`temperature` is \"hot\"; it must be a number from 0 to 2",
    );
    check(json!({ "prompt": "A", "temperature": -1 }), "invalid_value", "temperature", "`temperature` is -1");
    check(json!({ "prompt": "A", "top_p": 1.5 }), "invalid_value", "top_p", "a number from 0 to 1");
    check(
        json!({ "prompt": "A", "max_tokens": -1 }),
        "invalid_value",
        "max_tokens",
        "`max_tokens` is -1; it must be a whole number",
    );
    check(json!({ "prompt": "A", "max_tokens": 1e300 }), "invalid_value", "max_tokens", "a whole number");
    check(json!({ "prompt": "A", "max_tokens": 2.5 }), "invalid_value", "max_tokens", "a whole number");
    check(json!({ "prompt": "A", "n": 0 }), "invalid_value", "n", "from 1 to 128");
    check(json!({ "prompt": "A", "n": 100 }), "invalid_value", "n", "this server runs 8 texts at once");
    check(json!({ "prompt": "A", "seed": "x" }), "invalid_value", "seed", "64 bits");
    check(json!({ "prompt": "A", "logprobs": 99 }), "invalid_value", "logprobs", "from 0 to 20");
    check(
        json!({ "prompt": "A", "stop": [1] }),
        "invalid_value",
        "stop",
        "`stop` is 1; it must be a text, or a list",
    );
    check(json!({ "prompt": "A", "stop": vec!["x"; 17] }), "invalid_value", "stop", "at most 16 texts");
    check(json!({ "prompt": "A", "stream": "yes" }), "invalid_value", "stream", "true or false");
    check(
        json!({ "prompt": "A", "stream_options": {} }),
        "invalid_value",
        "stream_options",
        "are for a stream",
    );
    check(
        json!({ "prompt": "A", "logit_bias": { "5": 1 } }),
        "unsupported_value",
        "logit_bias",
        "`logit_bias` = {\"5\":1} is not supported",
    );
    check(
        json!({ "prompt": "A", "presence_penalty": 0.5 }),
        "unsupported_value",
        "presence_penalty",
        "not supported",
    );
    check(json!({ "prompt": "A", "best_of": 4 }), "unsupported_value", "best_of", "as many as `n`");
    check(
        json!({ "prompt": "A", "grammar": "x" }),
        "unsupported_parameter",
        "grammar",
        "`grammar` is not supported by this server",
    );
    let many: Vec<&str> = vec!["A"; 100];
    check(
        json!({ "prompt": many }),
        "invalid_value",
        "prompt",
        "100 texts are asked for at once, and this server takes 72",
    );
    assert_eq!(served.ask(json!({ "prompt": "A" })).status, 200);
}

#[test]
fn a_body_that_is_none_is_told() {
    let served = Served::with(|limits| limits.body = 10_000, None);
    let post =
        |body: &str| raw(served.address, request("/v1/completions", body).as_bytes()).expect("an answer");
    check(&post(""), 400, Some("invalid_json"), None, "the body is no JSON");
    check(&post("{\"model\": \"stories\", \"prompt"), 400, Some("invalid_json"), None, "the body is no JSON");
    check(&post("[1]"), 400, None, None, "the body is a list; it must be an object");
    check(&post(&"[".repeat(5000)), 400, Some("invalid_json"), None, "recursion limit");
    check(&post("{\"model\": \"\\ud800\"}"), 400, Some("invalid_json"), None, "the body is no JSON");
    check(&post(&"x".repeat(10_001)), 413, Some("request_too_large"), None, "longer than the 10000 bytes");
    check(
        &post(&" ".repeat(100_000_000)),
        413,
        Some("request_too_large"),
        None,
        "longer than the 10000 bytes",
    );
    let head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let expects =
        format!("{head}Expect: 100-continue\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n");
    check(
        &raw(served.address, expects.as_bytes()).expect("an answer"),
        413,
        Some("request_too_large"),
        None,
        "longer",
    );
    let plain = request("/v1/completions", "{}").replace("application/json", "text/plain");
    check(&raw(served.address, plain.as_bytes()).expect("an answer"), 415, None, None, "application/json");
    let bytes = [request("/v1/completions", "{}  ").trim_end().as_bytes(), b"  \xff\xff"].concat();
    assert_eq!(raw(served.address, &bytes).expect("an answer").status, 400);
    assert_eq!(served.ask(json!({ "prompt": "A" })).status, 200);
}

#[test]
fn other_models_paths_and_methods_are_told() {
    let served = Served::new();
    let other = served.ask(json!({ "model": "gpt-4", "prompt": "A" }));
    check(
        &other,
        404,
        Some("model_not_found"),
        Some("model"),
        "the model `gpt-4` does not exist here; this server has `stories`",
    );
    check(&get(served.address, "/v1/models/other"), 404, Some("model_not_found"), Some("model"), "`other`");
    check(
        &get(served.address, "/v1/embeddings"),
        404,
        Some("unknown_url"),
        None,
        "there is no GET /v1/embeddings",
    );
    check(
        &get(served.address, "/v1/completions"),
        405,
        Some("method_not_supported"),
        None,
        "does not take GET",
    );
    let models = get(served.address, "/v1/models").json();
    assert_eq!((&models["object"], &models["data"][0]["id"]), (&json!("list"), &json!("stories")));
    assert_eq!(models["data"][0]["max_model_len"], 512);
    assert_eq!(get(served.address, "/v1/models/stories").json(), models["data"][0]);
    assert_eq!(get(served.address, "/health").json(), json!({ "status": "ok" }));
    assert_eq!(raw(served.address, b"no HTTP at all\r\n\r\n").map(|answer| answer.status), Some(400));
}

#[test]
fn a_key_is_asked_for_everywhere_but_of_health() {
    let served = Served::with(|_| {}, Some("secret"));
    let body = json!({ "model": "stories", "prompt": "A", "max_tokens": 1 });
    check(
        &post(served.address, "/v1/completions", &body),
        401,
        Some("invalid_api_key"),
        None,
        "Authorization: Bearer KEY",
    );
    check(&get(served.address, "/metrics"), 401, Some("invalid_api_key"), None, "a key");
    check(&get(served.address, "/nowhere"), 401, Some("invalid_api_key"), None, "a key");
    assert_eq!(get(served.address, "/health").status, 200);
    let with = |shown: &str| {
        let text = request("/v1/completions", &body.to_string());
        raw(
            served.address,
            text.replacen("Host: localhost", &format!("Host: localhost\r\nAuthorization: {shown}"), 1)
                .as_bytes(),
        )
        .expect("an answer")
    };
    for wrong in ["Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Basic secret", "secret"] {
        assert_eq!(with(wrong).status, 401, "{wrong}");
    }
    assert_eq!(with("Bearer secret").status, 200);
    assert_eq!(with("bearer secret").status, 200);
}

#[test]
fn a_page_that_makes_its_own_name_lead_here_is_refused() {
    let served = Served::new();
    let asked_as = |host: &str| {
        raw(served.address, format!("GET /v1/models HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes())
            .expect("an answer")
    };
    for own in
        ["localhost", "LocalHost:8080", "127.0.0.1:80", "[::1]:8080", "[::1]", "a.localhost", "192.168.0.7:1"]
    {
        assert_eq!(asked_as(own).status, 200, "{own}");
    }
    for other in ["rebound.example", "rebound.example:8080", "localhost.example", "127.0.0.1.example:80"] {
        check(&asked_as(other), 403, Some("unknown_host"), None, "not as `");
    }
    let health = b"GET /health HTTP/1.0\r\nHost: balancer.example\r\n\r\n";
    assert_eq!(raw(served.address, health).map(|answer| answer.status), Some(200));
    // Who shows a key is no stranger's page.
    let keyed = Served::with(|_| {}, Some("secret"));
    let asked = b"GET /v1/models HTTP/1.0\r\nHost: proxy.example\r\nAuthorization: Bearer secret\r\n\r\n";
    assert_eq!(raw(keyed.address, asked).map(|answer| answer.status), Some(200));
}

#[test]
fn pages_of_named_origins_may_ask_and_of_no_others() {
    let access = Access {
        key: Some("secret".into()),
        origins: vec!["http://localhost:3000".parse().expect("an origin")],
    };
    let served = Served::of(&stories(), |_| {}, &access);
    let from = |origin: &str, rest: &str| {
        let text = format!(
            "{rest} HTTP/1.0\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\r\n"
        );
        raw(served.address, text.as_bytes()).expect("an answer")
    };
    let allowed = "access-control-allow-origin: http://localhost:3000";
    // A page asks first whether it may, without the key.
    let may = from("http://localhost:3000", "OPTIONS /v1/chat/completions");
    assert!(may.status == 200 && may.head.contains(allowed), "{may:?}");
    assert!(may.head.contains("access-control-allow-headers: authorization,content-type"), "{may:?}");
    assert!(
        !from("http://localhost:3001", "OPTIONS /v1/models").head.contains("access-control-allow-origin")
    );
    // A refusal can be read too.
    let refused = from("http://localhost:3000", "GET /v1/models");
    assert!(refused.status == 401 && refused.head.contains(allowed), "{refused:?}");
    assert!(!get(Served::new().address, "/v1/models").head.contains("access-control"), "none unasked");
}
