//! The plan of tensors: name, shape and layout of everything that a checkpoint must hold, from the architecture alone.

use crate::waist::architecture::{Architecture, Attention, By, Layer, Mlp, Named, Per, Suffix};
use crate::waist::roles::{Kind, Role};

/// One tensor of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its full name, `.weight` or `.bias` included.
    pub name: String,
    /// Weight or bias.
    pub part: Part,
    /// Its shape, as upstream stores it: `[out, in]` for a projection.
    pub shape: Vec<usize>,
    /// Its layer, if it belongs to one.
    pub layer: Option<usize>,
    /// The roles it holds, in the order of their rows.
    pub roles: Vec<Role>,
    /// How their rows lie.
    pub by: By,
}

/// Which of a named tensor's two parts one tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// What the role is.
    Weight,
    /// What is added after it.
    Bias,
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
        let planned = |part: Part, shape: Vec<usize>| Planned {
            name: named.part(part),
            part,
            shape,
            layer,
            roles: named.roles.clone(),
            by: named.by,
        };
        let weight = planned(Part::Weight, shape.clone());
        if self.output.tie && named.roles == [Role::Output] {
            plan.tied = Some(weight);
            return;
        }
        let bias_shape = match named.roles[0].kind() {
            Kind::Matrix => vec![shape[0]],
            Kind::Norm | Kind::Number => shape,
        };
        plan.tensors.push(weight);
        if named.bias {
            plan.tensors.push(planned(Part::Bias, bias_shape));
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

impl Named {
    /// The full name of one of its parts.
    #[must_use]
    pub fn part(&self, part: Part) -> String {
        match (part, self.suffix) {
            (Part::Weight, Suffix::Weight) => format!("{}.weight", self.name),
            (Part::Weight, Suffix::None) => self.name.clone(),
            (Part::Bias, Suffix::Weight | Suffix::None) => format!("{}.bias", self.name),
        }
    }
}

impl Layer {
    fn shape(&self, role: Role, per: Per, width: usize) -> Vec<usize> {
        // Each word is named, so that a new one does not compile until somebody says whether it changes a shape.
        let Layer { block: _, attention, rope: _, mlp, tensors: _ } = self;
        let &Attention {
            heads,
            kv_heads,
            head_dim,
            scale: _,
            softcap: _,
            window: _,
            logn: _,
            dual_chunk: _,
            position: _,
        } = attention;
        let &Mlp { kind: _, width: mlp_width, activation: _ } = mlp;
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
            Role::Gate | Role::Up => vec![mlp_width, width],
            Role::Down => vec![width, mlp_width],
            Role::LayerScale => vec![1],
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
