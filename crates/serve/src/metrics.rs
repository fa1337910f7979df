//! What is counted, in Prometheus' text form.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Labels of a request: its path and the status of its answer.
type Labels = [(&'static str, String); 2];

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    prompt_tokens: Counter,
    cached_tokens: Counter,
    generated_tokens: Counter,
    running: Gauge,
    waiting: Gauge,
    prefix_bytes: Gauge,
    first_token: Histogram,
    whole: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let seconds = || Histogram::new([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]);
        let mut all = Metrics {
            registry: Registry::with_prefix("camelid"),
            requests: Family::default(),
            prompt_tokens: Counter::default(),
            cached_tokens: Counter::default(),
            generated_tokens: Counter::default(),
            running: Gauge::default(),
            waiting: Gauge::default(),
            prefix_bytes: Gauge::default(),
            first_token: seconds(),
            whole: seconds(),
        };
        let to = &mut all.registry;
        to.register("requests", "Requests answered, by path and status", all.requests.clone());
        to.register("prompt_tokens", "Tokens of prompts that were computed", all.prompt_tokens.clone());
        to.register("cached_tokens", "Tokens of prompts that were known", all.cached_tokens.clone());
        to.register("generated_tokens", "Tokens generated", all.generated_tokens.clone());
        to.register("running", "Prompts that are read and texts that go on", all.running.clone());
        to.register("waiting", "Prompts that wait for a place", all.waiting.clone());
        to.register("prefix_bytes", "Bytes of remembered prompts", all.prefix_bytes.clone());
        to.register("first_token_seconds", "From a request to its first token", all.first_token.clone());
        to.register("request_seconds", "From a request to its end", all.whole.clone());
        all
    }

    /// All of it as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    pub(crate) fn answered(&self, path: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&[("path", path.to_owned()), ("status", status.to_string())]).inc();
        self.whole.observe(took.as_secs_f64());
    }

    pub(crate) fn first_token(&self, took: Duration) {
        self.first_token.observe(took.as_secs_f64());
    }

    pub(crate) fn read(&self, tokens: usize) {
        self.prompt_tokens.inc_by(tokens as u64);
    }

    pub(crate) fn cached(&self, tokens: usize) {
        self.cached_tokens.inc_by(tokens as u64);
    }

    pub(crate) fn generated(&self, tokens: usize) {
        self.generated_tokens.inc_by(tokens as u64);
    }

    pub(crate) fn state(&self, running: usize, waiting: usize, prefix_bytes: usize) {
        self.running.set(running as i64);
        self.waiting.set(waiting as i64);
        self.prefix_bytes.set(prefix_bytes as i64);
    }
}
