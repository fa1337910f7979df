//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{SystemTime, UNIX_EPOCH};

use camelid_families::Architecture;
use camelid_generate::{Chat, Defaults};
use camelid_tokenizers::Tokenizer;

use crate::answered::shape::Kind;
use crate::answered::spelling::Spelling;
use crate::engine::job::Job;
use crate::engine::place::Places;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::setup::Limits;
use crate::web::access::Guard;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) created: u64,
    pub(crate) architecture: Architecture,
    pub(crate) tokenizer: Arc<dyn Tokenizer>,
    pub(crate) spelling: Spelling,
    pub(crate) chat: Result<Chat, String>,
    pub(crate) defaults: Defaults,
    pub(crate) limits: Limits,
    pub(crate) guard: Guard,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) places: Places,
    pub(crate) jobs: Sender<Job>,
    pub(crate) stopping: AtomicBool,
    pub(crate) answers: AtomicU64,
}

impl App {
    /// Refuses what is asked of another model.
    pub(crate) fn is_served(&self, model: &str) -> Result<(), Error> {
        if model == self.name {
            return Ok(());
        }
        let asked: String = model.chars().take(128).collect();
        let message = format!("the model `{asked}` does not exist here; this server has `{}`", self.name);
        let error = Error::new(404, "invalid_request_error", message).coded("model_not_found");
        Err(Error { param: Some("model".into()), ..error })
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// A name for an answer, used once.
    pub(crate) fn answer_id(&self, kind: Kind) -> String {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        format!("{}-{:08x}{number:08x}", kind.prefix(), self.created as u32)
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
