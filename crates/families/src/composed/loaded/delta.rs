//! A gated delta net, composed of what its tensors hold.

use camelid_delta_net::{DeltaNet, Forget};
use camelid_short_conv::ShortConv;
use ndarray::ArrayView2;

use crate::composed::attending::delta::{DeltaBranch, Narrowed};
use crate::composed::loaded::held::{Held, OfDelta};
use crate::composed::loaded::mixers::Place;
use crate::composed::loaded::stored::missing;
use crate::error::Error;
use crate::waist::roles::Role;
use crate::waist::tables::delta::Delta;

impl Place<'_> {
    #[expect(clippy::too_many_lines, reason = "a line for each word and each role")]
    pub(crate) fn delta(&self, delta: &Delta, held: OfDelta) -> Result<DeltaBranch, Error> {
        // The other sizes are those of the tensors, and of the rule.
        let &Delta {
            key_heads: _,
            value_heads: _,
            share: _,
            key_dim: _,
            value_dim: _,
            conv_width,
            decay: _,
            floor,
            decay_rank,
            gate_rank,
            rate_scale,
            eps: _,
            activation,
            gate: opened_by,
        } = delta;
        let OfDelta {
            query,
            key,
            value,
            query_conv,
            key_conv,
            value_conv,
            rate,
            decay_down,
            decay,
            decay_bias,
            decay_log,
            norm,
            gate_down,
            gate,
            output,
        } = held;
        let conv = |role, held| self.conv(conv_width, role, held);
        let forget = Forget::new(
            &list(Role::DeltaDecayLog, decay_log)?,
            &list(Role::DeltaDecayBias, decay_bias)?,
            floor,
        );
        Ok(DeltaBranch {
            projections: [
                query.linear(Role::DeltaQuery)?,
                key.linear(Role::DeltaKey)?,
                value.linear(Role::DeltaValue)?,
            ],
            convs: [
                conv(Role::DeltaQueryConv, query_conv)?,
                conv(Role::DeltaKeyConv, key_conv)?,
                conv(Role::DeltaValueConv, value_conv)?,
            ],
            activation,
            rate: rate.linear(Role::DeltaRate)?,
            rate_scale: rate_scale as f32,
            decay: narrowed(decay_rank, [(Role::DeltaDecayDown, decay_down), (Role::DeltaDecay, decay)])?,
            forget: forget.map_err(|error| self.wrong(&error))?,
            core: DeltaNet::new(delta.settings()).map_err(|error| self.wrong(&error))?,
            norm: self.norm(Role::DeltaNorm, norm)?,
            gate: narrowed(gate_rank, [(Role::DeltaGateDown, gate_down), (Role::DeltaGate, gate)])?,
            opened_by,
            output: output.linear(Role::DeltaOutput)?,
        })
    }

    fn conv(&self, width: usize, role: Role, held: Held) -> Result<ShortConv, Error> {
        let taps = list(role, held)?;
        let shape = (taps.len() / width.max(1), width);
        let taps = ArrayView2::from_shape(shape, &taps).map_err(|error| self.wrong(&error))?;
        ShortConv::new(taps, None).map_err(|error| self.wrong(&error))
    }
}

/// A projection, by way of its first half where it has a rank.
fn narrowed(rank: Option<usize>, [down, up]: [(Role, Held); 2]) -> Result<Narrowed, Error> {
    let down = rank.map(|_| down.1.linear(down.0)).transpose()?;
    Ok(Narrowed { down, up: up.1.linear(up.0)? })
}

fn list(role: Role, held: Held) -> Result<Vec<f32>, Error> {
    held.vector().map(|(numbers, _)| numbers).ok_or_else(|| missing(role))
}
