//! Options of chance.

use camelid_generate::{Sampling, any_seed};

use crate::commands::options::number::{at_least, not_negative, positive, probability, whole};

/// How the next token is chosen. What is not given is as the checkpoint's generation_config.json says.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct SamplingArgs {
    /// Divide logits by this before drawing; 0 takes the likeliest
    #[arg(long, visible_alias = "temp", value_name = "T", value_parser = not_negative, allow_negative_numbers = true)]
    pub temperature: Option<f32>,
    /// Draw among the K likeliest; 0 is all [default: as generation_config.json says, else 50, as transformers has it]
    #[arg(long, value_name = "K", value_parser = at_least(0), allow_negative_numbers = true)]
    pub top_k: Option<usize>,
    /// Draw among the likeliest that together reach the probability P
    #[arg(long, value_name = "P", value_parser = probability, allow_negative_numbers = true)]
    pub top_p: Option<f32>,
    /// Draw among those with at least P times the probability of the likeliest
    #[arg(long, value_name = "P", value_parser = probability, allow_negative_numbers = true)]
    pub min_p: Option<f32>,
    /// Divide (where negative, multiply) the logits of tokens seen by this
    #[arg(long, value_name = "R", value_parser = positive, allow_negative_numbers = true)]
    pub repetition_penalty: Option<f32>,
    /// Begin the stream of chance here [default: anywhere]
    #[arg(short, long, value_name = "N", value_parser = whole(0, u64::MAX), allow_negative_numbers = true)]
    pub seed: Option<u64>,
}

impl SamplingArgs {
    /// The options over what the checkpoint says.
    pub(super) fn over(&self, said: Sampling) -> Sampling {
        let Self { temperature, top_k, top_p, min_p, repetition_penalty, seed } = *self;
        Sampling {
            temperature: temperature.unwrap_or(said.temperature),
            top_k: top_k.unwrap_or(said.top_k),
            top_p: top_p.unwrap_or(said.top_p),
            min_p: min_p.unwrap_or(said.min_p),
            repetition_penalty: repetition_penalty.unwrap_or(said.repetition_penalty),
            seed: seed.unwrap_or_else(any_seed),
        }
    }

    /// Whether options are given that mean nothing where the likeliest token is taken.
    pub(super) fn is_of_chance(&self) -> bool {
        self.top_k.is_some() || self.top_p.is_some() || self.min_p.is_some() || self.seed.is_some()
    }
}
