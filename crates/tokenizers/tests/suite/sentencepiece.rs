//! sentencepiece models against what sentencepiece 0.2.3 makes of the same strings: `reference/make.py` wrote it.

use crate::data::{check_ids, check_runs, path};
use camelid_tokenizers::{Settings, Specials, Tokenizer, open};

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
