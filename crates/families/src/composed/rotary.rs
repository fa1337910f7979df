//! The rotary turns of a forward pass: distinct settings are counted once, their tables made once for all layers.

use std::ops::Range;

use camelid_dual_chunk::DualChunk;
use camelid_rope::{Frequencies, Pairing, Settings, Table};

use crate::waist::architecture::{Length, Rope, Round};
use crate::waist::scaling::Scaling;

impl Rope {
    /// The frequencies of one axis, where `length` tokens are in sight.
    ///
    /// # Errors
    /// What crate `rope` or `yarn` says of settings out of range.
    pub fn frequencies(&self, head_dim: usize, length: usize) -> Result<Frequencies, String> {
        let settings = self.settings(head_dim);
        let frequencies = match self.formulas(head_dim)? {
            Formulas::Plain(rope) => rope.frequencies(length),
            Formulas::Yarn(yarn) => yarn.frequencies(&settings).map_err(|error| error.to_string())?,
        };
        Ok(match self.round {
            Some(Round::F16) => frequencies.rounded_to_f16(),
            None => frequencies,
        })
    }

    /// Whether the frequencies differ from length to length: then chunks of a prompt are not equal to one call.
    #[must_use]
    pub fn depends_on_length(&self, head_dim: usize) -> bool {
        matches!(self.formulas(head_dim), Ok(Formulas::Plain(rope)) if rope.depends_on_length())
    }

    /// Whether every number is in range. Allocates nothing.
    pub(crate) fn check(&self, head_dim: usize) -> Result<(), String> {
        match self.formulas(head_dim)? {
            Formulas::Plain(_) => Ok(()),
            Formulas::Yarn(yarn) => yarn.check(&self.settings(head_dim)).map_err(|error| error.to_string()),
        }
    }

    /// Of one axis.
    fn settings(&self, head_dim: usize) -> Settings {
        let axes = self.axes.max(1);
        let rotary_dim = self.rotary_dim(head_dim) / axes;
        Settings { theta: self.theta, head_dim: head_dim / axes, rotary_dim, context: self.context }
    }

    fn formulas(&self, head_dim: usize) -> Result<Formulas<'_>, String> {
        let scaling = match &self.scaling {
            Some(Scaling::Yarn(yarn)) => return Ok(Formulas::Yarn(yarn)),
            Some(Scaling::Plain(scaling)) => scaling.clone(),
            None => camelid_rope::Scaling::Default {},
        };
        let rope = camelid_rope::Rope::new(self.settings(head_dim), scaling);
        rope.map(Formulas::Plain).map_err(|error| error.to_string())
    }
}

/// Which crate's formulas give the frequencies.
enum Formulas<'a> {
    Plain(camelid_rope::Rope),
    Yarn(&'a camelid_yarn::Yarn),
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
                let plain = [places.tokens.clone().collect::<Vec<_>>()];
                let axes: &[_] = if self.rope.axes == 1 { &plain } else { &places.axes };
                let tables = axes.iter().map(|axis| Table::new(&frequencies, axis)).collect();
                Turns::Axes(tables, self.rope.pairing)
            }
        })
    }
}
