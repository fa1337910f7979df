//! Laws that hold for any text and any ids.

use std::sync::LazyLock;

use crate::data::{path, streams_alike};
use camelid_tokenizers::{Settings, Specials, Tokenizer, open};
use proptest::prelude::*;

const PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

struct Named {
    name: &'static str,
    tokenizer: Box<dyn Tokenizer>,
}

static ALL: LazyLock<Vec<Named>> = LazyLock::new(|| {
    let names = [
        "bpe.model",
        "bpe-user.model",
        "bpe-map.model",
        "bpe-suffix.model",
        "unigram.model",
        "unigram-map.model",
        "unigram-bytes.model",
        "unigram-suffix.model",
        "ranks.tiktoken",
        "byte-level.json",
        "byte-fallback.json",
    ];
    names.map(|name| Named { name, tokenizer: tokenizer(name) }).into()
});

fn tokenizer(name: &str) -> Box<dyn Tokenizer> {
    let special = if name == "ranks.tiktoken" { "special = { \"<|special_{0..2}|>\" = 700 }" } else { "" };
    let settings: Settings = toml::from_str(special).unwrap();
    open(&path(name), &Settings { pattern: Some(PATTERN.to_owned()), ..settings }).unwrap()
}

fn by_name(name: &str) -> &'static dyn Tokenizer {
    &*ALL.iter().find(|named| named.name == name).unwrap().tokenizer
}

/// Text in which spaces, words, characters from anywhere and spelled special tokens meet.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ \\t\\n]{1,4}",
        "[a-zA-Z]{1,8}",
        "\\PC{1,4}",
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "<s>",
            "<|special_1|>",
            "<mask>",
            "<0x41>",
            "▁",
            "e\u{301}",
            "👩‍👩‍👧",
            "中文",
            "<n>"
        ])
        .prop_map(String::from),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn ids_lie_inside_the_vocabulary_and_decode(text in texts()) {
        for Named { name, tokenizer } in &*ALL {
            for specials in [Specials::Literal, Specials::Parse] {
                let ids = tokenizer.encode(&text, specials).unwrap();
                prop_assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()), "{}", name);
                prop_assert!(tokenizer.decode(&ids).is_ok(), "{}", name);
                streams_alike(&**tokenizer, &ids);
            }
        }
    }

    #[test]
    fn a_stream_of_any_ids_joins_to_the_whole(choices in proptest::collection::vec(any::<prop::sample::Index>(), 0..24)) {
        for Named { tokenizer, .. } in &*ALL {
            let known = |id: &u32| tokenizer.piece(*id).is_some();
            let ids: Vec<u32> = choices.iter().map(|c| c.index(tokenizer.vocab_size()) as u32).filter(known).collect();
            streams_alike(&**tokenizer, &ids);
        }
    }

    #[test]
    fn decoding_undoes_encoding_where_the_format_promises_it(text in texts()) {
        // Bytes are tokens, and the pattern matches all of a text.
        let ranks = by_name("ranks.tiktoken");
        prop_assert_eq!(&ranks.decode(&ranks.encode(&text, Specials::Literal).unwrap()).unwrap(), &text);
        // Bytes as fallback, spaces kept; only the symbol for a space comes back as a space.
        let plain = text.replace('▁', " ");
        for name in ["bpe.model", "bpe-user.model", "unigram-bytes.model"] {
            let model = by_name(name);
            prop_assert_eq!(&model.decode(&model.encode(&text, Specials::Literal).unwrap()).unwrap(), &plain, "{}", name);
        }
    }

    #[test]
    fn literal_text_never_becomes_a_special_token(text in texts()) {
        for Named { name, tokenizer } in ALL.iter().filter(|named| named.name != "unigram.model") {
            let ids = tokenizer.encode(&text, Specials::Literal).unwrap();
            let unknown = tokenizer.id(b"<unk>");
            let special = ids.iter().find(|id| tokenizer.specials().iter().any(|s| s.id == **id && Some(s.id) != unknown));
            prop_assert_eq!(special, None, "{}", name);
        }
    }

    #[test]
    fn ranks_are_merged_as_upstream_merges_them(text in texts()) {
        static UPSTREAM: LazyLock<tiktoken_rs::CoreBPE> = LazyLock::new(|| {
            let ranks = by_name("ranks.tiktoken");
            let tokens = (0..700).map(|id| (ranks.piece(id).unwrap().to_vec(), id));
            tiktoken_rs::CoreBPE::new(tokens.collect(), Default::default(), PATTERN).unwrap()
        });
        let ours = by_name("ranks.tiktoken").encode(&text, Specials::Literal).unwrap();
        prop_assert_eq!(ours, UPSTREAM.encode_ordinary(&text));
    }
}

#[test]
fn an_id_that_is_not_there_is_named_and_the_stream_goes_on() {
    for Named { name, tokenizer } in &*ALL {
        let size = tokenizer.vocab_size();
        let error = tokenizer.decode(&[0, size as u32]).unwrap_err();
        assert_eq!(error.to_string(), format!("id {size} is not in the vocabulary of {size} ids"), "{name}");
        let ids = tokenizer.encode("snow 雪", Specials::Literal).unwrap();
        let mut stream = tokenizer.stream();
        let mut joined = String::new();
        for &id in &ids {
            assert!(stream.push(u32::MAX).is_err());
            joined += &stream.push(id).unwrap();
        }
        joined += &stream.finish();
        assert_eq!(joined, tokenizer.decode(&ids).unwrap(), "{name}");
    }
}

#[test]
fn half_a_character_is_held_back() {
    let tokenizer = by_name("bpe.model");
    let ids = tokenizer.encode("🜁", Specials::Literal).unwrap();
    assert_eq!(ids.len(), 5, "a space and four bytes");
    let mut stream = tokenizer.stream();
    let pushed: Vec<String> = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
    assert_eq!(pushed, ["", "", "", "", "🜁"]);
    assert_eq!(stream.finish(), "");
}

#[test]
fn a_word_of_a_hundred_thousand_letters_takes_no_quadratic_time() {
    // A quadratic merge takes minutes here; this takes a fraction of a second.
    let start = std::time::Instant::now();
    for word in [
        "a".repeat(100_000),
        "ab".repeat(50_000),
        "é".repeat(50_000),
        " ".repeat(100_000),
        "=".repeat(100_000),
    ] {
        for Named { name, tokenizer } in &*ALL {
            let ids = tokenizer.encode(&word, Specials::Literal).unwrap();
            assert!(!ids.is_empty() || word.trim().is_empty(), "{name}");
            tokenizer.decode(&ids).unwrap();
        }
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn a_line_of_ten_megabytes_is_encoded() {
    let line = "All human beings are born free and equal, 人人生而自由。 ".repeat(160_000);
    assert!(line.len() > 10_000_000);
    for name in ["bpe.model", "unigram.model", "ranks.tiktoken", "byte-level.json", "byte-fallback.json"] {
        let tokenizer = by_name(name);
        assert!(tokenizer.encode(&line, Specials::Literal).unwrap().len() > 100_000);
    }
}
