//! Vocabularies of GGUF files against llama.cpp's own ids (`tests/reference/gguf_ids.py`): one for each way in which a file may
//! say how texts are split, which token is what, and what goes around a text.

use camelid_tokenizers::{Gguf, Settings, Specials, open_gguf};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::data::path;

#[derive(Deserialize)]
struct Texts {
    texts: Vec<String>,
}

#[derive(Deserialize)]
struct Row {
    cases: Vec<String>,
    /// The split's name in each case.
    pre: Vec<Option<String>>,
    file: String,
    change: Map<String, Json>,
    literal: Vec<Vec<u32>>,
    /// Within the frame.
    parsed: Vec<Vec<u32>>,
    ends: Vec<u32>,
    hidden: Vec<u32>,
}

/// The arrays of a file with a change; null takes a key away.
fn arrays(row: &Row, pre: Option<&str>) -> Gguf {
    let mut arrays: Map<String, Json> =
        serde_json::from_str(&std::fs::read_to_string(path(&row.file)).unwrap()).unwrap();
    arrays.extend(row.change.clone());
    arrays.insert("pre".into(), pre.into());
    arrays.retain(|_, value| !value.is_null());
    serde_json::from_value(Json::Object(arrays)).unwrap()
}

#[test]
fn ids_ends_and_hidden_tokens_are_llama_cpps() {
    let file = std::fs::read_to_string(path("gguf-llamacpp.jsonl")).unwrap();
    let mut lines = file.lines();
    let Texts { texts } = serde_json::from_str(lines.next().unwrap()).unwrap();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for line in lines {
        let row: Row = serde_json::from_str(line).unwrap();
        for (case, pre) in row.cases.iter().zip(&row.pre) {
            let tokenizer = open_gguf(&arrays(&row, pre.as_deref()), &Settings::default()).unwrap();
            let mut check = |what: &str, ours: Vec<u32>, theirs: &[u32]| {
                checked += 1;
                if ours != theirs {
                    wrong.push(format!("{case}: {what}\n  ours     {ours:?}\n  expected {theirs:?}"));
                }
            };
            check("ends", tokenizer.frame().stop.clone(), &row.ends);
            let hidden = tokenizer.specials().iter().map(|special| special.id);
            let known = |id: &u32| row.hidden.contains(id) || tokenizer.piece(*id) != Some(b"<unk>");
            check("hidden", hidden.filter(known).collect(), &row.hidden);
            for ((text, literal), parsed) in texts.iter().zip(&row.literal).zip(&row.parsed) {
                check(&format!("{text:?}"), tokenizer.encode(text, Specials::Literal).unwrap(), literal);
                let ids = tokenizer.frame().around(&tokenizer.encode(text, Specials::Parse).unwrap());
                check(&format!("{text:?} parsed"), ids, parsed);
            }
        }
    }
    assert!(checked > 6000, "{checked}");
    assert!(
        wrong.is_empty(),
        "{} of {checked} differ\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
}

#[test]
fn a_familys_own_stops_are_kept_where_the_vocabulary_has_them() {
    let file = std::fs::read_to_string(path("gguf.json")).unwrap();
    let gguf: Gguf = serde_json::from_str(&file).unwrap();
    let stop = Some(["<|im_start|>", "<|elsewhere|>", "<|im_end|>"].map(str::to_owned).to_vec());
    let tokenizer = open_gguf(&gguf, &Settings { stop, ..Settings::default() }).unwrap();
    assert_eq!(tokenizer.frame().stop, [0, 2, 1]);
}

#[test]
fn a_file_that_names_no_split_is_told() {
    let note = |model: &str, pre: Option<&str>| {
        Gguf { model: model.into(), pre: pre.map(str::to_owned), ..Gguf::default() }.note()
    };
    assert!(note("gpt2", None).unwrap().contains("tokenizer.ggml.pre"));
    assert!(note("gpt2", Some("default")).is_some());
    assert_eq!(note("gpt2", Some("qwen2")), None);
    assert_eq!(note("llama", None), None);
}
