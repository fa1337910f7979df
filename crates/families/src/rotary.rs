//! The rotary turns of a forward pass: distinct settings are counted once, their tables made once for all layers.

use camelid_rope::{Frequencies, Settings, Table};

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
            Some(Scaling::Yarn(yarn)) => yarn.frequencies(settings).map_err(|error| error.to_string())?,
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
}

/// The places of the tokens of one call.
pub(crate) struct Places<'a> {
    /// On each axis.
    pub(crate) axes: [&'a [usize]; 2],
    /// Tokens in sight after this call.
    pub(crate) length: usize,
    /// Tokens in sight after the first call.
    pub(crate) first_length: usize,
}

impl Rotary {
    /// The frequencies of this call.
    pub(crate) fn frequencies(&self, places: &Places<'_>) -> Result<Frequencies, String> {
        let length = match self.rope.length {
            Length::Current => places.length,
            Length::First => places.first_length,
        };
        self.rope.frequencies(self.head_dim, length)
    }

    /// One table for each axis.
    pub(crate) fn tables(&self, places: &Places<'_>) -> Result<Vec<Table>, String> {
        let frequencies = self.frequencies(places)?;
        Ok(places.axes[..self.rope.axes].iter().map(|axis| Table::new(&frequencies, axis)).collect())
    }
}
