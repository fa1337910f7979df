//! Files that are cut off, changed or made to hurt: an error that says what is wrong, never a panic.

use crate::data::path;
use camelid_tokenizers::{Settings, Specials, from_bytes};

fn settings() -> Settings {
    Settings { pattern: Some(r"\s?\S+|\s+(?!\S)|\s+".to_owned()), ..Settings::default() }
}

/// Opens the bytes and, where that works, uses what came out.
fn try_out(file: &[u8]) -> bool {
    let Ok(tokenizer) = from_bytes(file, &settings()) else { return false };
    for text in ["", " a  b\n", "Human beings, 人人 \u{301}👍🏽 ﬁ㍿", "<s>\0"] {
        for specials in [Specials::Literal, Specials::Parse] {
            if let Ok(ids) = tokenizer.encode(text, specials) {
                tokenizer.decode(&ids).unwrap();
            }
        }
    }
    for id in (0..tokenizer.vocab_size() as u32).step_by(7) {
        let _ = tokenizer.decode(&[id, id]);
    }
    true
}

const FILES: [&str; 6] = [
    "bpe-user.model",
    "unigram-map.model",
    "unigram.model",
    "ranks.tiktoken",
    "byte-level.json",
    "byte-fallback.json",
];

#[test]
fn a_file_that_is_cut_off_is_refused_or_works() {
    for name in FILES {
        let file = std::fs::read(path(name)).unwrap();
        assert!(try_out(&file), "{name}");
        for end in (0..file.len()).step_by(file.len() / 97 + 1) {
            try_out(&file[..end]);
        }
    }
}

#[test]
fn a_file_with_a_changed_byte_is_refused_or_works() {
    let mut state = 7u32;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 7) as usize % bound
    };
    for name in FILES {
        let file = std::fs::read(path(name)).unwrap();
        for _ in 0..200 {
            let mut changed = file.clone();
            for _ in 0..=next(3) {
                let at = next(file.len());
                changed[at] = next(256) as u8;
            }
            try_out(&changed);
        }
    }
}

