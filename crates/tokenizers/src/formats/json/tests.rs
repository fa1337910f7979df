//! The engine here against Hugging Face's `tokenizers`, file by file, on text made up on the spot.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::*;

fn data(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn bytes(file: &Value) -> Vec<u8> {
    serde_json::to_vec(file).unwrap()
}

fn byte_level(change: impl Fn(&mut Value)) -> Value {
    let mut file = data("byte-level.json");
    change(&mut file);
    file
}

fn byte_fallback(change: impl Fn(&mut Value)) -> Value {
    let mut file = data("byte-fallback.json");
    change(&mut file);
    file
}

/// Adds a token beyond all others; `flags` are `single_word`, `lstrip`, `rstrip`, `normalized`, `special`.
fn add(file: &mut Value, content: &str, flags: [bool; 5]) {
    let id = file["model"]["vocab"].as_object().unwrap().len();
    let own = |token: &&Value| file["model"]["vocab"].get(token["content"].as_str().unwrap()).is_none();
    let beyond = id + file["added_tokens"].as_array().unwrap().iter().filter(own).count();
    let known = file["model"]["vocab"].get(content).cloned();
    let id = known.unwrap_or_else(|| json!(beyond));
    let [single_word, lstrip, rstrip, normalized, special] = flags;
    file["added_tokens"].as_array_mut().unwrap().push(json!({
        "id": id, "content": content, "single_word": single_word, "lstrip": lstrip, "rstrip": rstrip,
        "normalized": normalized, "special": special,
    }));
}

/// Every kind of added token.
fn add_all(file: &mut Value) {
    let mut bit = 0u32;
    for content in
        ["<m>", "<l>", "<r>", "<lr>", "<w>", "word", "  ", "\n", "<n>", "é", "<x> <y>", " <s>", "<", "<m><l>"]
    {
        bit = bit.wrapping_mul(5).wrapping_add(11);
        let flag = |at: u32| bit >> at & 1 == 1;
        let flags = match content {
            "<l>" => [false, true, false, false, true],
            "<r>" => [false, false, true, false, true],
            "<lr>" => [false, true, true, false, false],
            "<w>" | "word" => [true, false, false, false, false],
            "  " => [false, false, true, false, false],
            "<n>" => [false, true, true, true, true],
            "é" | "<x> <y>" => [false, false, false, true, false],
            _ => [flag(1), flag(2), flag(3), flag(4), flag(5)],
        };
        add(file, content, flags);
    }
}

const METASPACE: &str =
    r#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}"#;

/// Files that are run here: one of the tests' own, and what is changed in it.
const USUAL: [(&str, &[(&str, &str)]); 12] = [
    ("byte-level.json", &[]),
    (
        "byte-level.json",
        &[
            ("/normalizer", "null"),
            ("/pre_tokenizer", r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}"#),
        ],
    ),
    ("byte-level.json", &[("/model/ignore_merges", "true")]),
    (
        "byte-level.json",
        &[("/pre_tokenizer/pretokenizers/0", r#"{"type": "Digits", "individual_digits": true}"#)],
    ),
    (
        "byte-level.json",
        &[(
            "/pre_tokenizer",
            r#"{"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"}, "behavior": "Isolated", "invert": false},
                {"type": "Split", "pattern": {"String": "a."}, "behavior": "Isolated", "invert": false},
                {"type": "Split", "pattern": {"Regex": "[a-z]+|\\s+|[^a-z\\s]+"}, "behavior": "Removed", "invert": true},
                {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}
            ]}"#,
        )],
    ),
    ("byte-fallback.json", &[]),
    (
        "byte-fallback.json",
        &[(
            "/normalizer",
            r#"{"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
            ]}"#,
        )],
    ),
    (
        "byte-fallback.json",
        &[(
            "/pre_tokenizer",
            r#"{"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false}"#,
        )],
    ),
    ("byte-fallback.json", &[("/model/byte_fallback", "false")]),
    ("byte-fallback.json", &[("/model/byte_fallback", "false"), ("/model/fuse_unk", "false")]),
    ("byte-fallback.json", &[("/normalizer", "null"), ("/pre_tokenizer", METASPACE)]),
    (
        "byte-fallback.json",
        &[
            ("/normalizer", "null"),
            ("/pre_tokenizer", r#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}"#),
            ("/model/byte_fallback", "false"),
        ],
    ),
];

/// Text in which whatever the files above look for meets.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ \\t\\n\u{a0}\u{3000}]{1,4}",
        "[a-zA-Z]{1,8}",
        "[0-9٣½]{1,5}",
        "\\PC{1,4}",
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "<m>",
            "<l>",
            "<r>",
            "<lr>",
            "<w>",
            "word",
            "<n>",
            "<x> <y>",
            "<x>▁<y>",
            " <s>",
            "<s>",
            "<m><l>",
            "<|special_1|>",
            "<|mask|>",
            "<tool>",
            "<mask>",
            "<unk>",
            "<0x41>",
            "▁",
            "▁▁",
            "e\u{301}",
            "a.",
            "中文",
            "👩‍👩‍👧",
            "human beings",
            "'s",
            "\r\n",
        ])
        .prop_map(String::from),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Holds a file's ids and frame to the library's, with special tokens as tokens and as text.
