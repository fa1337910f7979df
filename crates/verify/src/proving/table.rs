//! What each word is changed to, by its meaning: one line for each change.

use camelid_families::{Architecture, Role};
use serde_json::{Value as Json, json};

use super::kinds::{Target, Tries};
use crate::changes::ACTIVATIONS;
use crate::changes::every_word::knows_every_word;

/// One change of a word.
pub(super) struct Line {
    pub(super) word: &'static str,
    pub(super) name: &'static str,
    pub(super) tries: fn(&Target<'_>) -> Tries,
}

const fn line(word: &'static str, name: &'static str, tries: fn(&Target<'_>) -> Tries) -> Line {
    Line { word, name, tries }
}

/// Every change.
pub(super) const TABLE: &[Line] = &[
    line("embedding.vocab", "one row fewer", |t| t.by(-1)),
    line("embedding.width", "one feature fewer", |t| t.by(-1)),
    line("embedding.scale", "half as much again", |t| t.times(1.5)),
    line("per_layer.width", "one feature fewer", |t| t.by(-1)),
    line("per_layer.vocab", "one row fewer", |t| t.by(-1)),
    line("per_layer.scale", "half as much again", |t| t.times(1.5)),
    line("per_layer.projection_scale", "half as much again", |t| t.times(1.5)),
    line("per_layer.joint_scale", "half as much again", |t| t.times(1.5)),
    line("block.layers", "the last layer left out", |t| {
        vec![t.editor.changed(|architecture| {
            architecture.layers.pop();
            architecture.stack.layers -= 1;
        })]
    }),
    line("block.context", "half as much again", |t| t.times(1.5)),
    line("block.wiring", "the other", |t| t.other(&["sequential", "parallel"])),
    line("block.branch_scale", "half as much again", |t| t.times(1.5)),
    line("block.residual", "the other", |t| {
        let normed = |role| t.editor.architecture.tensor(Some(0), role).is_some();
        let differ = normed(Role::AttentionNorm) || normed(Role::MlpNorm); // else the normed input is the stream
        if differ { t.other(&["stream", "norm"]) } else { Vec::new() }
    }),
    line("block.residual_scale", "half as much again", |t| t.times(1.5)),
    line("norm.kind", "the other", |t| t.other(&["rms", "layer"])),
    line("norm.eps", "tenfold", |t| t.times(10.0)),
    line("norm.offset", "1 + w for w, or w for 1 + w", |t| t.map(|old| old.as_f64().map(|x| json!(1.0 - x)))),
    line("attention.heads", "half as many, twice as large", |t| vec![t.heads(1, 2), t.heads(2, 1)]),
    line("attention.kv_heads", "one fewer", |t| t.by(-1)),
    line("attention.kv_heads", "half as many, twice as large", |t| vec![t.heads(1, 2), t.heads(2, 1)]),
    line("attention.head_dim", "half as large, twice as many", |t| vec![t.heads(2, 1), t.heads(1, 2)]),
    line("attention.scale", "half as much again", |t| t.times(1.5)),
    line("attention.softcap", "dropped", |t| t.dropped()),
    line("attention.softcap", "half as much again", |t| t.times(1.5)),
    line("attention.softcap", "put in", |t| t.put_in(json!(1.0))),
    line("attention.window", "one key more", |t| t.by(1)),
    line("attention.window", "one key fewer", |t| t.by(-1)),
    line("attention.window", "dropped", |t| t.dropped()),
    line("attention.window", "on all layers", |t| {
        let width = t.editor.values(t.word).into_iter().find(|width| !width.is_null());
        vec![t.editor.set(t.word, |_, old| if old.is_null() { width.clone() } else { None })]
    }),
    line("attention.window", "put in", |t| t.put_in(json!(t.tokens() / 2))),
    line("attention.chunk", "half as much again", |t| t.times(1.5)),
    line("attention.chunk", "dropped", |t| t.dropped()),
    line("attention.chunk", "put in", |t| t.put_in(json!(t.tokens() / 2))),
    line("attention.temperature", "dropped", |t| t.dropped()),
    line("attention.temperature", "put in", |t| {
        t.put_in(json!({ "beta": 0.5, "length": t.tokens() / 4 + 1 }))
    }),
    line("attention.values", "the other", |t| t.other(&["projected", "key"])),
    line("attention.source", "the layer before", |t| t.by(-1)),
    line("attention.source", "put in", |t| {
        let borrowed = |layer: usize, old: &Json| {
            (layer > 0 && old.is_null()).then(|| json!(layer - 1)).filter(|_| layer + 1 == t.editor.layers())
        };
        vec![t.editor.set(t.word, borrowed)]
    }),
    line("attention.logn", "dropped", |t| t.dropped()),
    line("attention.logn", "half as much again", |t| t.times(1.5)),
    line("attention.logn", "put in", |t| t.put_in(json!((t.tokens() / 2).max(2)))),
    line("attention.dual_chunk", "dropped", |t| t.dropped()),
    line("attention.dual_chunk", "put in", |t| {
        let axes =
            t.editor.architecture.layers.iter().filter_map(|layer| layer.rope.as_ref()).map(|rope| rope.axes);
        let local = t.tokens() / 8 + 1;
        let chunks = json!({ "chunk_size": 3 * local, "local_size": local });
        if axes.min() == Some(1) { t.put_in(chunks) } else { Vec::new() }
    }),
    line("attention.dual_chunk", "growth put in", |t| {
        let grown = |_: usize, old: &Json| {
            let mut chunks = old.as_object()?.clone();
            let trained =
                chunks.get_mut("original_max_position_embeddings").filter(|trained| trained.is_null())?;
            *trained = json!(t.tokens() / 2);
            Some(Json::Object(chunks))
        };
        vec![t.editor.set(t.word, grown)]
    }),
    line("attention.position", "rope", |t| t.positioned("rope")),
    line("attention.position", "alibi", |t| t.positioned("alibi")),
    line("attention.position", "none", |t| t.positioned("none")),
    line("rope.theta", "half as large again", |t| t.times(1.5)),
    line("rope.pairing", "the other", |t| t.other(&["half", "adjacent"])),
    line("rope.rest", "the other", |t| {
        let turning = t.editor.architecture.layers.iter().filter_map(|layer| layer.rope.as_ref());
        let some_stay = turning.clone().any(|rope| rope.fraction < 1.0); // else no pair stays in either way
        if some_stay { t.other(&["trailing", "slowest"]) } else { Vec::new() }
    }),
    line("rope.fraction", "fewer features turn, or more", |t| {
        let two_fewer = |layer: usize, old: &Json| {
            let head_dim = t.editor.architecture.layers[layer].attention.head_dim as f64;
            old.as_f64().map(|fraction| json!(fraction - 2.0 / head_dim))
        };
        [t.times(0.5), t.times(2.0), vec![t.editor.set(t.word, two_fewer)]].concat()
    }),
    line("rope.context", "half as large again", |t| t.times(1.5)),
    line("rope.scaling", "dropped", |t| t.map(|old| (!unscaled(old)).then_some(Json::Null))),
    line("rope.scaling", "put in: linear, by 2", |t| {
        let linear = json!({ "rope_type": "linear", "factor": 2.0 });
        t.map(|old| unscaled(old).then(|| linear.clone()))
    }),
    line("rope.length", "the other", |t| t.other(&["current", "first"])),
    line("rope.axes", "one instead of two", |t| t.map(|old| (old == &json!(2)).then(|| json!(1)))),
    line("rope.round", "dropped", |t| t.dropped()),
    line("rope.round", "put in", |t| t.put_in(json!("f16"))),
    line("prefix.until", "the token after it", |t| {
        let next = t.ids.iter().skip_while(|id| json!(id) != t.editor.values(t.word)[0]).nth(1);
        next.map(|id| t.map(|_| Some(json!(id)))).unwrap_or_default()
    }),
    line("prefix.hold", "dropped", |t| t.map(|_| Some(json!([])))),
    line("latent.rank", "one fewer", |t| t.by(-1)),
    line("latent.query_rank", "one fewer", |t| t.by(-1)),
    line("latent.query_rank", "dropped", |t| t.dropped()),
    line("latent.unturned", "one fewer", |t| t.by(-1)),
    line("latent.turned", "two fewer", |t| t.by(-2)),
    line("latent.value_dim", "one fewer", |t| t.by(-1)),
    line("delta.key_heads", "half as many, twice as large", |t| {
        vec![t.delta_heads(1, 2), t.delta_heads(2, 1)]
    }),
    line("delta.value_heads", "half as many, twice as large", |t| {
        vec![t.value_heads(1, 2), t.value_heads(2, 1)]
    }),
    line("delta.share", "the other", |t| {
        if t.shares_keys() { t.other(&["groups", "turns"]) } else { Vec::new() }
    }),
    line("delta.key_dim", "half as large, twice as many", |t| vec![t.delta_heads(2, 1), t.delta_heads(1, 2)]),
    line("delta.value_dim", "half as large, twice as many", |t| {
        vec![t.value_heads(2, 1), t.value_heads(1, 2)]
    }),
    line("delta.conv_width", "one tap fewer", |t| t.by(-1)),
    line("delta.decay", "the other", |t| t.other(&["head", "feature"])),
    line("delta.floor", "dropped", |t| t.dropped()),
    line("delta.floor", "half as far again", |t| t.times(1.5)),
    line("delta.floor", "put in", |t| t.put_in(json!(-1.0))),
    line("delta.decay_rank", "one fewer", |t| t.by(-1)),
    line("delta.gate_rank", "one fewer", |t| t.by(-1)),
    line("delta.rate_scale", "half as much again", |t| t.times(1.5)),
    line("delta.eps", "a thousandfold", |t| t.times(1000.0)),
    line("delta.activation", "silu", |t| t.set_to("silu")),
    line("delta.activation", "sigmoid", |t| t.set_to("sigmoid")),
    line("delta.gate", "silu", |t| t.set_to("silu")),
    line("delta.gate", "sigmoid", |t| t.set_to("sigmoid")),
    line("experts.count", "one fewer", |t| t.by(-1)),
    line("experts.chosen", "one more", |t| t.by(1)),
    line("experts.chosen", "one fewer", |t| t.by(-1)),
    line("experts.width", "one fewer", |t| t.by(-1)),
    line("experts.score", "softmax", |t| t.set_to("softmax")),
    line("experts.score", "sigmoid", |t| t.set_to("sigmoid")),
    line("experts.score", "sqrt_softplus", |t| t.set_to("sqrt_softplus")),
    line("experts.over", "the other", |t| t.other(&["all", "chosen"])),
    line("experts.groups", "none", |t| {
        if !t.has_groups() {
            return Vec::new();
        }
        let all = t.editor.rewritten(|json| {
            for layer in json["layers"].as_array_mut().into_iter().flatten() {
                if let Some(experts) = layer["experts"].as_object_mut() {
                    experts.insert("groups".into(), json!(1));
                    experts.insert("groups_kept".into(), Json::Null);
                }
            }
        });
        vec![all]
    }),
    line("experts.groups_kept", "one fewer", |t| t.by(-1)),
    line("experts.groups_kept", "dropped", |t| if t.has_groups() { t.dropped() } else { Vec::new() }),
    line("experts.group_by", "the other", |t| {
        if t.has_groups() { t.other(&["best", "best_two"]) } else { Vec::new() }
    }),
    line("experts.normalise", "the other", |t| t.map(|old| old.as_bool().map(|on| json!(!on)))),
    line("experts.scale", "half as much again", |t| t.times(1.5)),
    line("experts.weigh", "the other", |t| t.other(&["output", "input"])),
    line("experts.shared", "dropped", |t| t.dropped()),
    line("experts.beside", "the other", |t| t.map(|old| old.as_bool().map(|on| json!(!on)))),
    line("mlp.alpha", "dropped", |t| t.dropped()),
    line("mlp.alpha", "half as much again", |t| t.times(1.5)),
    line("mlp.alpha", "put in", |t| t.put_in(json!(1.702))),
    line("mlp.limit", "dropped", |t| t.dropped()),
    line("mlp.limit", "half as much again", |t| t.times(1.5)),
    line("mlp.limit", "put in", |t| t.put_in(json!(0.01))),
    line("mlp.shift", "one more", |t| t.map(|old| old.as_f64().map(|shift| json!(shift + 1.0)))),
    line("mlp.kind", "the other", |t| {
        vec![t.editor.changed(|architecture| {
            for layer in &mut architecture.layers {
                layer.mlp.kind = camelid_families::MlpKind::Plain;
                for named in &mut layer.tensors {
                    named.roles.retain(|role| *role != Role::Gate);
                }
                layer.tensors.retain(|named| !named.roles.is_empty());
            }
        })]
    }),
    line("mlp.width", "one feature fewer", |t| t.by(-1)),
    line("mlp.activation", "silu", |t| t.to(ACTIVATIONS[0])),
    line("mlp.activation", "gelu", |t| t.to(ACTIVATIONS[1])),
    line("mlp.activation", "gelu_pytorch_tanh", |t| t.to(ACTIVATIONS[2])),
    line("mlp.activation", "quick_gelu", |t| t.to(ACTIVATIONS[3])),
    line("mlp.activation", "relu", |t| t.to(ACTIVATIONS[4])),
    line("output.tie", "the head is the embedding", |t| {
        vec![t.editor.changed(|architecture| {
            if architecture.output.tie {
                return;
            }
            architecture.output.tie = true;
            architecture.tensors.retain(|named| named.roles != [Role::Output]);
        })]
    }),
    line("output.tie", "a head of its own", |t| t.map(|old| (old == &json!(true)).then(|| json!(false)))),
    line("output.unit_rows", "the other", |t| t.map(|old| old.as_bool().map(|on| json!(!on)))),
    line("output.scale", "half as much again", |t| t.times(1.5)),
    line("output.softcap", "dropped", |t| t.dropped()),
    line("output.softcap", "half as much again", |t| t.times(1.5)),
    line("output.softcap", "put in", |t| t.put_in(json!(1.0))),
];

knows_every_word!(TABLE, but []);

impl Target<'_> {
    fn tokens(&self) -> usize {
        self.ids.len()
    }

    fn map(&self, edit: impl Fn(&Json) -> Option<Json>) -> Tries {
        vec![self.editor.set(self.word, |_, old| edit(old))]
    }

    fn to(&self, name: &str) -> Tries {
        self.map(|_| Some(json!(name)))
    }

    /// Whether some layer chooses from some of several groups: else nothing of groups bears on anything.
    fn has_groups(&self) -> bool {
        let experts = self.editor.architecture.layers.iter().filter_map(|layer| layer.experts.as_ref());
        experts.clone().any(|experts| experts.groups_kept.unwrap_or(experts.groups) < experts.groups)
    }

    fn by(&self, by: i64) -> Tries {
        self.map(|old| old.as_i64().map(|x| json!(x + by)))
    }

    fn times(&self, by: f64) -> Tries {
        self.map(|old| times(old, by))
    }

    fn other(&self, names: &[&str]) -> Tries {
        self.map(|old| names.iter().find(|name| **name != old).map(|name| json!(name)))
    }

    /// That name, where another is said.
    fn set_to(&self, name: &str) -> Tries {
        self.map(|old| (old.is_string() && old != name).then(|| json!(name)))
    }

    fn dropped(&self) -> Tries {
        self.map(|old| (!old.is_null()).then_some(Json::Null))
    }

    /// Where nothing was said in any layer.
    fn put_in(&self, value: Json) -> Tries {
        let nothing = self.editor.values(self.word).iter().all(Json::is_null);
        if nothing { self.map(|_| Some(value.clone())) } else { Vec::new() }
    }

    /// Each layer has the position of the next, and its rotary turns with it.
    pub(super) fn turned_with_their_ropes(&self) -> Option<Architecture> {
        self.editor.changed(|architecture| {
            let own: Vec<_> = architecture
                .layers
                .iter()
                .map(|layer| (layer.attention.position, layer.rope.clone()))
                .collect();
            let next = own.iter().cycle().skip(1);
            for (layer, (position, rope)) in architecture.layers.iter_mut().zip(next) {
                (layer.attention.position, layer.rope) = (*position, rope.clone());
            }
        })
    }

    fn positioned(&self, position: &str) -> Tries {
        let rope = json!({ "theta": 1e4, "pairing": "half" });
        let mut values = self.editor.values(self.word).into_iter();
        if values.all(|value| value == position) {
            return Vec::new();
        }
        vec![self.editor.rewritten(|json| {
            for layer in json["layers"].as_array_mut().into_iter().flatten() {
                layer["attention"]["position"] = json!(position);
                layer["rope"] = if position == "rope" { rope.clone() } else { Json::Null };
            }
        })]
    }

    /// By the type of the value, where no line says it by meaning.
    pub(super) fn by_type(&self, word: &str) -> Tries {
        let changed = |old: &Json| match old {
            Json::Bool(on) => Some(json!(!on)),
            Json::Number(_) => times(old, 1.5),
            Json::Array(all) => {
                Some(Json::Array(all.iter().map(|each| times(each, 1.5).unwrap_or_default()).collect()))
            }
            Json::Null | Json::String(_) | Json::Object(_) => None,
        };
        let up = self.editor.set(word, |_, old| changed(old));
        let down = self.editor.set(word, |_, old| times(old, 0.75));
        vec![up, down]
    }
}

/// No scaling, or the kind that is none.
fn unscaled(scaling: &Json) -> bool {
    scaling.is_null() || scaling["rope_type"] == "default"
}

/// A whole number stays one, and is not the same.
pub(super) fn times(old: &Json, by: f64) -> Option<Json> {
    match old.as_u64() {
        Some(whole) => {
            let product = (whole as f64 * by).round() as u64;
            Some(json!(if product == whole { whole + 1 } else { product }))
        }
        None => old.as_f64().map(|x| json!(x * by)),
    }
}
