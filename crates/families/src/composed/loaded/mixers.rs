//! The attention and the MLP of one layer, composed of what its tensors hold.

use camelid_attention::{Attention as Core, Reach};
use camelid_experts::{Router, Shared};
use camelid_latent::{Compression, Latent as LatentCore, Queries};
use camelid_mlp::{Glu, Layers, Mlp};
use camelid_norm::Norm;

use crate::composed::attending::branch::{AttentionBranch, HeadNorm, Keys};
use crate::composed::attending::grown::Grown;
use crate::composed::attending::latent::LatentBranch;
use crate::composed::attending::mixer::Branch;
use crate::composed::layered::LayeredPart;
use crate::composed::loaded::experts::experts;
use crate::composed::loaded::held::{Held, OfAttention, OfDelta, OfMlp};
use crate::composed::loaded::norms::{Norms, component};
use crate::composed::loaded::stored::missing;
use crate::composed::sparse::{MlpPart, Sparse};
use crate::error::Error;
use crate::waist::architecture::{self as waist, Architecture, Attention, Layer, MlpKind, Position, Values};
use crate::waist::roles::Role;
use crate::waist::tables::experts::Experts;
use crate::waist::tables::latent::Latent;

/// Which layer is composed, and of which model.
pub(crate) struct Place<'a> {
    pub(crate) architecture: &'a Architecture,
    pub(crate) norms: &'a Norms,
    pub(crate) index: usize,
    pub(crate) layer: &'a Layer,
}

