//! Each line of `tests/templates/lines.json` gives what transformers' environment makes of it.

use std::path::Path;

use camelid_generate::ChatTemplate;
use serde_json::Value as Json;

#[test]
fn every_line_is_what_transformers_makes_of_it() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/templates/lines.json");
    let file: Json = serde_json::from_slice(&std::fs::read(file).expect("the file")).expect("JSON");
    let names = file["names"].as_object().cloned().expect("names");
    let mut wrong = Vec::new();
    let mut lines = 0;
    for (group, list) in file["groups"].as_object().expect("groups") {
        for line in list.as_array().expect("lines") {
            let (source, expected) = (line[0].as_str().expect("a template"), line[1].as_str());
            lines += 1;
            let given = ChatTemplate::new("t", source)
                .and_then(|template| template.with_names(names.clone()).prompt(&[]));
            let text = given.as_ref().map(String::as_str).ok();
            if text != expected {
                wrong.push(format!("{group}: {source:?}\n  expected {expected:?}\n  given    {given:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {lines} lines differ:\n{}", wrong.len(), wrong.join("\n"));
}
