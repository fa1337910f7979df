//! What mixes the tokens in one layer, of any kind.

use camelid_attention::Reach;
use camelid_kernels::Compute;
use ndarray::Array2;

use crate::composed::attending::branch::AttentionBranch;
use crate::composed::attending::delta::DeltaBranch;
use crate::composed::attending::latent::LatentBranch;
use crate::composed::cache::Kept;
use crate::composed::pass::{AllKept, Pass};
use crate::composed::tap::Observer;

/// What mixes the tokens in one layer, of any kind.
#[derive(Debug)]
pub(crate) enum Branch {
    /// Keys and values of heads.
    Heads(Box<AttentionBranch>),
    /// Keys and values made of a latent.
    Latent(Box<LatentBranch>),
    /// A state in their place.
    Delta(Box<DeltaBranch>),
}

impl Branch {
    /// What the layer keeps of a sequence, empty; `reach` is what whoever reads its keys sees of them.
    pub(crate) fn kept(&self, compute: Compute, reach: Reach) -> Kept {
        match self {
            Branch::Heads(branch) if branch.keys.is_none() => Kept::Nothing,
            Branch::Heads(branch) => Kept::Heads(branch.core.cache(compute), reach),
            Branch::Latent(branch) => Kept::Latent(branch.core.cache(compute)),
            Branch::Delta(branch) => Kept::State(Box::new(branch.state())),
        }
    }

    /// The layer whose keys it reads, and what it sees of them; nothing where there are no keys of heads.
    pub(crate) fn reads(&self) -> Option<(usize, Reach, Option<usize>)> {
        match self {
            Branch::Heads(branch) => Some((branch.source, branch.reach, branch.turn)),
            Branch::Latent(_) | Branch::Delta(_) => None,
        }
    }

    /// `[tokens, width]` → `[tokens, width]`; `kept` is what every layer of each sequence keeps.
    pub(crate) fn forward<O: Observer>(
        &self,
        x: &Array2<f32>,
        layer: usize,
        pass: &Pass<'_>,
        kept: &mut AllKept<'_>,
        observer: &mut O,
    ) -> Array2<f32> {
        match self {
            Branch::Heads(branch) => branch.forward(x, layer, pass, kept, observer),
            Branch::Latent(branch) => branch.forward(x, layer, pass, kept, observer),
            Branch::Delta(branch) => branch.forward(x, layer, pass, kept, observer),
        }
    }
}
