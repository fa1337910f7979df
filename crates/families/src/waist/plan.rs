//! The plan of tensors: name, shape and layout of everything that a checkpoint must hold, from the architecture alone.

use crate::waist::architecture::{Architecture, Attention, Layer, Mlp};
use crate::waist::kinds::Kind;
use crate::waist::named::{By, EXPERT, HEAD, Lies, Named, Per, Suffix};
use crate::waist::roles::Role;
use crate::waist::tables::delta::Delta;
use crate::waist::tables::experts::Experts;
use crate::waist::tables::latent::Latent;
use crate::waist::tables::per_layer::PerLayer;

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
    /// Which expert's it is, where each has a tensor of its own.
    pub expert: Option<usize>,
    /// Which way round the matrices of experts lie.
    pub lies: Lies,
}

impl Planned {
    /// Whether a tensor of this shape is the one: a list of numbers may be stored as a single row.
    #[must_use]
    pub fn fits(&self, shape: &[usize]) -> bool {
        let is_list = self.part == Part::Weight && self.roles.iter().all(|role| role.kind() == Kind::Vector);
        let long = |shape: &[usize]| shape.iter().copied().filter(|size| *size != 1).collect::<Vec<_>>();
        shape == self.shape || (is_list && long(shape) == long(&self.shape))
    }
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
        if named.unit {
            return;
        }
        let shapes: Vec<Vec<usize>> =
            named.roles.iter().map(|role| self.shape(layer, *role, named.per)).collect();
        let mut shape = shapes[0].clone();
        shape[0] = shapes.iter().map(|shape| shape[0]).sum();
        let bias_shape = match named.roles[0].kind() {
            Kind::Matrix => vec![shape[0]],
            Kind::Norm | Kind::Vector => shape.clone(),
        };
        if named.lies == Lies::InOut {
            shape.reverse();
        }
        let heads = named.is_per_head().then(|| shape.remove(0));
        let experts = self.experts_of(layer, named);
        let of_one = |expert: Option<usize>, part: Part, shape: &[usize]| Planned {
            name: named.part(part, expert),
            part,
            shape: match experts {
                Some(count) if expert.is_none() => [&[count], shape].concat(),
                Some(_) | None => shape.to_vec(),
            },
            layer,
            roles: named.roles.clone(),
            by: named.by,
            expert,
            lies: named.lies,
        };
        if self.output.tie && named.roles == [Role::Output] {
            plan.tied = Some(of_one(None, Part::Weight, &shape));
            return;
        }
        let each = match experts.or(heads) {
            Some(count) if heads.is_some() || named.is_per_expert() => (0..count).map(Some).collect(),
            Some(_) | None => vec![None],
        };
        for expert in each {
            plan.tensors.push(of_one(expert, Part::Weight, &shape));
            if named.bias {
                plan.tensors.push(of_one(expert, Part::Bias, &bias_shape));
            }
        }
    }

    /// How many experts share or divide a named tensor, if it is one of theirs.
    fn experts_of(&self, layer: Option<usize>, named: &Named) -> Option<usize> {
        let layer = self.layers.get(layer?)?;
        let experts = layer.experts.as_ref().filter(|_| named.roles[0].is_of_experts());
        experts.map(|experts| experts.count)
    }

    /// The shape of one role's weight.
    #[must_use]
    pub fn shape(&self, layer: Option<usize>, role: Role, per: Per) -> Vec<usize> {
        let width = self.embedding.width;
        match layer.and_then(|index| self.layers.get(index)) {
            None => match role {
                Role::Embedding | Role::Output => vec![self.embedding.vocab, width],
                Role::LayerEmbedding => vec![self.of_each_layer(|it| it.vocab), self.layered()],
                Role::LayerProjection => vec![self.layered(), width],
                Role::LayerProjectionNorm => vec![self.of_each_layer(|it| it.width)],
                _ => vec![width],
            },
            Some(layer) => layer.shape(role, per, [width, self.of_each_layer(|it| it.width)]),
        }
    }
}

impl Architecture {
    fn of_each_layer(&self, size: fn(&PerLayer) -> usize) -> usize {
        self.per_layer.as_ref().map_or(0, size)
    }

    /// Features of the embeddings of all layers.
    fn layered(&self) -> usize {
        self.of_each_layer(|it| it.width).saturating_mul(self.layers.len())
    }
}

impl Named {
    /// The full name of one of its parts, and of one expert's where each has its own.
    #[must_use]
    pub fn part(&self, part: Part, expert: Option<usize>) -> String {
        let name = match expert {
            Some(one) => self.name.replace(EXPERT, &one.to_string()).replace(HEAD, &one.to_string()),
            None => self.name.clone(),
        };
        match (part, self.suffix) {
            (Part::Weight, Suffix::Weight) => format!("{name}.weight"),
            (Part::Bias, Suffix::Weight) => format!("{name}.bias"),
            (Part::Weight, Suffix::None) => name,
            (Part::Bias, Suffix::None) => format!("{name}_bias"),
        }
    }
}

