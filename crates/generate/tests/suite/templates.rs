//! Templates line by line, and conversations family by family, against what transformers and the releases make of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use camelid_families::Library;
use camelid_generate::{
    ChatTemplate, Conversation, Ending, Error, How, Opened, Piece, Prompt, WhichTemplate,
};
use serde_json::{Value as Json, json};

use crate::stories::load;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

fn data(file: &str) -> Json {
    serde_json::from_slice(&std::fs::read(tests().join(file)).expect("the file")).expect("JSON")
}

fn read(said: &Json) -> Conversation {
    Conversation::read(said.to_string().as_bytes()).expect("a conversation")
}

/// `tests/templates/lines.json`: each line gives what transformers' environment makes of it, but for those that are known
/// to go their own way, which do.
#[test]
fn every_line_is_what_transformers_makes_of_it() {
    let file = data("templates/lines.json");
    let said = read(&file["names"]);
    let differing = file["differing"].as_object().expect("reasons");
    let differing: BTreeSet<&str> = differing
        .values()
        .flat_map(|lines| lines.as_array().expect("lines"))
        .filter_map(Json::as_str)
        .collect();
    let mut wrong = Vec::new();
    let mut differ = BTreeSet::new();
    let lines = file["groups"].as_object().expect("groups").values();
    let lines: Vec<&Json> = lines.flat_map(|lines| lines.as_array().expect("lines")).collect();
    assert!(lines.len() > 1000, "{}", lines.len());
    for line in lines {
        let (source, expected) = (line[0].as_str().expect("a template"), line[1].as_str());
        let given =
            ChatTemplate::new("t", source).and_then(|template| template.render(&said, Ending::Answer));
        let text = given.as_ref().ok().map(Prompt::text);
        if text.as_deref() == expected {
            continue;
        }
        differ.insert(source);
        if !differing.contains(source) {
            wrong.push(format!("{source:?}\n  expected {expected:?}\n  given    {given:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} lines differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(differ, differing, "these are listed as differing");
}

fn open(folder: &Path) -> Opened {
    let library = Library::built_in().expect("the families");
    Opened::open(&library, &folder.display().to_string(), &How::default()).expect("it opens")
}

/// The prompt of a conversation in a folder, as `generate` makes it.
fn prompt(opened: &Opened, said: &Conversation) -> Result<Prompt, Error> {
    let stories = load();
    let chat = opened.template(&*stories.tokenizer, &WhichTemplate::default()).expect("a template");
    let mut said = said.clone();
    if !said.has_system() {
        let system = chat.system.map(|text| camelid_generate::Message::new("system", text));
        said.messages.splice(0..0, system);
    }
    chat.template.render(&said, Ending::Answer)
}

/// A case as the family that its folder is of: small vocabularies do not tell families apart.
fn opened(case: &str) -> Opened {
    let family = case.split('/').next().map(str::to_owned);
    let folder = tests().join("cases").join(case);
    let library = Library::built_in().expect("the families");
    let how = How { family, ..How::default() };
    Opened::open(&library, &folder.display().to_string(), &how).expect("it opens")
}

/// `tests/conversations/pieces.json`: whole conversations, for every family with a form of its own.
#[test]
fn conversations_are_what_the_releases_make_of_them() {
    let file = data("conversations/pieces.json");
    let prompts = file["prompts"].as_object().expect("prompts");
    assert_eq!(prompts.len(), 19);
    for (case, expected) in prompts {
        let opened = opened(case);
        for (name, expected) in expected.as_object().expect("conversations") {
            let given = prompt(&opened, &read(&file["conversations"][name]));
            let pieces = given.as_ref().ok().map(|prompt| {
                prompt.pieces.iter().map(|piece| match piece {
                    Piece::Token(name) => json!(["token", name]),
                    Piece::Literal(text) => json!(["literal", text]),
                    Piece::Parsed(text) => json!(["parsed", text]),
                })
            });
            let pieces = pieces.map_or(Json::Null, |pieces| pieces.collect());
            // A release that takes a conversation in any order may be met by a refusal, never by another prompt.
            assert_eq!(&pieces, expected, "{case}, {name}: {given:?}");
        }
    }
}

/// `tests/conversations/texts.json`: the same for families whose form is written anew from a published template.
#[test]
fn conversations_are_what_published_templates_make_of_them() {
    let file = data("conversations/texts.json");
    let prompts = file["prompts"].as_object().expect("prompts");
    let (mut wrong, mut equal) = (Vec::new(), 0);
    for (case, expected) in prompts {
        let opened = opened(case);
        for (name, expected) in expected.as_object().expect("conversations") {
            let given = prompt(&opened, &read(&file["conversations"][name]));
            let text = given.as_ref().ok().map(Prompt::text);
            match (text, expected.as_str()) {
                (Some(text), Some(expected)) if text == expected => equal += 1,
                // These forms have no tools; that is said, and nothing left out in silence.
                (None, _) if name == "a tool" => {}
                (None, None) => {}
                (text, expected) => {
                    wrong.push(format!("{case}, {name}\n  given    {text:?}\n  expected {expected:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal >= 180, "{equal}");
}

fn folder_with(case: &str, files: &[(&str, Json)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(tests().join("cases").join(case)).expect("the case") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
        std::fs::write(path, text).expect("written");
    }
    folder
}

#[track_caller]
fn chosen(files: &[(&str, Json)], which: &WhichTemplate, expected: Result<&str, &str>) {
    let folder = folder_with("llama2/mha", files);
    let opened = open(folder.path());
    let said = read(&json!([{"role": "user", "content": "Hi"}]));
    let chat = opened.template(&*load().tokenizer, which);
    let text = chat.and_then(|chat| chat.template.render(&said, Ending::Answer)).map(|prompt| prompt.text());
    match (text, expected) {
        (Ok(text), Ok(expected)) => assert_eq!(text, expected),
        (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
        (text, expected) => panic!("{text:?}, not {expected:?}"),
    }
}

/// transformers' order: chat_template.jinja with those beside it, chat_template.json, tokenizer_config.json; of named ones
/// `tool_use` where tools are given, else `default`.
#[test]
fn a_checkpoint_s_own_template_is_found_where_transformers_finds_it() {
    let usual = WhichTemplate::default();
    let tools = WhichTemplate { tools: true, ..usual.clone() };
    let rag = WhichTemplate { name: Some("rag".into()), ..usual.clone() };
    let list = json!({"chat_template": [
        {"name": "default", "template": "d{{ messages[0].content }}"},
        {"name": "tool_use", "template": "t"},
        {"name": "rag", "template": "r{{ bos_token }}"}], "bos_token": "<b>"});
    let config = [("tokenizer_config.json", list)];
    chosen(&config, &usual, Ok("dHi"));
    chosen(&config, &tools, Ok("t"));
    chosen(&config, &rag, Ok("r<b>"));
    let jinja = ("chat_template.jinja", json!("j\n"));
    let both = [config[0].clone(), jinja.clone()];
    chosen(&both, &tools, Ok("j"));
    chosen(&both, &rag, Err("no chat template is called `rag`; there are `default`"));
    let more = [jinja, ("additional_chat_templates/tool_use.jinja", json!("more"))];
    chosen(&more, &tools, Ok("more"));
    chosen(&more, &usual, Ok("j"));
    chosen(&[("chat_template.json", json!({"chat_template": "json"}))], &usual, Ok("json"));
    let nameless = json!({"chat_template": [{"name": "a", "template": ""}, {"name": "b", "template": ""}]});
    chosen(&[("tokenizer_config.json", nameless)], &usual, Err("name one: `a`, `b`"));
    chosen(
        &[("tokenizer_config.json", json!({"chat_template": 5}))],
        &usual,
        Err("chat_template must be a text"),
    );
    chosen(&[], &rag, Err("no chat template is called `rag`; it brings none"));
    chosen(
        &[("chat_template.jinja", json!("{% if %}"))],
        &usual,
        Err("chat_template.jinja, line 1: syntax error"),
    );
}

#[test]
fn a_user_is_told_whose_template_is_used() {
    let note = |case: &str, files: &[(&str, Json)]| {
        let folder = folder_with(case, files);
        let chat = open(folder.path()).template(&*load().tokenizer, &WhichTemplate::default());
        chat.expect("a template").note.unwrap_or_default()
    };
    let own = [("tokenizer_config.json", json!({"chat_template": "x"}))];
    assert_eq!(note("llama2/mha", &own), "");
    assert!(note("llama2/mha", &[]).contains("brings no chat template; Llama 2's own form is used"));
    let instead = note("chatglm3/base", &own);
    assert!(instead.contains("is written as ChatGLM 3's own code does, not by"), "{instead}");
}

#[test]
fn special_tokens_of_both_files_are_names() {
    let files = [
        (
            "tokenizer_config.json",
            json!({"eos_token": {"content": "</e>"}, "pad_token": null, "image_token": "<i>"}),
        ),
        ("special_tokens_map.json", json!({"bos_token": "<b>", "eos_token": "<other>"})),
        (
            "chat_template.jinja",
            json!(
                "{{ bos_token }}{{ eos_token }}{{ image_token }}{{ pad_token is defined }}{{ unk_token is defined }}"
            ),
        ),
    ];
    chosen(&files, &WhichTemplate::default(), Ok("<b></e><i>FalseFalse"));
}
