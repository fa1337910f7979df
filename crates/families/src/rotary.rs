//! The rotary turns of a forward pass: distinct settings are counted once, their tables made once for all layers.

use std::ops::Range;

use camelid_dual_chunk::DualChunk;
use camelid_rope::{Frequencies, Pairing, Settings, Table};

use crate::architecture::{Length, Rope, Round};
use crate::scaling::Scaling;

impl Rope {
    /// The frequencies of one axis, where `length` tokens are in sight.
    ///
    /// # Errors
    /// What crate `rope` or `yarn` says of settings out of range.
    pub fn frequencies(&self, head_dim: usize, length: usize) -> Result<Frequencies, String> {
        let settings = Settings {
            theta: self.theta,
            head_dim: head_dim / self.axes.max(1),
            rotary_dim: self.rotary_dim(head_dim) / self.axes.max(1),
            context: self.context,
        };
        let frequencies = match &self.scaling {
            Some(Scaling::Yarn(yarn)) => yarn.frequencies(&settings).map_err(|error| error.to_string())?,
            Some(Scaling::Plain(scaling)) => plain(settings, scaling.clone(), length)?,
            None => plain(settings, camelid_rope::Scaling::Default {}, length)?,
        };
        Ok(match self.round {
            Some(Round::F16) => frequencies.rounded_to_f16(),
            None => frequencies,
        })
    }

    /// Whether the frequencies differ from length to length: then chunks of a prompt are not equal to one call.
    #[must_use]
    pub fn depends_on_length(&self, head_dim: usize) -> bool {
        let Some(Scaling::Plain(scaling)) = &self.scaling else { return false };
        let settings = Settings {
            theta: self.theta,
            head_dim,
            rotary_dim: self.rotary_dim(head_dim),
            context: self.context,
        };
        camelid_rope::Rope::new(settings, scaling.clone()).is_ok_and(|rope| rope.depends_on_length())
    }
}

fn plain(settings: Settings, scaling: camelid_rope::Scaling, length: usize) -> Result<Frequencies, String> {
    let rope = camelid_rope::Rope::new(settings, scaling).map_err(|error| error.to_string())?;
    Ok(rope.frequencies(length))
}

/// One way to turn, shared by all layers that have the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rotary {
    pub(crate) rope: Rope,
    pub(crate) head_dim: usize,
    pub(crate) dual_chunk: Option<DualChunk>,
}

/// The places of the tokens of one call.
pub(crate) struct Places {
    /// Which tokens they are.
    pub(crate) tokens: Range<usize>,
    /// On each axis.
    pub(crate) axes: [Vec<usize>; 2],
    /// Tokens in sight after the first call.
    pub(crate) first_length: usize,
}

/// The turns of one call.
#[derive(Debug)]
pub(crate) enum Turns {
    /// One table turns the leading features of a head; two turn one half of the head each.
    Axes(Vec<Table>, Pairing),
    /// A query has three places, one for each of its runs of keys.
    Chunks(camelid_dual_chunk::Pass),
}

impl Rotary {
    /// The turns of a call's tokens.
    pub(crate) fn turns(&self, places: &Places) -> Result<Turns, String> {
        let length = match self.rope.length {
            Length::Current => places.tokens.end,
            Length::First => places.first_length,
        };
        let frequencies = self.rope.frequencies(self.head_dim, length)?;
        Ok(match &self.dual_chunk {
            Some(dual_chunk) => {
                Turns::Chunks(dual_chunk.pass(places.tokens.clone(), &frequencies, self.rope.pairing))
            }
            None => {
                let axes = &places.axes[..self.rope.axes];
                Turns::Axes(
                    axes.iter().map(|axis| Table::new(&frequencies, axis)).collect(),
                    self.rope.pairing,
                )
            }
        })
    }
}
