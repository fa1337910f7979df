//! A megabyte of mixed text, encoded and decoded by each format here and by its upstream library.
//!
//! `cargo bench -p camelid-tokenizers --features upstream`, or `--features sentencepiece` where cmake and a C++ compiler
//! are at hand. The vocabularies are the tests' small ones; real ones are measured by `cargo xtask verify-tokenizer`.

use std::error::Error;
use std::path::PathBuf;

use camelid_tokenizers::upstream::{measure, upstream};
use camelid_tokenizers::{Settings, Specials, open};

const PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const FILES: [&str; 5] =
    ["bpe.model", "unigram.model", "ranks.tiktoken", "byte-level.json", "byte-fallback.json"];

fn main() -> Result<(), Box<dyn Error>> {
    let documents = documents()?;
    let settings = Settings { pattern: Some(PATTERN.to_owned()), ..Settings::default() };
    for name in FILES {
        let path = folder().join("data").join(name);
        let ours = open(&path, &settings)?;
        let theirs = upstream(&std::fs::read(&path)?, &settings)?;
        let speed = measure(&*ours, theirs.as_ref(), &documents, Specials::Literal)?;
        let library = speed.library.unwrap_or("– (not built in)");
        println!(
            "{name:20} encode {:20} decode {:22} {library}",
            speed.encode.to_string(),
            speed.decode.to_string()
        );
    }
    Ok(())
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Documents of about four kilobytes, a megabyte in all, no two alike.
fn documents() -> Result<Vec<String>, Box<dyn Error>> {
    let text = std::fs::read_to_string(folder().join("reference/sentences.txt"))?;
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
    Ok(documents)
}
