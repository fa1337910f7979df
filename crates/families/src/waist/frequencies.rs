//! The rotary frequencies that an architecture asks for, by the crates that know the formulas.

use camelid_rope::{Frequencies, Settings};

use crate::waist::architecture::{Rest, Rope, Round};
use crate::waist::scaling::Scaling;

impl Rope {
    /// The frequencies of one axis, where `length` tokens are in sight.
    ///
    /// # Errors
    /// What crate `rope` or `yarn` says of settings out of range.
    pub fn frequencies(&self, head_dim: usize, length: usize) -> Result<Frequencies, String> {
        let Rope {
            theta: _,
            pairing: _,
            fraction: _,
            rest,
            context: _,
            scaling: _,
            length: _,
            axes: _,
            round,
        } = self;
        let settings = self.settings(head_dim);
        let mut frequencies = match self.formulas(head_dim)? {
            Formulas::Plain(rope) => rope.frequencies(length),
            Formulas::Yarn(yarn) => yarn.frequencies(&settings).map_err(|error| error.to_string())?,
        };
        // A pair of frequency 0 stays where it is, whatever the place.
        if *rest == Rest::Slowest {
            frequencies.inverse.iter_mut().skip(self.turning_pairs(head_dim)).for_each(|f| *f = 0.0);
        }
        Ok(match round {
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
        let &Rope { theta, pairing: _, fraction: _, rest: _, context, scaling: _, length: _, axes, round: _ } =
            self;
        let axes = axes.max(1);
        let rotary_dim = self.rotary_dim(head_dim) / axes;
        Settings { theta, head_dim: head_dim / axes, rotary_dim, context }
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
