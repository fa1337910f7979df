//! What is served, and within which limits.

use std::sync::Arc;
use std::time::Duration;

use camelid_families::{Architecture, Model};
use camelid_generate::{Chat, Defaults, Opened, WhichTemplate, memory};
use camelid_tokenizers::Tokenizer;

/// A model with all that stands around it.
#[derive(Debug)]
pub struct Setup {
    /// The name that requests call it by.
    pub name: String,
    /// The model.
    pub model: Model,
    /// Its tokenizer.
    pub tokenizer: Arc<dyn Tokenizer>,
    /// How conversations are written; or why there are none.
    pub chat: Result<Chat, String>,
    /// What the checkpoint says of how to generate.
    pub defaults: Defaults,
    /// Bytes of its weights.
    pub weights: u64,
}

/// What bounds the work. Everything is told at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Texts that go on at once.
    pub parallel: usize,
    /// Texts that wait beyond these.
    pub queue: usize,
    /// The longest sequence, in tokens.
    pub context: usize,
    /// Bytes of caches of all texts at once.
    pub memory: u64,
    /// Bytes of read prompts that are remembered.
    pub prefixes: usize,
    /// Bytes of a request's body.
    pub body: usize,
    /// Connections at once.
    pub connections: usize,
    /// How long an answer may take, its wait among it.
    pub timeout: Duration,
    /// How long a request's head, and then its body, may take to arrive.
    pub arrival: Duration,
}

/// The longest sequence where nobody says how long, and the checkpoint does not say less.
const CONTEXT: usize = 8192;

impl Setup {
    /// What was opened, with its loaded model. Without a name it is called as its folder or file is.
    ///
    /// # Errors
    /// No tokenizer, or a generation_config.json that can't be read.
    pub fn new(
        opened: &Opened,
        model: Model,
        name: Option<String>,
    ) -> Result<Setup, camelid_generate::Error> {
        let tokenizer: Arc<dyn Tokenizer> = opened.tokenizer()?.into();
        let chat = opened.template(&*tokenizer, &WhichTemplate::default());
        let path = opened.path();
        let own = || {
            let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
            name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
        };
        Ok(Setup {
            name: name.unwrap_or_else(own),
            model,
            tokenizer,
            chat: chat.map_err(|error| error.to_string()),
            defaults: opened.defaults()?,
            weights: opened.checkpoint().tensors().map(|tensor| tensor.byte_len() as u64).sum(),
        })
    }
}

impl Limits {
    /// Limits that suit a model on this machine: of the memory that is free beside its weights, half is for texts and an
    /// eighth for remembered prompts.
    #[must_use]
    pub fn for_model(architecture: &Architecture, weights: u64) -> Limits {
        let free = memory::free().unwrap_or(4 << 30);
        let beside = free.saturating_sub(weights).max(free / 8);
        Limits {
            parallel: 8,
            queue: 64,
            context: architecture.stack.context.map_or(CONTEXT, |context| context.min(CONTEXT)),
            memory: beside / 2,
            prefixes: usize::try_from(beside / 8).unwrap_or(usize::MAX),
            body: 4 << 20,
            connections: 512,
            timeout: Duration::from_secs(600),
            arrival: Duration::from_secs(30),
        }
    }
}
