//! What must hold of experts, of latents, of delta nets, of layers that read another's keys, and of named tensors.

use camelid_experts::Error as Misfit;
use camelid_mlp::Glu;

use crate::resolved::check::Found;
use crate::waist::architecture::{Architecture, Layer, Mlp, MlpKind, Position};
use crate::waist::named::{By, Lies, Named, Per};
use crate::waist::roles::Role;
use crate::waist::tables::delta::Delta;
use crate::waist::tables::experts::Experts;
use crate::waist::tables::latent::Latent;
use crate::waist::tables::per_layer::PerLayer;
use crate::waist::tables::temperature::Temperature;

/// More experts than any layer has, and more than any model: what asks for more is refused before it is laid out.
const MOST_EXPERTS: usize = 1 << 13;
const MOST_EXPERTS_IN_ALL: usize = 1 << 20;

impl Found<'_> {
    pub(super) fn mlp(&mut self, layer: &Layer, mlp: &Mlp) {
        let &Mlp { kind, width, activation, alpha, limit, shift } = mlp;
        if layer.has_room_for(Role::Up) {
            self.size("mlp.width", width);
        }
        let glu = Glu { activation, alpha, limit, shift };
        if let Err(error) = glu.check() {
            let word = match &error {
                camelid_mlp::Error::Range { name, .. } => format!("mlp.{name}"),
                _ => "mlp.alpha".into(),
            };
            self.push(&word, error.to_string());
        }
        if kind == MlpKind::Plain && glu != Glu::from(activation) {
            self.push("mlp.kind", camelid_mlp::Error::Plain.to_string());
        }
    }

    pub(super) fn temperature(&mut self, temperature: &Temperature) {
        let &Temperature { beta, length, from } = temperature;
        self.finite("attention.temperature", beta);
        if length == 0 || from > 1 {
            let message =
                format!("steps of {length} places from {from}: there are steps of at least 1, from 0 or 1");
            self.push("attention.temperature", message);
        }
    }

    pub(super) fn latent(&mut self, index: usize, latent: &Latent, layer: &Layer) {
        let &Latent { rank, query_rank, unturned, turned, value_dim } = latent;
        let sizes = [("rank", rank), ("unturned", unturned), ("value_dim", value_dim)];
        sizes.into_iter().for_each(|(word, size)| self.size(&format!("latent.{word}"), size));
        if let Some(rank) = query_rank {
            self.size("latent.query_rank", rank);
        }
        let attention = &layer.attention;
        if Some(attention.head_dim) != unturned.checked_add(turned) {
            let message = format!(
                "layer {index}: {unturned} unturned and {turned} turned features are not the {} of a head",
                attention.head_dim
            );
            self.push("latent.turned", message);
        }
        if attention.kv_heads != attention.heads {
            let message = format!(
                "layer {index}: {} kv heads; keys made of a latent have as many heads as queries, {}",
                attention.kv_heads, attention.heads
            );
            self.push("attention.kv_heads", message);
        }
        if turned == 0 && attention.position == Position::Rope {
            let message = format!("layer {index}: no feature turns, but attention.position is rope");
            self.push("latent.turned", message);
        }
        let has = |role: Role| layer.tensors.iter().any(|named| named.roles.contains(&role));
        let undefined = [
            ("attention.softcap", attention.softcap.is_some()),
            ("attention.logn", attention.logn.is_some()),
            ("attention.dual_chunk", attention.dual_chunk.is_some()),
            ("attention.source", attention.source.is_some()),
            ("attention.values", attention.values != Default::default()),
            ("attention.position", attention.position == Position::Alibi),
            ("rope.axes", layer.rope.as_ref().is_some_and(|rope| rope.axes != 1)),
            ("tensors.query_norm", has(Role::QueryNorm)),
            ("tensors.sink", has(Role::Sink)),
        ];
        for (word, _) in undefined.into_iter().filter(|(_, said)| *said) {
            self.push(word, format!("layer {index}: beside [latent] this is not defined"));
        }
    }

    pub(super) fn delta(&mut self, index: usize, delta: &Delta, layer: &Layer) {
        // How key heads and the decay are shared and what is activated may be anything that the type takes.
        let &Delta {
            key_heads,
            value_heads,
            share: _,
            key_dim,
            value_dim,
            conv_width,
            decay: _,
            floor,
            decay_rank,
            gate_rank,
            rate_scale,
            eps: _,
            activation: _,
            gate: _,
        } = delta;
        let sizes = [
            ("key_heads", key_heads),
            ("value_heads", value_heads),
            ("key_dim", key_dim),
            ("value_dim", value_dim),
            ("conv_width", conv_width),
            ("decay_rank", decay_rank.unwrap_or(1)),
            ("gate_rank", gate_rank.unwrap_or(1)),
        ];
        sizes.into_iter().for_each(|(word, size)| self.size(&format!("delta.{word}"), size));
        self.finite("delta.rate_scale", rate_scale);
        if let Some(floor) = floor.filter(|floor| !(floor.is_finite() && *floor < 0.0)) {
            self.push(
                "delta.floor",
                format!("layer {index}: {floor} is not below zero; `none` takes it away"),
            );
        }
        if sizes.iter().all(|(_, size)| *size > 0)
            && let Err(error) = delta.settings().check()
        {
            let word = match &error {
                camelid_delta_net::Error::Range { .. } => "delta.eps",
                _ => "delta.value_heads",
            };
            self.push(word, format!("layer {index}: {error}"));
        }
        if layer.latent.is_some() {
            let message =
                format!("layer {index} has a delta net too, and only one of the two can mix its tokens");
            self.push("latent.rank", message);
        }
    }

    pub(super) fn experts(&mut self, index: usize, experts: &Experts, layer: &Layer) {
        let &Experts { count, width, shared, .. } = experts;
        if count > MOST_EXPERTS {
            let message = format!("layer {index}: {count} experts; at most {MOST_EXPERTS} are taken");
            self.push("experts.count", message);
            return;
        }
        self.size("experts.width", width);
        if let Some(shared) = shared {
            self.size("experts.shared", shared);
        }
        if layer.mlp.kind == MlpKind::Plain {
            let message = format!("layer {index}: experts are gated, so mlp.kind must be");
            self.push("mlp.kind", message);
        }
        if let Err(error) = experts.settings().check() {
            let word = match &error {
                Misfit::Zero { name: "experts" } => "experts.count".to_owned(),
                Misfit::Zero { name } => format!("experts.{name}"),
                Misfit::Groups { .. } => "experts.groups".into(),
                Misfit::Kept { .. } => "experts.groups_kept".into(),
                Misfit::BestTwo => "experts.group_by".into(),
                Misfit::Scale { .. } => "experts.scale".into(),
                _ => "experts.chosen".into(),
            };
            self.push(&word, format!("layer {index}: {error}"));
        }
    }

    /// Embeddings that layers have of their own need all of their tensors.
    pub(super) fn per_layer(&mut self, per_layer: &PerLayer, architecture: &Architecture) {
        let &PerLayer { width, vocab, scale, projection_scale, joint_scale } = per_layer;
        self.size("per_layer.width", width);
        self.size("per_layer.vocab", vocab);
        let scales = [("scale", scale), ("projection_scale", projection_scale), ("joint_scale", joint_scale)];
        scales.into_iter().for_each(|(word, scale)| self.finite(&format!("per_layer.{word}"), scale));
        if vocab < architecture.embedding.vocab {
            let message = format!("{vocab} rows for a vocabulary of {}", architecture.embedding.vocab);
            self.push("per_layer.vocab", message);
        }
        for role in Role::ALL.into_iter().filter(|role| role.is_of_layers()) {
            let layers = if role.per_layer() {
                (0..architecture.layers.len()).map(Some).collect()
            } else {
                vec![None]
            };
            if layers.into_iter().any(|layer| architecture.tensor(layer, role).is_none()) {
                self.role(role, "[per_layer] needs");
            }
        }
    }

    /// Layers times experts is what a plan lays out.
    pub(super) fn count_experts(&mut self, architecture: &Architecture) {
        let counts = architecture.layers.iter().filter_map(|layer| layer.experts.as_ref());
        let all = counts.fold(0, |all: usize, experts| all.saturating_add(experts.count));
        if all > MOST_EXPERTS_IN_ALL {
            let message = format!("{all} experts in all layers; at most {MOST_EXPERTS_IN_ALL} are taken");
            self.push("experts.count", message);
        }
    }

    /// A layer reads the keys and values of an earlier one that has some, of its own shape.
    pub(super) fn source(&mut self, index: usize, source: Option<usize>, architecture: &Architecture) {
        let Some(source) = source else { return };
        let word = "attention.source";
        let Some(from) = architecture.layers.get(source).filter(|_| source < index) else {
            let message = format!("layer {index} reads the keys of layer {source}, which is not before it");
            self.push(word, message);
            return;
        };
        let own = &architecture.layers[index].attention;
        let shape = [own.kv_heads, own.head_dim];
        let theirs = [from.attention.kv_heads, from.attention.head_dim];
        if from.attention.source.is_some() || from.latent.is_some() || from.delta.is_some() {
            let message =
                format!("layer {index} reads the keys of layer {source}, which has none of its own");
            self.push(word, message);
        } else if shape != theirs {
            let message = format!(
                "layer {index} has {} kv heads of {}, layer {source}, whose keys it reads, {} of {}",
                shape[0], shape[1], theirs[0], theirs[1]
            );
            self.push(word, message);
        }
        if own.dual_chunk.is_some() {
            self.push(word, format!("layer {index}: beside dual chunks this is not defined"));
        }
    }

    /// Roles of one tensor have rows of one shape: they read the same, or are convolutions of one width.
    pub(super) fn packed(&mut self, index: usize, architecture: &Architecture) {
        for named in &architecture.layers[index].tensors {
            let rows = |role: Role| architecture.shape(Some(index), role, named.per)[1..].to_vec();
            let first = named.roles[0];
            let other = named.roles.iter().find(|role| rows(**role) != rows(first));
            if let Some(other) = other {
                let word = format!("tensors.\"{}\"", crate::waist::named::write_roles(&named.roles));
                let message = format!(
                    "layer {index}: `{other}` has rows of {:?} and `{first}` of {:?}, so they can't share a tensor",
                    rows(*other),
                    rows(first)
                );
                self.push(&word, message);
            }
        }
    }

    /// Attributes where they mean something.
    pub(super) fn named(&mut self, tensors: &[Named]) {
        for named in tensors {
            let Named { roles, name, bias: _, by, per, at: _, suffix: _, lies, unit, eps, offset, factor } =
                named;
            let word = format!("tensors.\"{}\"", crate::waist::named::write_roles(roles));
            let norm = roles.iter().all(|role| role.is_norm());
            let of_experts = roles.iter().all(|role| role.is_of_experts());
            if !norm && (*unit || eps.is_some() || offset.is_some() || *factor != 1.0) {
                self.push(&word, "unit, eps, offset and factor are of norms".into());
            }
            for number in [eps.unwrap_or(0.0), offset.unwrap_or(0.0), *factor] {
                self.finite(&word, number);
            }
            if eps.is_some_and(|eps| eps < 0.0) {
                self.push(&word, "eps must not be negative".into());
            }
            if *lies == Lies::InOut && !of_experts {
                self.push(&word, "only the matrices of experts can lie in_out".into());
            }
            if of_experts != roles.iter().any(|role| role.is_of_experts()) {
                self.push(&word, "experts share no tensor with what is not theirs".into());
            }
            if named.is_per_expert() && !of_experts {
                self.push(&word, format!("`{name}` counts experts, but is not theirs"));
            }
            let turned_packed = *by == By::Turns || *lies == Lies::InOut;
            let gate_first = roles.as_slice() == [Role::ExpertGate, Role::ExpertUp];
            if roles.len() > 1 && of_experts && (!gate_first || matches!(by, By::Group | By::Head)) {
                let message = "experts pack expert_gate | expert_up, by rows or by turns";
                self.push(&word, message.into());
            } else if *by == By::Turns && !(of_experts && turned_packed) {
                self.push(&word, "by = \"turns\" is of experts".into());
            }
            if of_delta(roles) != roles.iter().any(|role| role.is_of_delta()) {
                self.push(&word, "a delta net shares no tensor with what is not its own".into());
            }
            if of_delta(roles) && *by == By::Head {
                self.push(&word, "a delta net packs by rows, or by group: for each key head".into());
            }
            if roles.contains(&Role::AttentionGate) && *per == Per::EachHead && roles.len() > 1 {
                self.push(&word, "a gate of one number a head has a tensor of its own".into());
            }
        }
    }
}

fn of_delta(roles: &[Role]) -> bool {
    roles.iter().all(|role| role.is_of_delta())
}