impl Place<'_> {
    pub(crate) fn norm(&self, role: Role, held: Held) -> Result<Option<Norm>, Error> {
        self.norms.norm(self.architecture, Some(self.index), role, held)
    }

    fn needed_norm(&self, role: Role, held: Held) -> Result<Norm, Error> {
        self.norm(role, held)?.ok_or_else(|| missing(role))
    }

    fn of_heads(&self, role: Role, held: Held) -> Result<Option<HeadNorm>, Error> {
        let named = self.architecture.tensor(Some(self.index), role);
        let Some((per, at)) = named.map(|named| (named.per, named.at)) else { return Ok(None) };
        Ok(self.norm(role, held)?.map(|norm| HeadNorm { norm, per, at }))
    }

    pub(crate) fn wrong(&self, error: &dyn std::error::Error) -> Error {
        component(self.index, error)
    }

    pub(crate) fn mixer(
        &self,
        held: OfAttention,
        of_delta: OfDelta,
        turn: Option<usize>,
    ) -> Result<Branch, Error> {
        self.check_together()?;
        if let Some(delta) = &self.layer.delta {
            return self.delta(delta, of_delta).map(Box::new).map(Branch::Delta);
        }
        match &self.layer.latent {
            Some(latent) => self.of_latent(latent, held, turn).map(Box::new).map(Branch::Latent),
            None => self.heads(held, turn).map(Box::new).map(Branch::Heads),
        }
    }

    fn heads(&self, held: OfAttention, turn: Option<usize>) -> Result<AttentionBranch, Error> {
        // The rest of the roles are of latents.
        let OfAttention {
            query,
            key,
            value,
            query_norm,
            key_norm,
            value_norm,
            sink,
            attention_gate,
            attention_output,
            ..
        } = held;
        let attention = &self.layer.attention;
        self.check_source(attention)?;
        let keys = || -> Result<Keys, Error> {
            Ok(Keys {
                key: key.linear(Role::Key)?,
                value: match attention.values {
                    Values::Projected => Some(value.linear(Role::Value)?),
                    Values::Key => None,
                },
                key_norm: self.of_heads(Role::KeyNorm, key_norm)?,
                value_norm: self.of_heads(Role::ValueNorm, value_norm)?,
            })
        };
        Ok(AttentionBranch {
            query: query.linear(Role::Query)?,
            keys: if attention.source.is_none() { Some(keys()?) } else { None },
            source: attention.source.unwrap_or(self.index),
            gate: attention_gate.optional(),
            output: attention_output.linear(Role::AttentionOutput)?,
            query_norm: self.of_heads(Role::QueryNorm, query_norm)?,
            turn,
            grown: grown(attention),
            reach: attention.reach(),
            core: self.core(sink)?,
        })
    }

    /// Words that say nothing beside one another: a layer that has both was not resolved by anybody.
    fn check_together(&self) -> Result<(), Error> {
        let Layer { attention, latent, delta, mlp, experts, .. } = self.layer;
        let both = attention.window.is_some() && attention.chunk.is_some();
        let plain = experts.is_some() && mlp.kind == MlpKind::Plain;
        let odd = latent.as_ref().is_some_and(|latent| {
            attention.kv_heads != attention.heads
                || attention.head_dim != latent.unturned + latent.turned
                || attention.softcap.is_some()
                || attention.logn.is_some()
                || attention.source.is_some()
                || attention.values != Values::Projected
        });
        let wrong = [
            (both, "a chunk beside a window"),
            (plain, "experts beside a plain kind of MLP"),
            (odd, "what is said of heads beside a latent"),
            (latent.is_some() && delta.is_some(), "a latent beside a delta net"),
        ];
        match wrong.into_iter().find(|(is_so, _)| *is_so) {
            Some((_, what)) => {
                Err(Error::Component { layer: self.index, message: format!("{what} is not defined") })
            }
            None => Ok(()),
        }
    }

    /// The cache of another layer is read as if it were the own one, so it must be of its shape.
    fn check_source(&self, attention: &Attention) -> Result<(), Error> {
        let Some(source) = attention.source else { return Ok(()) };
        let from = self
            .architecture
            .layers
            .get(source)
            .filter(|from| source < self.index && from.latent.is_none() && from.delta.is_none());
        let shape = |attention: &Attention| [attention.kv_heads, attention.head_dim];
        match from.map(|from| &from.attention) {
            Some(from) if from.source.is_none() && shape(from) == shape(attention) => Ok(()),
            Some(_) | None => {
                let message = format!("the keys and values of layer {source} can't be read as its own");
                Err(Error::Component { layer: self.index, message })
            }
        }
    }

    /// The sums over keys. What is `_` here acts on queries and keys before them, or says which keys are seen.
    fn core(&self, sink: Held) -> Result<Core, Error> {
        let &Attention {
            heads,
            kv_heads,
            head_dim,
            scale,
            softcap,
            window: _,
            chunk: _,
            logn: _,
            temperature: _,
            values: _,
            source: _,
            dual_chunk: _,
            position,
        } = &self.layer.attention;
        let slopes = match position {
            Position::Alibi => Some(camelid_alibi::slopes(heads)),
            Position::Rope | Position::None => None,
        };
        let sinks = sink.vector().map(|(sinks, _)| sinks);
        let settings =
            camelid_attention::Settings { heads, kv_heads, head_dim, scale, softcap, slopes, sinks };
        Core::new(settings).map_err(|error| self.wrong(&error))
    }

    fn of_latent(
        &self,
        latent: &Latent,
        held: OfAttention,
        turn: Option<usize>,
    ) -> Result<LatentBranch, Error> {
        let &Latent { rank, query_rank, unturned, turned, value_dim } = latent;
        // The rest of the roles are of heads that have keys of their own.
        let OfAttention {
            query_down,
            query_down_norm,
            query,
            latent_down,
            latent_norm,
            latent_up,
            attention_gate,
            attention_output,
            ..
        } = held;
        let attention = &self.layer.attention;
        let settings = camelid_latent::Settings {
            heads: attention.heads,
            rank,
            unturned,
            turned,
            value_dim,
            scale: attention.scale,
        };
        let query = query.linear(Role::Query)?;
        let queries = match query_rank {
            Some(_) => Queries::Latent {
                down: query_down.linear(Role::QueryDown)?,
                norm: self.needed_norm(Role::QueryDownNorm, query_down_norm)?,
                up: query,
            },
            None => Queries::Straight(query),
        };
        let norm = self.needed_norm(Role::LatentNorm, latent_norm)?;
        let core = LatentCore::new(settings, latent_up.linear(Role::LatentUp)?);
        Ok(LatentBranch {
            queries,
            compression: Compression { down: latent_down.linear(Role::LatentDown)?, norm, rank },
            core: core.map_err(|error| self.wrong(&error))?,
            gate: attention_gate.optional(),
            output: attention_output.linear(Role::AttentionOutput)?,
            turn,
            grown: grown(attention),
            reach: attention.reach(),
        })
    }

    pub(crate) fn layered(&self, [gate, output, norm]: [Held; 3]) -> Result<Option<LayeredPart>, Error> {
        if self.architecture.per_layer.is_none() {
            return Ok(None);
        }
        Ok(Some(LayeredPart {
            gate: gate.linear(Role::LayerGate)?,
            output: output.linear(Role::LayerOutput)?,
            norm: self.needed_norm(Role::LayerOutputNorm, norm)?,
            activation: self.layer.mlp.activation,
        }))
    }

    pub(crate) fn mlp(&self, mut held: OfMlp) -> Result<MlpPart, Error> {
        let dense = [&mut held.gate, &mut held.up, &mut held.down].map(std::mem::take);
        let norm = std::mem::take(&mut held.dense_output_norm);
        match &self.layer.experts {
            None => Ok(MlpPart::Dense(self.dense(dense)?)),
            Some(experts) if experts.beside => {
                let norm = self.norm(Role::DenseOutputNorm, norm)?;
                Ok(MlpPart::Both(self.dense(dense)?, norm, self.sparse(experts, held)?))
            }
            Some(experts) => Ok(MlpPart::Sparse(self.sparse(experts, held)?)),
        }
    }

    fn dense(&self, [gate, up, down]: [Held; 3]) -> Result<Mlp, Error> {
        let (up, down) = (up.linear(Role::Up)?, down.linear(Role::Down)?);
        let layers = match self.layer.mlp.kind {
            MlpKind::Gated => Layers::Gated { gate: gate.linear(Role::Gate)?, up, down },
            MlpKind::Plain => Layers::Plain { up, down },
        };
        Mlp::new(layers, glu(&self.layer.mlp)).map_err(|error| self.wrong(&error))
    }

    fn sparse(&self, words: &Experts, held: OfMlp) -> Result<Sparse, Error> {
        // The dense MLP has been taken out.
        let OfMlp {
            gate: _,
            up: _,
            down: _,
            dense_output_norm: _,
            router_norm,
            router,
            router_correction,
            router_factor,
            experts_norm,
            shared_gate,
            shared_up,
            shared_down,
            shared_score,
            experts_output_norm,
            experts: tensors,
        } = held;
        let wrong = |error: camelid_experts::Error| self.wrong(&error);
        let mut router = Router::new(words.settings(), router.linear(Role::Router)?).map_err(wrong)?;
        if let Some((correction, _)) = router_correction.vector() {
            router = router.with_correction(correction).map_err(wrong)?;
        }
        if let Some((factors, _)) = router_factor.vector() {
            router = router.with_factors(factors).map_err(wrong)?;
        }
        let shared = match words.shared {
            None => None,
            Some(_) => {
                let (up, down) = (shared_up.linear(Role::SharedUp)?, shared_down.linear(Role::SharedDown)?);
                let layers = Layers::Gated { gate: shared_gate.linear(Role::SharedGate)?, up, down };
                let mlp = Mlp::new(layers, glu(&self.layer.mlp)).map_err(|error| self.wrong(&error))?;
                Some(Shared { mlp, gate: shared_score.optional() })
            }
        };
        let all = experts(&tensors, words.count)?;
        Ok(Sparse {
            router_norm: self.norm(Role::RouterNorm, router_norm)?,
            norm: self.norm(Role::ExpertsNorm, experts_norm)?,
            experts: camelid_experts::Experts::new(router, all, glu(&self.layer.mlp), shared)
                .map_err(wrong)?,
            output_norm: self.norm(Role::ExpertsOutputNorm, experts_output_norm)?,
        })
    }
}

fn glu(mlp: &waist::Mlp) -> Glu {
    let &waist::Mlp { kind: _, width: _, activation, alpha, limit, shift } = mlp;
    Glu { activation, alpha, limit, shift }
}

fn grown(attention: &Attention) -> Grown {
    Grown { logn: attention.logn, temperature: attention.temperature.clone() }
}

impl Attention {
    /// Which keys a query sees, where neither a prefix is read both ways nor dual chunks are attended to.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let window = self.window.filter(|window| *window > 0).map(Reach::Window);
        let chunk = self.chunk.filter(|chunk| *chunk > 0).map(Reach::Chunk);
        window.or(chunk).unwrap_or(Reach::Causal)
    }
}
