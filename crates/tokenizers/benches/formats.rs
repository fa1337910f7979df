//! A megabyte of mixed text, encoded and decoded by each format here and by its upstream library.
//!
//! The vocabularies are the tests' small ones; real ones are measured by `cargo xtask verify-tokenizer`.
//! sentencepiece's own library needs a C++ compiler: it is measured in `tests/` under the feature `sentencepiece-oracle`.

use std::path::PathBuf;

use camelid_tokenizers::{Settings, Specials, Tokenizer, open};
use divan::Bencher;
use divan::counter::BytesCount;

fn main() {
    divan::main();
}

const PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const FILES: [&str; 5] =
    ["bpe.model", "unigram.model", "ranks.tiktoken", "byte-level.json", "byte-fallback.json"];

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// Documents of about four kilobytes, a megabyte in all, no two alike.
fn documents() -> Vec<String> {
    let text =
        std::fs::read_to_string(data("reference/sentences.txt")).expect("the bench brings its own data");
    let lines: Vec<&str> = text.lines().collect();
    let mut state = 1u32;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % bound
    };
    let mut documents = Vec::new();
    while documents.iter().map(String::len).sum::<usize>() < 1 << 20 {
        let mut document = String::new();
        while document.len() < 4096 {
            let words: Vec<&str> = lines[next(lines.len())].split(' ').collect();
            let from = next(words.len());
            document += &words[from..].join(" ");
            document += ["\n", " ", "\n\n    ", "  "][next(4)];
        }
        documents.push(document);
    }
    documents
}

fn tokenizer(name: &str) -> Box<dyn Tokenizer> {
    let settings = Settings { pattern: Some(PATTERN.to_owned()), ..Settings::default() };
    open(&data("data").join(name), &settings).expect("the bench brings its own data")
}

fn bytes(documents: &[String]) -> BytesCount {
    BytesCount::new(documents.iter().map(String::len).sum::<usize>())
}

#[divan::bench(args = FILES)]
fn encode(bencher: Bencher<'_, '_>, name: &str) {
    let (tokenizer, documents) = (tokenizer(name), documents());
    bencher.counter(bytes(&documents)).bench(|| {
        documents
            .iter()
            .map(|text| {
                tokenizer.encode(text, Specials::Literal).expect("the bench brings its own data").len()
            })
            .sum::<usize>()
    });
}

#[divan::bench(args = FILES)]
fn decode(bencher: Bencher<'_, '_>, name: &str) {
    let (tokenizer, documents) = (tokenizer(name), documents());
    let ids: Vec<_> = documents
        .iter()
        .map(|text| tokenizer.encode(text, Specials::Literal).expect("the bench brings its own data"))
        .collect();
    bencher.counter(bytes(&documents)).bench(|| {
        ids.iter()
            .map(|ids| tokenizer.decode(ids).expect("the bench brings its own data").len())
            .sum::<usize>()
    });
}

/// The upstream libraries on the same files and text.
mod upstream {
    use super::*;

    fn core_bpe() -> tiktoken_rs::CoreBPE {
        let ranks = tokenizer("ranks.tiktoken");
        let tokens = (0..ranks.vocab_size() as u32)
            .map(|id| (ranks.piece(id).expect("the bench brings its own data").to_vec(), id));
        tiktoken_rs::CoreBPE::new(tokens.collect(), Default::default(), PATTERN)
            .expect("the bench brings its own data")
    }

    #[divan::bench]
    fn encode_tiktoken(bencher: Bencher<'_, '_>) {
        let (upstream, documents) = (core_bpe(), documents());
        bencher
            .counter(bytes(&documents))
            .bench(|| documents.iter().map(|text| upstream.encode_ordinary(text).len()).sum::<usize>());
    }

    #[divan::bench]
    fn decode_tiktoken(bencher: Bencher<'_, '_>) {
        let (upstream, documents) = (core_bpe(), documents());
        let ids: Vec<_> = documents.iter().map(|text| upstream.encode_ordinary(text)).collect();
        bencher.counter(bytes(&documents)).bench(|| {
            ids.iter()
                .map(|ids| upstream.decode(ids).expect("the bench brings its own data").len())
                .sum::<usize>()
        });
    }

    #[divan::bench(args = ["byte-level.json", "byte-fallback.json"])]
    fn encode_json(bencher: Bencher<'_, '_>, name: &str) {
        let (upstream, documents) = (
            hf::Tokenizer::from_file(data("data").join(name)).expect("the bench brings its own data"),
            documents(),
        );
        bencher.counter(bytes(&documents)).bench(|| {
            documents
                .iter()
                .map(|text| {
                    upstream.encode(text.as_str(), false).expect("the bench brings its own data").len()
                })
                .sum::<usize>()
        });
    }

    #[divan::bench(args = ["byte-level.json", "byte-fallback.json"])]
    fn decode_json(bencher: Bencher<'_, '_>, name: &str) {
        let (upstream, documents) = (
            hf::Tokenizer::from_file(data("data").join(name)).expect("the bench brings its own data"),
            documents(),
        );
        let encode = |text: &String| {
            upstream.encode(text.as_str(), false).expect("the bench brings its own data").get_ids().to_vec()
        };
        let ids: Vec<_> = documents.iter().map(encode).collect();
        bencher.counter(bytes(&documents)).bench(|| {
            ids.iter()
                .map(|ids| upstream.decode(ids, false).expect("the bench brings its own data").len())
                .sum::<usize>()
        });
    }
}
