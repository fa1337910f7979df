//! sentencepiece models against what sentencepiece 0.2.3 makes of the same strings: `reference/make.py` wrote it.

use crate::data::{check_ids, check_runs, path};
use camelid_tokenizers::{AddedToken, Settings, Specials, Tokenizer, open};

fn tokenizer(name: &str) -> Box<dyn Tokenizer> {
    open(&path(&format!("{name}.model")), &Settings::default()).unwrap()
}

fn check(name: &str) {
    let tokenizer = tokenizer(name);
    check_ids(name, &*tokenizer, Specials::Literal);
    let model = camelid_tokenizers::sentencepiece::Model::from_bytes(
        &std::fs::read(path(&format!("{name}.model"))).unwrap(),
    );
    check_runs(name, &model.unwrap());
}

#[test]
fn bpe_with_bytes_and_a_dummy_prefix() {
    check("bpe");
}

#[test]
fn bpe_with_user_defined_pieces() {
    check("bpe-user");
}

#[test]
fn bpe_with_a_map_and_unknown_pieces() {
    check("bpe-map");
}

#[test]
fn bpe_with_the_space_as_suffix() {
    check("bpe-suffix");
}

#[test]
fn unigram_with_nmt_nfkc() {
    check("unigram");
}

#[test]
fn unigram_with_a_map_and_unknown_pieces() {
    check("unigram-map");
}

#[test]
fn unigram_with_bytes() {
    check("unigram-bytes");
}

#[test]
fn unigram_with_the_space_as_suffix() {
    check("unigram-suffix");
}

#[test]
fn bpe_with_unused_pieces_and_equal_scores() {
    check("bpe-unused");
}

#[test]
fn unigram_with_unused_pieces_and_equal_scores() {
    check("unigram-unused");
}

fn token(id: u32, content: &str) -> AddedToken {
    AddedToken {
        id,
        content: content.to_owned(),
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
    }
}

#[test]
fn an_added_token_that_the_vocabulary_has_keeps_its_id_there() {
    let file = path("bpe.model");
    let plain = open(&file, &Settings::default()).unwrap();
    let (own, size) = (plain.id(b"he").expect("a piece"), plain.vocab_size() as u32);
    let added = vec![token(size, "<|new|>"), token(size + 1, "he")];
    let tokenizer = open(&file, &Settings { added, ..Settings::default() }).unwrap();
    assert_eq!(tokenizer.id(b"he"), Some(own));
    assert_eq!(tokenizer.id(b"<|new|>"), Some(size));
    assert!(tokenizer.encode("x<|new|>he", Specials::Parse).unwrap().ends_with(&[size, own]));
}

#[test]
fn a_stop_that_the_folder_s_own_tokens_lack_is_none_and_a_declared_one_is_an_error() {
    let file = path("bpe.model");
    let size = open(&file, &Settings::default()).unwrap().vocab_size() as u32;
    let stop = Some(vec!["</s>".to_owned(), "<|later|>".to_owned()]);
    let added = vec![token(size, "<|earlier|>")];
    let opened = open(&file, &Settings { added, stop: stop.clone(), ..Settings::default() }).unwrap();
    assert_eq!(opened.frame().stop, [opened.id(b"</s>").unwrap()]);
    let error = open(&file, &Settings { stop, ..Settings::default() }).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("tokenizer.stop") && error.contains("<|later|>"), "{error}");
}