fn check(name: &str, file: &[u8], cases: u32) {
    let ours = Json::from_bytes(file).unwrap();
    if let (Engine::Library(_), Err(unusual)) = (&ours.engine, read::read(file, &ours.scheme)) {
        panic!("{name}: {unusual}");
    }
    let theirs = Library::load(file, &ours.scheme).unwrap();
    assert_eq!((&ours.specials, &ours.frame), (&theirs.specials, &theirs.frame), "{name}");
    assert_eq!(ours.pieces.len(), theirs.pieces.len(), "{name}");
    assert!((0..ours.pieces.len() as u32).all(|id| ours.pieces.get(id) == theirs.pieces.get(id)), "{name}");
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
        .run(&texts(), |text| {
            for specials in [Specials::Parse, Specials::Literal] {
                let mut expected = Vec::new();
                theirs.engine.encode(&text, specials, &mut expected).unwrap();
                prop_assert_eq!(ours.encode(&text, specials).unwrap(), expected, "{:?}", specials);
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[test]
fn usual_files_are_encoded_as_the_library_encodes_them() {
    for (base, changes) in USUAL {
        let mut file = data(base);
        for (pointer, value) in changes {
            *file.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap();
        }
        let name = format!("{base} {changes:?}");
        check(&name, &bytes(&file), 256);
        add_all(&mut file);
        check(&format!("{name} with added tokens"), &bytes(&file), 256);
    }
}

#[test]
fn merges_are_read_in_both_spellings_and_the_last_of_two_stands() {
    for (base, old) in [("byte-level.json", false), ("byte-fallback.json", true)] {
        let mut file = data(base);
        let merges = file["model"]["merges"].as_array_mut().unwrap();
        merges.push(merges[0].clone());
        merges.swap(3, 40);
        let line = |merge: &Value| format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap());
        if old {
            merges.iter_mut().for_each(|merge| *merge = json!(line(merge)));
        }
        check(base, &bytes(&file), 256);
    }
}

#[test]
fn real_files_are_encoded_as_the_library_encodes_them() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
    let assets = std::env::var_os("CAMELID_ASSETS").map_or(beside, PathBuf::from);
    let folders = std::fs::read_dir(&assets).into_iter().flatten().flatten();
    let files: Vec<_> =
        folders.map(|folder| folder.path().join("tokenizer.json")).filter(|file| file.is_file()).collect();
    if files.is_empty() {
        let place = assets.display();
        eprintln!(
            "\n*** NOT RUN: {place} holds no tokenizer.json (cargo xtask assets tokenizers fetches two) ***\n"
        );
    }
    for file in files {
        check(&file.display().to_string(), &std::fs::read(&file).unwrap(), 1000);
    }
}

#[test]
fn composition_is_the_library_s_for_every_character() {
    use hf::{NormalizedString, Normalizer};
    let all = (char::MIN..=char::MAX).collect::<Vec<_>>();
    let library = hf::normalizers::NFC;
    for characters in all.chunks(64) {
        for behind in ["", "\u{301}", "\u{323}\u{307}"] {
            let text: String = characters
                .iter()
                .flat_map(|character| [*character].into_iter().chain(behind.chars()))
                .collect();
            let mut expected = NormalizedString::from(&*text);
            library.normalize(&mut expected).unwrap();
            assert_eq!(crate::text::unicode::nfc_of_hf(&text), expected.get(), "{characters:?}");
        }
    }
}

/// The file falls to the library, which says what of it is unusual; and where it loads, it encodes.
fn falls_back(file: &Value, expected: &str) {
    let json = Json::from_bytes(&bytes(file)).unwrap_or_else(|error| panic!("{expected}: {error}"));
    assert!(matches!(json.engine, Engine::Library(_)), "run here: {expected}");
    let unusual = read::read(&bytes(file), &json.scheme).map(drop).unwrap_err();
    assert!(unusual.contains(expected), "{unusual}, not {expected}");
    json.encode("human beings", Specials::Literal).unwrap();
}

#[test]
fn whatever_is_unusual_goes_to_the_library() {
    let level = |change: fn(&mut Value), expected: &str| falls_back(&byte_level(change), expected);
    level(
        |file| file["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = json!(true),
        "the pre-tokenizer",
    );
    level(
        |file| file["pre_tokenizer"]["pretokenizers"][0]["behavior"] = json!("Contiguous"),
        "unknown variant",
    );
    level(|file| file["pre_tokenizer"]["pretokenizers"][0]["invert"] = json!(true), "a split");
    level(|file| file["normalizer"] = json!({"type": "NFKC"}), "unknown variant `NFKC`");
    level(|file| file["normalizer"] = json!({"type": "NFC", "form": 1}), "unknown field `form`");
    level(|file| file["model"]["dropout"] = json!(0.1), "dropout");
    level(|file| file["model"]["end_of_word_suffix"] = json!("</w>"), "an affix");
    level(|file| file["added_tokens"][0]["novelty"] = json!(1), "unknown field `novelty`");
    level(|file| file["added_tokens"][0]["id"] = json!(9000), "an added token");
    let fallback = |change: fn(&mut Value), expected: &str| falls_back(&byte_fallback(change), expected);
    fallback(|file| file["model"]["ignore_merges"] = json!(true), "a whole text");
    fallback(
        |file| {
            let vocab = file["model"]["vocab"].as_object_mut().unwrap();
            let byte = vocab.shift_remove("<0xE4>").unwrap();
            vocab.insert("none".into(), byte);
        },
        "a byte without a token",
    );
    fallback(|file| file["pre_tokenizer"] = serde_json::from_str(METASPACE).unwrap(), "the pre-tokenizer");
    fallback(
        |file| file["normalizer"] = json!({"type": "Replace", "pattern": {"Regex": " +"}, "content": "▁"}),
        "a replaced pattern",
    );
}