impl Layer {
    #[expect(clippy::too_many_lines, reason = "a line for each role")]
    fn shape(&self, role: Role, per: Per, [width, own_width]: [usize; 2]) -> Vec<usize> {
        // Each word is named, so that a new one does not compile until somebody says whether it changes a shape.
        let Layer { block: _, attention, latent, delta, rope: _, mlp, experts, tensors: _ } = self;
        let &Attention {
            heads,
            kv_heads,
            head_dim,
            scale: _,
            softcap: _,
            window: _,
            chunk: _,
            logn: _,
            temperature: _,
            values: _,
            source: _,
            dual_chunk: _,
            position: _,
        } = attention;
        let &Mlp { kind: _, width: mlp_width, activation: _, alpha: _, limit: _, shift: _ } = mlp;
        // A size beyond all numbers is one that no tensor has.
        let per_head = |heads: usize| match per {
            Per::Head => vec![head_dim],
            Per::EachHead => vec![heads, head_dim],
            Per::Width => vec![heads.saturating_mul(head_dim)],
        };
        let of_latent = |size: fn(&Latent) -> usize| latent.as_ref().map_or(0, size);
        let of_delta = |size: fn(&Delta) -> usize| delta.as_ref().map_or(0, size);
        let taps = of_delta(|delta| delta.conv_width);
        let of_experts = |size: fn(&Experts) -> usize| experts.as_ref().map_or(0, size);
        let query_rank = latent.as_ref().and_then(|latent| latent.query_rank);
        let value_dim = latent.as_ref().map_or(head_dim, |latent| latent.value_dim);
        let shared = of_experts(|experts| experts.shared.unwrap_or(0));
        let expert_width = of_experts(|experts| experts.width);
        let count = of_experts(|experts| experts.count);
        match role {
            Role::QueryDown => vec![query_rank.unwrap_or(0), width],
            Role::QueryDownNorm => vec![query_rank.unwrap_or(0)],
            Role::Query => vec![heads.saturating_mul(head_dim), query_rank.unwrap_or(width)],
            Role::Key | Role::Value => vec![kv_heads.saturating_mul(head_dim), width],
            Role::QueryNorm => per_head(heads),
            Role::KeyNorm | Role::ValueNorm => per_head(kv_heads),
            Role::LatentDown => vec![of_latent(|latent| latent.rank + latent.turned), width],
            Role::LatentNorm => vec![of_latent(|latent| latent.rank)],
            Role::LatentUp => {
                let each = of_latent(|latent| latent.unturned + latent.value_dim);
                vec![heads.saturating_mul(each), of_latent(|latent| latent.rank)]
            }
            Role::Sink => vec![heads],
            Role::AttentionGate if per == Per::EachHead => vec![heads, width],
            Role::AttentionGate => vec![heads.saturating_mul(value_dim), width],
            Role::AttentionOutput => vec![width, heads.saturating_mul(value_dim)],
            Role::DeltaQuery | Role::DeltaKey => vec![of_delta(Delta::keys), width],
            Role::DeltaValue => vec![of_delta(Delta::values), width],
            Role::DeltaQueryConv | Role::DeltaKeyConv => vec![of_delta(Delta::keys), 1, taps],
            Role::DeltaValueConv => vec![of_delta(Delta::values), 1, taps],
            Role::DeltaRate => vec![of_delta(|delta| delta.value_heads), width],
            Role::DeltaDecayDown => vec![of_delta(|delta| delta.decay_rank.unwrap_or(0)), width],
            Role::DeltaDecay => {
                let rank = delta.as_ref().and_then(|delta| delta.decay_rank);
                vec![of_delta(Delta::decays), rank.unwrap_or(width)]
            }
            Role::DeltaDecayBias => vec![of_delta(Delta::decays)],
            Role::DeltaDecayLog => vec![of_delta(|delta| delta.value_heads)],
            Role::DeltaNorm => vec![of_delta(|delta| delta.value_dim)],
            Role::DeltaGateDown => vec![of_delta(|delta| delta.gate_rank.unwrap_or(0)), width],
            Role::DeltaGate => {
                let rank = delta.as_ref().and_then(|delta| delta.gate_rank);
                vec![of_delta(Delta::values), rank.unwrap_or(width)]
            }
            Role::DeltaOutput => vec![width, of_delta(Delta::values)],
            Role::Gate | Role::Up => vec![mlp_width, width],
            Role::Down => vec![width, mlp_width],
            Role::Router => vec![count, width],
            Role::RouterCorrection | Role::RouterFactor => vec![count],
            Role::ExpertGate | Role::ExpertUp => vec![expert_width, width],
            Role::ExpertDown => vec![width, expert_width],
            Role::SharedGate | Role::SharedUp => vec![shared, width],
            Role::SharedDown => vec![width, shared],
            Role::SharedScore => vec![1, width],
            Role::LayerGate => vec![own_width, width],
            Role::LayerOutput => vec![width, own_width],
            Role::LayerScale => vec![1],
            Role::LayerEmbedding
            | Role::LayerProjection
            | Role::LayerProjectionNorm
            | Role::LayerOutputNorm
            | Role::AttentionNorm
            | Role::AttentionOutputNorm
            | Role::MlpNorm
            | Role::DenseOutputNorm
            | Role::RouterNorm
            | Role::ExpertsNorm
            | Role::ExpertsOutputNorm
            | Role::MlpOutputNorm
            | Role::FinalNorm
            | Role::EmbeddingNorm
            | Role::Embedding
            | Role::Output => vec![width],
        }
    }
}
