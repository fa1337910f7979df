//! Norms: what all of a model share, and what each has of its own.

use camelid_norm::{Norm, Settings, offset_weight};

use crate::composed::loaded::held::Held;
use crate::composed::loaded::stored::missing;
use crate::error::Error;
use crate::waist::architecture::{self as waist, Architecture};
use crate::waist::named::Named;
use crate::waist::roles::Role;

/// What all norms of a model share.
pub(crate) struct Norms {
    settings: Settings,
    /// Folded into every weight.
    offset: f32,
}

impl Norms {
    pub(crate) fn of(norm: &waist::Norm) -> Norms {
        let &waist::Norm { kind, eps, offset } = norm;
        Norms { settings: Settings { kind, eps }, offset: offset as f32 }
    }

    /// A norm, where it is named: (offset + w) · factor becomes the weight; without a tensor, the factor alone.
    pub(crate) fn norm(
        &self,
        architecture: &Architecture,
        layer: Option<usize>,
        role: Role,
        held: Held,
    ) -> Result<Option<Norm>, Error> {
        let Some(named) = architecture.tensor(layer, role) else { return Ok(None) };
        let &Named {
            roles: _,
            name: _,
            bias: _,
            by: _,
            per,
            at: _,
            suffix: _,
            lies: _,
            unit,
            eps,
            offset,
            factor,
        } = named;
        let factor = factor as f32;
        let (weight, bias) = if unit {
            let features: usize = architecture.shape(layer, role, per).iter().product();
            (vec![factor; features], None)
        } else {
            let (weight, bias) = held.vector().ok_or_else(|| missing(role))?;
            let offset = offset.map_or(self.offset, |offset| offset as f32);
            (scaled(offset_weight(weight, offset), factor), bias)
        };
        let settings = Settings { eps: eps.unwrap_or(self.settings.eps), ..self.settings };
        let norm = Norm::new(settings, weight, bias.map(|bias| scaled(bias, factor)));
        norm.map(Some).map_err(|error| component(layer.unwrap_or_default(), &error))
    }
}

fn scaled(mut numbers: Vec<f32>, factor: f32) -> Vec<f32> {
    numbers.iter_mut().for_each(|number| *number *= factor);
    numbers
}

/// What a component says, with its layer.
pub(crate) fn component(layer: usize, error: &dyn std::error::Error) -> Error {
    Error::Component { layer, message: error.to_string() }
}
