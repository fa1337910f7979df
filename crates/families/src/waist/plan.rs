//! The plan of tensors: name, shape and layout of everything that a checkpoint must hold, from the architecture alone.

use crate::waist::architecture::{Architecture, Attention, By, Layer, Named, Per};
use crate::waist::roles::Role;

/// One tensor of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its full name, `.weight` or `.bias` included.
    pub name: String,
    /// Its shape, as upstream stores it: `[out, in]` for a projection.
    pub shape: Vec<usize>,
    /// Its layer, if it belongs to one.
    pub layer: Option<usize>,
    /// The roles it holds, in the order of their rows.
    pub roles: Vec<Role>,
    /// How their rows lie.
    pub by: By,
}

/// Everything that a checkpoint must hold, and what it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What must be there, in the order in which a token meets it.
    pub tensors: Vec<Planned>,
    /// The head of a tied model: where a checkpoint holds it all the same, it must equal the embedding.
    pub tied: Option<Planned>,
}

impl Plan {
    /// How many parameters a checkpoint of this plan has.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let size = |planned: &Planned| planned.shape.iter().fold(1u64, |n, d| n.saturating_mul(*d as u64));
        self.tensors.iter().map(size).fold(0, u64::saturating_add)
    }
}

impl Architecture {
    /// The plan of tensors.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let mut plan = Plan { tensors: Vec::new(), tied: None };
        let (before, after): (Vec<_>, Vec<_>) =
            self.tensors.iter().partition(|named| named.roles.contains(&Role::Embedding));
        for named in before {
            self.add(&mut plan, None, named);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            for named in &layer.tensors {
                self.add(&mut plan, Some(index), named);
            }
        }
        for named in after {
            self.add(&mut plan, None, named);
        }
        plan
    }

    fn add(&self, plan: &mut Plan, layer: Option<usize>, named: &Named) {
        let shapes: Vec<Vec<usize>> =
            named.roles.iter().map(|role| self.shape(layer, *role, named.per)).collect();
        let mut shape = shapes[0].clone();
        shape[0] = shapes.iter().map(|shape| shape[0]).sum();
        let names = named.names(shape[0]);
        if named.by_head() {
            shape.remove(0);
        }
        let planned = |name: &str, suffix: &str, shape: Vec<usize>| Planned {
            name: format!("{name}.{suffix}"),
            shape,
            layer,
            roles: named.roles.clone(),
            by: named.by,
        };
        if self.output.tie && named.roles == [Role::Output] {
            plan.tied = Some(planned(&named.name, "weight", shape));
            return;
        }
        let norm = named.roles.iter().any(|role| role.is_norm());
        let bias_shape = if norm { shape.clone() } else { vec![shape[0]] };
        for name in names {
            plan.tensors.push(planned(&name, "weight", shape.clone()));
            if named.bias {
                plan.tensors.push(planned(&name, "bias", bias_shape.clone()));
            }
        }
    }

    /// The shape of one role's weight.
    #[must_use]
    pub fn shape(&self, layer: Option<usize>, role: Role, per: Per) -> Vec<usize> {
        let width = self.embedding.width;
        match layer.and_then(|index| self.layers.get(index)) {
            None => match role {
                Role::Embedding | Role::Output => vec![self.embedding.vocab, width],
                _ => vec![width],
            },
            Some(layer) => layer.shape(role, per, width),
        }
    }
}

impl Layer {
    fn shape(&self, role: Role, per: Per, width: usize) -> Vec<usize> {
        let Attention { heads, kv_heads, head_dim, .. } = self.attention;
        let per_head = |heads: usize| match per {
            Per::Head => vec![head_dim],
            Per::EachHead => vec![heads, head_dim],
            Per::Width => vec![heads * head_dim],
        };
        match role {
            Role::Query => vec![heads * head_dim, width],
            Role::Key | Role::Value => vec![kv_heads * head_dim, width],
            Role::QueryNorm => per_head(heads),
            Role::KeyNorm => per_head(kv_heads),
            Role::AttentionOutput => vec![width, heads * head_dim],
            Role::Gate | Role::Up => vec![self.mlp.width, width],
            Role::Down => vec![width, self.mlp.width],
            Role::AttentionNorm
            | Role::AttentionOutputNorm
            | Role::MlpNorm
            | Role::MlpOutputNorm
            | Role::FinalNorm
            | Role::Embedding
            | Role::Output => vec![width],
        }
    }
}
