//! The small model that the tests run.

use std::path::PathBuf;

use camelid_families::{Backend, Library, Model};
use camelid_generate::{How, Opened};
use camelid_tokenizers::Tokenizer;

pub(crate) struct Stories {
    pub(crate) model: Model,
    pub(crate) tokenizer: Box<dyn Tokenizer>,
}

pub(crate) fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/models/stories260k"))
}

pub(crate) fn load() -> Stories {
    let library = Library::built_in().expect("the families");
    let opened = Opened::open(&library, &path().display().to_string(), &How::default()).expect("it opens");
    let model = opened.model(Backend::serial(), &mut |_, _| {}).expect("it loads");
    Stories { model, tokenizer: opened.tokenizer().expect("its tokenizer") }
}
