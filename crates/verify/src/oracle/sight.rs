//! What a run of the second implementation is told, and what it shows.

use std::collections::HashMap;

use camelid_families::{Architecture, Tap};
use ndarray::Array2;

use crate::error::Error;

/// Keys and values of the layers that have some, for later layers to read.
pub(crate) type Kept = HashMap<usize, (Array2<f64>, Array2<f64>)>;

/// Sees each value, and gives the one to go on with, or breaks the run off.
pub(crate) type Hook<'h> = &'h mut dyn FnMut(Tap, Array2<f64>) -> Result<Array2<f64>, Halt>;

/// Why a run ended before its logits.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Whoever watched has seen enough.
    Enough,
    /// It can't be computed.
    Wrong(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Wrong(error)
    }
}

/// For each token, how many tokens the text had at the end of the call that brought it.
#[derive(Debug, Clone)]
pub(crate) struct Sight(pub(crate) Vec<usize>);

impl Sight {
    /// All in one call.
    pub(crate) fn whole(tokens: usize) -> Sight {
        Sight(vec![tokens; tokens])
    }

    /// A prompt in one call, then token by token.
    pub(crate) fn decoding(prompt: usize, tokens: usize) -> Sight {
        Sight((0..tokens).map(|token| prompt.max(token + 1)).collect())
    }
}

/// A slip that no declaration can say: what wrong code might compute instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quirk {
    /// None: the declaration as it is.
    None,
    /// Query head h reads kv head h mod kv_heads.
    KvHeadsByTurns,
    /// x / (√(mean x²) + eps).
    EpsOutsideRoot,
    /// Rotary turns run the other way.
    TurnedBackwards,
    /// YaRN's slow pairs keep their frequency, and its fast ones are divided by the factor.
    RampReversed,
    /// A delta net's decay is −e^A · (a + b).
    DecayWithoutSoftplus,
    /// A delta net's β is what is projected, without σ.
    RateNotSquashed,
    /// A delta net's queries and keys keep their lengths.
    KeysOfAnyLength,
    /// A delta net's convolutions end one token too early.
    ConvolutionLate,
    /// A delta net starts each chunk of 64 tokens from nothing.
    StateLostBetweenChunks,
}

impl Quirk {
    /// Whether the architecture has what the slip is about.
    pub(crate) fn is_possible(self, architecture: &Architecture) -> bool {
        !self.is_of_delta_nets() || architecture.layers.iter().any(|layer| layer.delta.is_some())
    }

    /// Whether only a delta net can make it.
    pub(crate) fn is_of_delta_nets(self) -> bool {
        match self {
            Quirk::None
            | Quirk::KvHeadsByTurns
            | Quirk::EpsOutsideRoot
            | Quirk::TurnedBackwards
            | Quirk::RampReversed => false,
            Quirk::DecayWithoutSoftplus
            | Quirk::RateNotSquashed
            | Quirk::KeysOfAnyLength
            | Quirk::ConvolutionLate
            | Quirk::StateLostBetweenChunks => true,
        }
    }
}