fn refused(file: &[u8], expected: &str) {
    let error = from_bytes(file, &settings()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_is_no_tokenizer_is_refused() {
    let expected = "neither a sentencepiece model, nor tiktoken ranks, nor a tokenizer.json";
    for file in [&b""[..], b"GGUF", b"hello world", b"\x80\x02}q\x00", &[0xFF; 40]] {
        refused(file, expected);
    }
}

/// Ranks of all bytes, then `lines`.
fn ranks(lines: &str) -> Vec<u8> {
    // The test vocabulary begins with all bytes, in order.
    let file = std::fs::read_to_string(path("ranks.tiktoken")).unwrap();
    let bytes: Vec<&str> = file.lines().take(256).collect();
    format!("{}\n{lines}", bytes.join("\n")).into_bytes()
}

#[test]
fn ranks_that_are_no_permutation_are_refused() {
    assert!(try_out(&ranks("YWI= 256\nYWJj 257\n")));
    refused(&ranks("YWI= 257\n"), "tiktoken ranks, line 257: the ranks are no permutation: 256 is missing");
    refused(&ranks("YWI= 255\n"), "tiktoken ranks, line 257: the ranks are no permutation: 255 stands twice");
    refused(&ranks("YQ== 256\n"), "tiktoken ranks, line 257: the token of rank 256 is also that of rank 97");
    refused(
        &ranks("YWI= -1\n"),
        "tiktoken ranks, line 257: the rank \"-1\" is no number: invalid digit found in string",
    );
    refused(&ranks("YWI=\n"), "tiktoken ranks, line 257: a token, a space and its rank are expected");
    refused(
        &ranks("Y!== 256\n"),
        "tiktoken ranks, line 257: the token is no base64: Invalid symbol 33, offset 1.",
    );
    refused(b"YQ== 0\n", "tiktoken ranks, line 0: the byte 0x00 is no token");
}

/// A protobuf field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 128 {
        field.push(length as u8 | 128);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(bytes);
    field
}

fn piece(text: &str, kind: u8) -> Vec<u8> {
    field(1, &[field(1, text.as_bytes()), vec![0x18, kind]].concat())
}

#[test]
fn models_that_break_their_own_rules_are_refused() {
    let unknown = piece("<unk>", 2);
    let bpe = field(2, &[0x18, 2]);
    let model = |pieces: &[Vec<u8>]| {
        [std::slice::from_ref(&unknown), pieces, std::slice::from_ref(&bpe)].concat().concat()
    };
    assert!(try_out(&model(&[piece("a", 1), piece("ab", 1)])));
    let check = |pieces: &[Vec<u8>], expected: &str| {
        refused(&model(pieces), &format!("sentencepiece model: {expected}"));
    };
    check(&[], "there is no piece to match");
    check(&[piece("", 1)], "piece 1 is empty");
    check(&[piece("a", 1), piece("a", 4)], "piece 2 \"a\" is already piece 1");
    check(&[piece("a", 1), piece("b", 2)], "piece 2 \"b\" is a second unknown piece");
    check(&[piece("a", 9)], "piece 1 is of the unknown type 9");
    check(
        &[piece("<0x41>", 6), piece("a", 1)],
        "piece 1 \"<0x41>\" is a byte, but the model says that it has none",
    );
    check(&[piece(&"a".repeat(2000), 1)], "piece 1 is longer than 1024 bytes");
    check(&[piece("a", 1), field(2, &[0x98, 2, 1])], "the byte piece <0x00> is missing");
    check(&[piece("a", 1), field(3, &field(2, b"abc"))], "the map of characters is cut off");
    refused(&piece("a", 1), "sentencepiece model: there is no unknown piece");
    refused(&[0x0A, 0x7F, 0x0A], "sentencepiece model: ends inside a field");
    refused(
        &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        "sentencepiece model: a varint passes 64 bits",
    );
}

#[test]
fn json_that_contradicts_itself_is_refused() {
    let check = |change: fn(&mut serde_json::Value), expected: &str| {
        let mut file = serde_json::from_slice(&std::fs::read(path("byte-level.json")).unwrap()).unwrap();
        change(&mut file);
        let error = from_bytes(&serde_json::to_vec(&file).unwrap(), &settings()).unwrap_err().to_string();
        assert!(error.starts_with("tokenizer.json: ") && error.contains(expected), "{error}");
    };
    check(|file| file["model"]["vocab"]["Ġ"] = 20_000_000.into(), "the id 20000000 is beyond any vocabulary");
    check(|file| file["model"]["vocab"]["Ġ"] = (-1).into(), "");
    check(|file| file["model"]["merges"][0] = serde_json::json!(["nowhere", "to be found"]), "nowhere");
    check(|file| file["model"]["merges"][0] = serde_json::json!("a"), "");
    check(|file| file["decoder"]["type"] = "WordPiece".into(), "is not supported");
    check(|file| file["version"] = "2.0".into(), "2.0");
    check(|file| file["model"]["type"] = "Unheard".into(), "");
    check(|file| file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(".into(), "");
    // As deep as a stack.
    let deep = format!("{{\"decoder\":{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let error = from_bytes(deep.as_bytes(), &settings()).unwrap_err().to_string();
    assert!(error.contains("recursion limit"), "{error}");
}

#[test]
fn an_added_token_that_takes_whitespace_takes_no_quadratic_time() {
    let mut file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path("byte-level.json")).unwrap()).unwrap();
    let added = |id: u32, content: &str, left: bool| {
        serde_json::json!({
            "id": id, "content": content, "single_word": false, "lstrip": left, "rstrip": !left, "normalized": false,
            "special": false,
        })
    };
    let tokens = file["added_tokens"].as_array_mut().unwrap();
    tokens.extend([added(705, "\t", true), added(706, "\n", false)]);
    let tokenizer = from_bytes(&serde_json::to_vec(&file).unwrap(), &settings()).unwrap();
    let start = std::time::Instant::now();
    for text in ["\t", "\n", "\t\n", "  \n"] {
        assert!(tokenizer.encode(&text.repeat(500_000), Specials::Parse).unwrap().len() >= 500_000);
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn settings_that_do_not_fit_the_file_are_refused() {
    let file = std::fs::read(path("bpe.model")).unwrap();
    let check = |settings: &str, expected: &str| {
        let error = from_bytes(&file, &toml::from_str(settings).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check("special = { \"<s>\" = 2 }", "tokenizer.special.\"<s>\": is 2 here and 1 in the file");
    check(
        "special = { \"<mask>\" = 3 }",
        "tokenizer.special.\"<mask>\": has the id 3, which is \"<0x00>\" in the file",
    );
    check(
        "prefix = [\"<bos>\"]",
        "tokenizer.prefix: the vocabulary has no \"<bos>\", nor is it a special token",
    );
    check("offset = 4294967295", "tokenizer.offset: 4294967295 leaves no room for the vocabulary");
    check(
        "special = { \"<mask>\" = 4294967295 }",
        "tokenizer.special.\"<mask>\": the id 4294967295 is beyond any vocabulary",
    );
}

#[test]
fn a_directory_without_a_vocabulary_says_what_it_looked_for() {
    let directory = tempfile::tempdir().unwrap();
    let error = camelid_tokenizers::open(directory.path(), &Settings::default()).unwrap_err();
    let expected = format!(
        "{} holds no tokenizer: looked for tokenizer.json, tokenizer.model, vocab.json",
        directory.path().display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_file_of_another_kind_than_declared_is_refused() {
    let settings: Settings = toml::from_str("files = [{ name = \"x\", kind = \"tiktoken\" }]").unwrap();
    let error = camelid_tokenizers::open(&path("bpe.model"), &settings).unwrap_err();
    assert!(
        error.to_string().ends_with("holds a sentencepiece model, but the settings say tiktoken ranks"),
        "{error}"
    );
}

#[test]
fn a_pointer_of_git_lfs_is_passed_over_or_named() {
    let directory = tempfile::tempdir().unwrap();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 17525357\n";
    std::fs::write(directory.path().join("tokenizer.json"), pointer).unwrap();
    let error = camelid_tokenizers::open(directory.path(), &Settings::default()).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json: only a git-LFS pointer"), "{error}");
    std::fs::copy(path("bpe.model"), directory.path().join("tokenizer.model")).unwrap();
    let tokenizer = camelid_tokenizers::open(directory.path(), &Settings::default()).unwrap();
    assert_eq!(tokenizer.id(b"</s>"), Some(2));
}

#[test]
fn a_pair_that_does_not_fit_is_refused() {
    let check = |vocab: &str, merges: &str, expected: &str| {
        let settings = Settings::default();
        let error =
            camelid_tokenizers::from_pair(vocab.as_bytes(), merges.as_bytes(), &settings).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("{\"a\": 0", "", "vocab.json and merges.txt: vocab.json: EOF");
    check("{\"a\": -1}", "", "vocab.json: invalid value");
    check("{\"a\": 0}", "ab\n", "merges.txt, line 1: two pieces and a space are expected");
    check("{\"a\": 4294967295}", "", "vocab.json and merges.txt: ");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("vocab.json"), "{\"a\": 0}").unwrap();
    let error = camelid_tokenizers::open(directory.path(), &Settings::default()).unwrap_err().to_string();
    assert!(error.ends_with("there is no merges.txt beside it"), "{error}");
}
