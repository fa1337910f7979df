//! `camelid generate --messages`: conversations from a file.

use std::path::Path;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::models::{camelid, copy, refused, run, stories, text};

const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}\
                        {% if add_generation_prompt %}assistant:{% endif %}";

/// The small model with a template of its own, and messages.
fn folder(messages: &Json) -> TempDir {
    let folder = copy();
    write(folder.path(), "chat_template.jinja", TEMPLATE);
    write(folder.path(), "tokenizer_config.json", r#"{"bos_token": {"content": "<s>"}}"#);
    write(folder.path(), "messages.json", &messages.to_string());
    folder
}

fn write(folder: &Path, name: &str, content: &str) {
    std::fs::write(folder.join(name), content).expect("written");
}

fn options(folder: &Path, more: &[&str]) -> Vec<String> {
    let messages = folder.join("messages.json");
    let fixed = ["generate", "--model", text(folder), "--messages", text(&messages), "--max-new-tokens", "6"];
    fixed.iter().chain(more).map(|option| (*option).to_owned()).collect()
}

fn answers(folder: &Path, more: &[&str], lines: &str) -> Vec<Json> {
    let options = options(folder, &[more, &["--json"]].concat());
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let output = camelid(&options).write_stdin(lines.to_owned()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn turn(role: &str, content: &str) -> Json {
    json!({"role": role, "content": content})
}

#[test]
fn a_conversation_is_answered_and_goes_on() {
    let given = folder(&json!([turn("user", "Hi"), turn("assistant", "Hello"), turn("user", "Bye")]));
    let prompt =
        run(&options(given.path(), &["--print-prompt"]).iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(prompt, "<s>user: Hi\nassistant: Hello\nuser: Bye\nassistant:");
    let printed = &answers(given.path(), &["--print-prompt"], "")[0];
    let single = &answers(given.path(), &[], "")[0];
    assert_eq!((&printed["prompt"], &printed["prompt_ids"]), (&json!(prompt), &single["prompt_ids"]));
    assert_eq!(single["generated_ids"].as_array().map(Vec::len), Some(6));
    // --chat answers what waits, then each line; the answer is part of what follows.
    let turns = answers(given.path(), &["--chat"], "And now?\n");
    assert_eq!((turns.len(), &turns[0]["generated_ids"]), (2, &single["generated_ids"]));
    let second = turns[1]["prompt_ids"].as_array().expect("ids").len();
    assert!(second > single["prompt_ids"].as_array().expect("ids").len() + 6);
    // The same as a file whose last question is the line, and as --prompt.
    let so_far = json!([
        turn("user", "Hi"),
        turn("assistant", "Hello"),
        turn("user", "Bye"),
        turn("assistant", turns[0]["text"].as_str().expect("a text")),
        turn("user", "And now?"),
    ]);
    let whole = folder(&so_far);
    assert_eq!(answers(whole.path(), &[], "")[0]["prompt_ids"], turns[1]["prompt_ids"]);
    let without_last = folder(&Json::from(so_far.as_array().expect("turns")[..4].to_vec()));
    assert_eq!(
        answers(without_last.path(), &["--prompt", "And now?"], "")[0]["prompt_ids"],
        turns[1]["prompt_ids"]
    );
    // Nothing waits: lines go on from a given answer.
    let lines = answers(without_last.path(), &["--chat"], "And now?\n");
    assert_eq!((lines.len(), &lines[0]["prompt_ids"]), (1, &turns[1]["prompt_ids"]));
}

#[test]
fn an_answer_that_was_begun_goes_on() {
    let given = folder(&json!([turn("user", "Hi"), turn("assistant", "Once upon a")]));
    let printed = &answers(given.path(), &["--print-prompt"], "")[0];
    assert_eq!(printed["prompt"], "<s>user: Hi\nassistant: Once upon a");
    assert_eq!(answers(given.path(), &[], "")[0]["prompt_ids"], printed["prompt_ids"]);
}

#[test]
fn messages_may_come_on_standard_input_with_names_beside_them() {
    let given = folder(&json!([]));
    write(given.path(), "chat_template.jinja", "{{ messages[0].content }}{{ tools[0].name }}{{ thinks }}");
    let said = json!({"messages": [turn("user", "Hi")], "tools": [{"name": "f"}], "thinks": true});
    let args = ["generate", "--model", text(given.path()), "--messages", "-", "--print-prompt"];
    let output = camelid(&args).write_stdin(said.to_string()).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "HifTrue");
}

#[test]
fn a_system_text_may_be_given_beside_the_messages_but_once() {
    let given = folder(&json!([turn("user", "Hi")]));
    let printed = &answers(given.path(), &["--print-prompt", "--system", "Be kind."], "")[0];
    assert_eq!(printed["prompt"], "<s>system: Be kind.\nuser: Hi\nassistant:");
    let twice = folder(&json!([turn("system", "a"), turn("user", "Hi")]));
    let error = refusal(twice.path(), &["--system", "b"]);
    assert!(error.contains("--system: the messages have a system text already"), "{error}");
}

const JOINED: &[u32] = &[
    1, 410, 508, 442, 458, 437, 434, 509, 320, 417, 504, 492, 419, 505, 410, 508, 492, 442, 458, 437, 434,
    509, 346, 306, 414, 426, 410, 2, 1, 410, 508, 442, 458, 437, 434, 509, 368, 422, 411, 410, 508, 492, 442,
    458, 437, 434, 509,
];

/// Meta's rule on the small model, whose family is its own: BOS, a question and its answer as one text, EOS, as ids.
#[test]
fn a_family_that_joins_ids_has_them_joined() {
    let folder = copy();
    let said = json!([turn("user", "Hi</s>"), turn("assistant", "Hello."), turn("user", "Bye")]);
    write(folder.path(), "messages.json", &said.to_string());
    let printed = &answers(folder.path(), &["--print-prompt"], "")[0];
    assert_eq!(printed["prompt"], "<s>[INST] Hi</s> [/INST] Hello. </s><s>[INST] Bye [/INST]");
    // sentencepiece 0.2.3: 1, encode("[INST] Hi</s> [/INST] Hello. "), 2, 1, encode("[INST] Bye [/INST]").
    assert_eq!(printed["prompt_ids"], json!(JOINED));
}

fn refusal(folder: &Path, more: &[&str]) -> String {
    let options = options(folder, more);
    refused(&options.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn what_is_no_conversation_is_one_clear_error() {
    let given = folder(&json!([]));
    let check = |content: &str, expected: &str| {
        write(given.path(), "messages.json", content);
        let error = refusal(given.path(), &[]);
        assert!(
            error.contains("messages.json: ") && error.contains(expected),
            "{error:?} lacks {expected:?}"
        );
        assert_eq!(error.lines().filter(|line| !line.starts_with("note")).count(), 1, "{error}");
    };
    check("", "no JSON");
    check("[]", "the list of messages is empty");
    check(r#"{"role": "user", "content": "Hi"}"#, "a list of messages is needed");
    check(r#"[{"role": "user", "content": null}]"#, "message 1: `content` is missing or null");
    std::fs::write(given.path().join("messages.json"), b"[\xff]").expect("written");
    assert!(refusal(given.path(), &[]).contains("messages.json: no UTF-8 from byte 1 on"));
    let parts = r#"[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]"#;
    write(given.path(), "messages.json", parts);
    assert!(refusal(given.path(), &[]).contains("takes none but texts"));
    write(given.path(), "messages.json", r#"[{"role": "user", "content": "Hi"}]"#);
    for (template, expected) in [
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "a loop without end",
        ),
        ("{{ raise_exception('no such turn') }}", "the template refuses: no such turn"),
        ("{% for", "syntax error"),
        ("{{ messages[0].content.frobnicate() }}", "frobnicate"),
        ("{% set s = 'x' * 9999999 %}{{ s.replace('x', s) }}", "a text without end"),
    ] {
        write(given.path(), "chat_template.jinja", template);
        let error = refusal(given.path(), &[]);
        assert!(error.contains("chat_template.jinja") && error.contains(expected), "{error}");
    }
    let other = ["generate", "--model", text(stories()), "--messages", "/nowhere/at/all"];
    assert!(refused(&other).contains("--messages /nowhere/at/all: "));
    let both = ["generate", "--model", text(stories()), "--messages", "-", "--chat"];
    assert!(refused(&both).contains("both read standard input"));
    let alone = ["generate", "--model", text(stories()), "--prompt", "x", "--system", "y"];
    assert!(refused(&alone).contains("are for a conversation"));
    let unsaid = ["generate", "--model", text(stories()), "--chat", "--print-prompt"];
    assert!(refused(&unsaid).contains("nothing is said"));
}

#[test]
fn the_family_s_roles_are_those_that_its_form_has() {
    let folder = copy();
    write(folder.path(), "messages.json", r#"[{"role": "wizard", "content": "Hi"}]"#);
    assert!(refusal(folder.path(), &[]).contains("user and assistant take turns, the user first"));
}

#[test]
fn the_family_s_ends_are_kept_beside_those_of_a_file() {
    let folder = copy();
    write(
        folder.path(),
        "mine.toml",
        "title = \"Mine\"\nextends = \"llama2\"\nmatch = \"= false\"\n[tokenizer]\nstop = [\"<s>\"]\n",
    );
    let spec = folder.path().join("mine.toml");
    let report = |prompt: &str, options: &[&str]| -> Json {
        let args = [
            "generate",
            "--model",
            text(folder.path()),
            "--prompt",
            prompt,
            "--json",
            "--max-new-tokens",
            "200",
        ];
        serde_json::from_str(&run(&[&args, options].concat())).expect("JSON")
    };
    write(folder.path(), "generation_config.json", r#"{"eos_token_id": 511, "stop_strings": "named"}"#);
    assert_eq!(report("Once upon a time", &[])["stop"], "text");
    write(folder.path(), "generation_config.json", r#"{"eos_token_id": 511}"#);
    let cat = "Once upon a time, there was a cat named Tom.";
    assert_eq!(report(cat, &[])["stop"], "length");
    let ended = report(cat, &["--spec", text(&spec)]);
    let last = ended["generated_ids"].as_array().and_then(|ids| ids.last().cloned());
    assert_eq!((&ended["stop"], last), (&json!("eos"), Some(json!(1))));
    write(folder.path(), "generation_config.json", r#"{"stop_strings": [5]}"#);
    let error = refused(&["generate", "--model", text(folder.path()), "--prompt", "x"]);
    assert!(error.contains("generation_config.json: 5 is no text"), "{error}");
}

#[test]
fn chance_draws_among_fifty_where_nobody_says_otherwise() {
    let folder = copy();
    let ids = |options: &[&str]| -> Json {
        let args = [
            "generate",
            "--model",
            text(folder.path()),
            "--prompt",
            "The",
            "--json",
            "--max-new-tokens",
            "60",
        ];
        let report: Json = serde_json::from_str(&run(&[&args, options].concat())).expect("JSON");
        report["generated_ids"].clone()
    };
    let hot = ["--temperature", "3", "--seed", "5"];
    let among = |k: &str| ids(&[&hot as &[&str], &["--top-k", k]].concat());
    assert_eq!(ids(&hot), among("50"));
    assert_ne!(ids(&hot), among("0"));
    write(folder.path(), "generation_config.json", r#"{"do_sample": true, "temperature": 3.0}"#);
    assert_eq!(ids(&["--seed", "5"]), among("50"));
    write(folder.path(), "generation_config.json", r#"{"do_sample": true, "temperature": 3.0, "top_k": 0}"#);
    assert_eq!(ids(&["--seed", "5"]), among("0"));
}
