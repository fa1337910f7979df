//! Targets for what people write: families' files, their formulas, config.json as a family reads it, chat templates.

use std::cell::RefCell;
use std::path::Path;

use camelid::checkpoint::parse_json;
use camelid::families::{Declaration, Formula, Library};
use camelid::generate::{ChatTemplate, Conversation, Ending, Join, Message};
use camelid::tokenizers::Settings;
use serde_json::{Map, Value as Json};

thread_local! {
    /// The built-in families, and the one at hand.
    static LIBRARY: RefCell<Library> = RefCell::new(Library::built_in().expect("the families"));
}

fn config(text: &str) -> Map<String, Json> {
    parse_json(Path::new("config.json"), text.as_bytes()).expect("a config.json")
}

/// Two that most families read: plain, and with scaling and a window.
fn configs() -> [Map<String, Json>; 2] {
    [
        config(include_str!("../../cases/llama1/base/config.json")),
        config(include_str!("../../cases/qwen2/yarn/config.json")),
    ]
}

/// All that is done with a declaration and a config.json before a weight is read; whether they fit.
fn read(family: &Declaration, config: &Map<String, Json>) -> bool {
    let _ = family.accepts(config);
    let _ = family.evaluate::<Settings>("tokenizer", &family.tokenizer, config);
    let _ = family.evaluate::<Json>("chat", &family.chat, config);
    match family.resolve(config, &[]) {
        Ok(architecture) => {
            let plan = architecture.plan();
            let _ = plan.parameters();
            true
        }
        Err(unresolved) => {
            assert!(!unresolved.problems.is_empty(), "a refusal says why");
            let _ = unresolved.problems.iter().map(ToString::to_string).collect::<String>();
            false
        }
    }
}

/// A family's file, which may extend a built-in one, read with two config.json.
pub fn family_file(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    LIBRARY.with_borrow_mut(|library| {
        if library.insert("fuzz", "fuzz.toml", text).is_err() {
            return false;
        }
        let family = library.get("fuzz").expect("it was taken");
        for config in configs().iter().chain(family.sizes.iter().map(|size| &size.config)) {
            read(family, config);
        }
        true
    })
}

/// A formula, alone and as a word of a family.
pub fn formula(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(formula) = Formula::parse(text) else { return false };
    let again = Formula::parse(formula.source()).expect("what was read can be read again");
    assert_eq!(formula, again);
    let quoted = Json::from(format!("= {text}"));
    let file = format!("extends = \"llama1\"\n[attention]\nscale = {quoted}\nwindow = {quoted}\n");
    family_file(file.as_bytes())
}

/// A config.json: whose it is, and what each family that claims it makes of it.
pub fn resolve(data: &[u8]) -> bool {
    let Ok(config) = parse_json(Path::new("fuzz"), data) else { return false };
    LIBRARY.with_borrow(|library| {
        let _ = library.detect(&config, &[]);
        library.matching(&config).filter(|family| read(family, &config)).count() > 0
    })
}

/// A file of messages, in a template that goes through all of them.
pub fn conversation(data: &[u8]) -> bool {
    const TEMPLATE: &str = "{% for m in messages %}{{ m.role ~ ': ' ~ m.content }}{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}\n{% endfor %}";
    let Ok(said) = Conversation::read(data) else { return false };
    let Ok(template) = ChatTemplate::new("fuzz", TEMPLATE) else { return false };
    [Ending::Open, Ending::Answer, Ending::Message]
        .into_iter()
        .filter(|ending| template.render(&said, *ending).is_ok())
        .count()
        > 0
}

/// A chat template, on a conversation of three turns.
pub fn chat_template(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(template) = ChatTemplate::new("fuzz", text) else { return false };
    let turns = [("system", "Be brief."), ("user", " Hello <|x|> {{ 人 }}\n"), ("assistant", "")];
    let said = Conversation::of(turns.map(|(role, text)| Message::new(role, text)).to_vec());
    let template = template.joined(Join::Ids);
    let _ = template.render(&said, Ending::Open); // a template may leave the last message out
    [Ending::Answer, Ending::Message].into_iter().all(|ending| template.render(&said, ending).is_ok())
}

/// A request to the server, read as each of its two kinds. A refusal has a message and a shape.
pub fn request(data: &[u8]) -> bool {
    let completion = camelid::serve::Completion::read(data);
    let chat = camelid::serve::Chat::read(data);
    let read = completion.is_ok() || chat.is_ok();
    for error in [completion.err(), chat.err()].into_iter().flatten() {
        assert!((400..500).contains(&error.status), "{error}");
        assert!(!error.message.is_empty() && error.body()["error"]["message"].is_string(), "{error}");
    }
    read
}
