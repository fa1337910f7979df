//! Conversations, by the checkpoint's own template.

use camelid_serve::Access;
use serde_json::{Value as Json, json};

use crate::client::{Answer, post};
use crate::served::{Served, stories};

const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";

/// The story model with a chat template.
fn talking() -> (Served, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["config.json", "model.safetensors", "tokenizer.model"] {
        std::fs::copy(stories().join(name), folder.path().join(name)).expect("a copy");
    }
    std::fs::write(folder.path().join("chat_template.jinja"), TEMPLATE).expect("a template");
    (Served::of(folder.path(), |_| {}, &Access::default()), folder)
}

fn chat(served: &Served, request: Json) -> Answer {
    let mut all = json!({ "model": "stories", "temperature": 0, "max_completion_tokens": 24 });
    all.as_object_mut().expect("an object").extend(request.as_object().expect("an object").clone());
    post(served.address, "/v1/chat/completions", &all)
}

fn content(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["choices"][0]["message"]["content"].as_str().expect("a text").to_owned()
}

#[test]
fn an_answer_goes_on_after_the_template_s_prompt() {
    let (served, _folder) = talking();
    let said = json!([{ "role": "system", "content": "Be kind." }, { "role": "user", "content": "Tell me of a dog." }]);
    let answer = chat(&served, json!({ "messages": said }));
    let prompt = "<s>[system] Be kind.\n[user] Tell me of a dog.\n[assistant]";
    let plain = served.complete(json!({ "prompt": prompt, "max_tokens": 24 }));
    assert_eq!(
        content(&answer).trim_start(),
        plain["choices"][0]["text"].as_str().expect("a text").trim_start()
    );
    assert_eq!(answer.json()["usage"]["prompt_tokens"], plain["usage"]["prompt_tokens"]);
    let message = &answer.json()["choices"][0]["message"];
    assert_eq!(
        (&message["role"], answer.json()["object"].clone()),
        (&json!("assistant"), json!("chat.completion"))
    );
    // The same said in parts, and by the newer name of the role.
    let parts = json!([
        { "role": "developer", "content": "Be kind." },
        { "role": "user", "content": [{ "type": "text", "text": "Tell me " }, { "type": "text", "text": "of a dog." }] },
    ]);
    assert_eq!(content(&chat(&served, json!({ "messages": parts }))), content(&answer));
}

#[test]
fn a_stream_begins_with_the_role_and_ends_with_the_reason() {
    let (served, _folder) = talking();
    let said = json!([{ "role": "user", "content": "Tell me of a cat." }]);
    let whole = chat(&served, json!({ "messages": said, "logprobs": true, "top_logprobs": 2 }));
    let streamed =
        chat(&served, json!({ "messages": said, "logprobs": true, "top_logprobs": 2, "stream": true }));
    assert!(streamed.head.contains("content-type: text/event-stream"), "{}", streamed.head);
    let (events, done) = streamed.events();
    assert!(done && events.iter().all(|event| event["object"] == "chat.completion.chunk"));
    assert_eq!(events[0]["choices"][0]["delta"], json!({ "role": "assistant", "content": "" }));
    assert_eq!(events.last().expect("one")["choices"][0]["finish_reason"], "length");
    assert!(events.iter().all(|event| event.get("usage").is_none()));
    let joined: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(joined, content(&whole));
    let tokens = |choice: &Json| choice["logprobs"]["content"].as_array().cloned().unwrap_or_default();
    let joined: Vec<Json> = events.iter().flat_map(|event| tokens(&event["choices"][0])).collect();
    assert_eq!(joined, tokens(&whole.json()["choices"][0]));
    assert_eq!(joined.len(), 24);
    for token in &joined {
        let bytes: Vec<u8> = token["bytes"]
            .as_array()
            .expect("bytes")
            .iter()
            .map(|b| b.as_u64().expect("a byte") as u8)
            .collect();
        assert_eq!(token["token"].as_str().map(str::as_bytes), Some(bytes.as_slice()));
        assert_eq!(token["top_logprobs"].as_array().map(Vec::len), Some(2));
        assert_eq!(token["top_logprobs"][0]["token"], token["token"], "greedy takes the likeliest");
    }
}

#[test]
fn an_answer_that_was_begun_goes_on() {
    let (served, _folder) = talking();
    let said = |more: &str| json!([{ "role": "user", "content": "A story!" }, { "role": "assistant", "content": more }]);
    let first = content(&chat(&served, json!({ "messages": [said("")[0]] })));
    let rest = content(&chat(&served, json!({ "messages": said("Once upon a time") })));
    assert!(!rest.is_empty() && rest != first);
    let plain = served
        .complete(json!({ "prompt": "<s>[user] A story!\n[assistant] Once upon a time", "max_tokens": 24 }));
    assert_eq!(rest.trim_start(), plain["choices"][0]["text"].as_str().expect("a text").trim_start());
}

#[test]
fn what_a_conversation_can_t_have_is_refused_by_its_name() {
    let (served, _folder) = talking();
    #[track_caller]
    fn check(served: &Served, request: Json, param: &str, words: &str) {
        let answer = chat(served, request);
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, &error["param"]), (400, &json!(param)), "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(words)), "{error}");
    }
    let user = json!([{ "role": "user", "content": "Hi" }]);
    check(&served, json!({}), "messages", "`messages` is missing");
    check(&served, json!({ "messages": [] }), "messages", "the list of messages is empty");
    check(&served, json!({ "messages": "Hi" }), "messages", "a list of objects");
    check(&served, json!({ "messages": [{ "content": "Hi" }] }), "messages", "message 1: `role` is missing");
    check(&served, json!({ "messages": ["Hi"] }), "messages", "message 1: a text is no object");
    let image =
        json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "x" } }] }]);
    check(&served, json!({ "messages": image }), "messages[0].content[0]", "takes text alone");
    check(&served, json!({ "messages": user, "tools": [{ "type": "function" }] }), "tools", "`tools`");
    check(
        &served,
        json!({ "messages": user, "response_format": { "type": "json_object" } }),
        "response_format",
        "not supported",
    );
    check(&served, json!({ "messages": user, "top_logprobs": 3 }), "top_logprobs", "`logprobs` = true");
    check(&served, json!({ "messages": user, "max_tokens": 3 }), "max_tokens", "give one of them");
    check(&served, json!({ "messages": user, "logprobs": 3 }), "logprobs", "it must be true or false");
    check(&served, json!({ "messages": user, "echo": true }), "echo", "`echo` is not supported");
}
