//! The rotary turns of a forward pass: distinct settings are counted once, their tables made once for all layers.

use std::ops::Range;

use camelid_dual_chunk::DualChunk;
use camelid_rope::{Pairing, Table};

use crate::waist::architecture::{Length, Rope};

/// One way to turn, shared by all layers that have the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rotary {
    pub(crate) rope: Rope,
    pub(crate) head_dim: usize,
    pub(crate) dual_chunk: Option<DualChunk>,
}

/// The places of the tokens of one call.
pub(crate) struct Places {
    /// Which tokens they are: their places where there is one axis.
    pub(crate) tokens: Range<usize>,
    /// Their places on each of two axes.
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
        let &Rope { theta: _, pairing, fraction: _, rest: _, context: _, scaling: _, length, axes, round: _ } =
            &self.rope;
        let length = match length {
            Length::Current => places.tokens.end,
            Length::First => places.first_length,
        };
        let frequencies = self.rope.frequencies(self.head_dim, length)?;
        Ok(match &self.dual_chunk {
            Some(dual_chunk) => Turns::Chunks(dual_chunk.pass(places.tokens.clone(), &frequencies, pairing)),
            None => {
                let plain = [places.tokens.clone().collect::<Vec<_>>()];
                let axes: &[_] = if axes == 1 { &plain } else { &places.axes };
                let tables = axes.iter().map(|axis| Table::new(&frequencies, axis)).collect();
                Turns::Axes(tables, pairing)
            }
        })
    }
}
