//! How the gate meets up: the activation, and the limits and shifts that some families put on the two.

use camelid_kernels::Backend;

use crate::activation::Activation;
use crate::error::Error;

/// How gate and up of a gated MLP are combined, element by element.
///
/// ```text
/// g = min(gate, limit),  u = max(−limit, min(up, limit))        without a limit g = gate, u = up
/// f(g) · (u + shift)                                            with α: f(g) = g·σ(α·g)
/// ```
/// An [`Activation`] alone is the plain one: no limit, no shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glu {
    /// f.
    pub activation: Activation,
    /// α, the slope of σ, where it is not the activation's own. Only SiLU has one to change.
    pub alpha: Option<f64>,
    /// The bound on the gate from above and on up from both sides.
    pub limit: Option<f64>,
    /// What is added to up.
    pub shift: f64,
}

impl From<Activation> for Glu {
    fn from(activation: Activation) -> Self {
        Self { activation, alpha: None, limit: None, shift: 0.0 }
    }
}

impl Glu {
    /// Whether the numbers are in range.
    ///
    /// # Errors
    /// If a number is not finite, the limit is not above zero, or an α stands beside another activation than SiLU.
    pub fn check(&self) -> Result<(), Error> {
        let Self { activation, alpha, limit, shift } = *self;
        let finite = |value: f64| (value as f32).is_finite();
        match (alpha, limit) {
            (Some(alpha), _) if !finite(alpha) => Err(Error::Range { name: "alpha", value: alpha }),
            (Some(_), _) if activation != Activation::Silu => Err(Error::Alpha),
            (_, Some(limit)) if !(finite(limit) && limit as f32 > 0.0) => {
                Err(Error::Range { name: "limit", value: limit })
            }
            _ if !finite(shift) => Err(Error::Range { name: "shift", value: shift }),
            _ => Ok(()),
        }
    }

    /// Whether it is the activation alone.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::from(self.activation)
    }

    /// gateᵢ ← f(g)·(u + shift), on the calling thread.
    pub(crate) fn meet(&self, gate: &mut [f32], up: &[f32], backend: &Backend) {
        let limit = self.limit.map(|limit| limit as f32);
        if let Some(limit) = limit {
            gate.iter_mut().for_each(|gate| *gate = gate.min(limit));
        }
        match self.alpha {
            Some(alpha) => backend.sigmoid_gate(gate, alpha as f32, 0.0),
            None => self.activation.apply(gate, backend),
        }
        let shift = self.shift as f32;
        match limit {
            Some(limit) => {
                let pairs = gate.iter_mut().zip(up);
                pairs.for_each(|(gate, up)| *gate *= up.clamp(-limit, limit) + shift);
            }
            None if shift != 0.0 => gate.iter_mut().zip(up).for_each(|(gate, up)| *gate *= up + shift),
            None => backend.times(gate, up),
        }
    }
}
