//! The known mistakes: what re-implementers get wrong, each as changes to the words that would be wrong then.

use std::collections::HashSet;

use camelid_families::{Architecture, At, By, Role};
use serde_json::{Value as Json, json};

use super::edits::{
    biased, biased_where, exchanged, named, other_scalings, per_layer, permuted, ramps, released, rounded,
    scaled, scaling_with, shifted, times, values, without,
};
use super::from_config::from_config;
use super::scene::Scene;
use crate::changes::{ACTIVATIONS, Change};
use crate::oracle::Quirk;

/// One entry of the list.
struct Mistake {
    word: &'static str,
    name: &'static str,
    tries: fn(&Scene<'_>) -> Vec<Option<Architecture>>,
}

const fn mistake(
    word: &'static str,
    name: &'static str,
    tries: fn(&Scene<'_>) -> Vec<Option<Architecture>>,
) -> Mistake {
    Mistake { word, name, tries }
}

/// Slips that no word can say, with what they are called.
pub(super) const QUIRKS: [(Quirk, &str); 8] = [
    (Quirk::KvHeadsByTurns, "query heads share kv heads by turns (h mod kv_heads), not in groups"),
    (Quirk::EpsOutsideRoot, "eps is added outside the root of the norm"),
    (Quirk::TurnedBackwards, "rotary turns run the other way: a sine has the wrong sign"),
    (Quirk::DecayWithoutSoftplus, "a delta net's decay lacks its softplus: g = −e^A · (a + b)"),
    (Quirk::RateNotSquashed, "a delta net's β lacks its sigmoid"),
    (Quirk::KeysOfAnyLength, "a delta net's queries and keys are not brought to length one"),
    (Quirk::ConvolutionLate, "a delta net's convolutions are shifted by one token"),
    (
        Quirk::StateLostBetweenChunks,
        "a delta net's state is not carried from one chunk of 64 tokens to the next",
    ),
];

/// Every change that is worth a try, no two the same.
pub(crate) fn changes(scene: &Scene<'_>) -> Vec<Change> {
    let mut found: Vec<Change> = Vec::new();
    let mut seen = HashSet::new();
    for Mistake { word, name, tries } in LIST {
        for architecture in tries(scene).into_iter().flatten() {
            if seen.insert(serde_json::to_string(&architecture).unwrap_or_default()) {
                let (word, name) = ((*word).to_owned(), (*name).to_owned());
                found.push(Change { word, name, architecture, quirk: Quirk::None });
            }
        }
    }
    for (word, architecture) in from_config(scene) {
        if seen.insert(serde_json::to_string(&architecture).unwrap_or_default()) {
            let (word, name) = (word.to_owned(), "a number of config.json".to_owned());
            found.push(Change { word, name, architecture, quirk: Quirk::None });
        }
    }
    found.extend(reversed(scene));
    let declared = scene.editor.architecture;
    let possible = QUIRKS.into_iter().filter(|(quirk, _)| quirk.is_possible(declared));
    found.extend(possible.map(|(quirk, name)| Change {
        word: String::new(),
        name: name.to_owned(),
        architecture: declared.clone(),
        quirk,
    }));
    found
}

/// A ramp between fast and slow pairs that runs the other way, with the attention factor or without.
fn reversed(scene: &Scene<'_>) -> Vec<Change> {
    let is_ramp = |kind: &Json| kind == &json!("yarn");
    if !scene.editor.values("rope.scaling.rope_type").iter().any(is_ramp) {
        return Vec::new();
    }
    let plain = scaling_with(scene, &[("attention_factor", json!(1.0))]);
    let architectures = [Some(scene.editor.architecture.clone()), plain];
    let change = |architecture| Change {
        word: "rope.scaling".to_owned(),
        name: "the ramp between fast and slow pairs runs the other way".to_owned(),
        architecture,
        quirk: Quirk::RampReversed,
    };
    architectures.into_iter().flatten().map(change).collect()
}

const LIST: &[Mistake] = &[
    mistake("embedding.scale", "scale of the embedding", |s| {
        [
            values(s, "embedding.scale", &[json!(1.0), json!((s.width() as f64).sqrt())]),
            times(s, "embedding.scale"),
            rounded(s, "embedding.scale"),
        ]
        .concat()
    }),
    mistake("norm.offset", "1 + w against w", |s| values(s, "norm.offset", &[json!(1.0), json!(0.0)])),
    mistake("norm.kind", "kind of norm", |s| values(s, "norm.kind", &[json!("rms"), json!("layer")])),
    mistake("norm.eps", "eps", |s| {
        [values(s, "norm.eps", &[json!(1e-5), json!(1e-6), json!(1e-12), json!(0.0)]), times(s, "norm.eps")]
            .concat()
    }),
    mistake("attention.window", "window by one", |s| {
        [1, -1].map(|by| shifted(s, "attention.window", by)).into()
    }),
    mistake("attention.window", "no window", |s| values(s, "attention.window", &[Json::Null])),
    mistake("attention.window", "window on all layers", |s| {
        let widths = s.editor.values("attention.window");
        widths
            .iter()
            .find(|w| !w.is_null())
            .map(|w| values(s, "attention.window", std::slice::from_ref(w)))
            .unwrap_or_default()
    }),
    mistake("attention.window", "window on the other layers", |s| per_layer(s, "attention.window")),
    mistake("attention.window", "window on too many layers", |s| {
        vec![s.editor.set("attention.window", |layer, _| s.layers.contains(&layer).then_some(Json::Null))]
    }),
    mistake("attention.window", "width of the window", |s| {
        let width =
            |keys: usize| s.editor.set("attention.window", |_, old| (!old.is_null()).then(|| json!(keys)));
        (1..=s.ids.len()).map(width).collect()
    }),
    mistake("attention.window", "window missing", |s| {
        let width = |layer: usize, _: &Json| s.layers.contains(&layer).then(|| json!(s.first_token.max(1)));
        let all = |_: usize, _: &Json| Some(json!(s.first_token.max(1)));
        vec![s.editor.set("attention.window", width), s.editor.set("attention.window", all)]
    }),
    mistake("attention.scale", "scale of scores", |s| {
        let heads = s.heads() as f64;
        let by_head = (s.width() as f64 / heads).powf(-0.5);
        let known = [
            json!((s.head_dim() as f64).powf(-0.5)),
            json!(by_head),
            json!(1.0),
            json!(1.0 / s.head_dim() as f64),
        ];
        values(s, "attention.scale", &known)
    }),
    mistake("attention.softcap", "soft-cap of scores", |s| {
        values(s, "attention.softcap", &[Json::Null, json!(50.0), json!(30.0)])
    }),
    mistake("attention.softcap", "soft-cap before or after the scale", |s| {
        let scale = s.editor.architecture.layers.first().map_or(1.0, |layer| layer.attention.scale);
        scaled(s, "attention.softcap", &[scale, 1.0 / scale])
    }),
    mistake("rope.pairing", "pairing", |s| values(s, "rope.pairing", &[json!("half"), json!("adjacent")])),
    mistake("rope.theta", "theta", |s| {
        let known = [1e4, 5e5, 1e6, 5e6, 1e7].map(|theta| json!(theta));
        [
            values(s, "rope.theta", &known),
            times(s, "rope.theta"),
            scaled(s, "rope.theta", &[500.0, 1.0 / 500.0]),
        ]
        .concat()
    }),
    mistake("rope.scaling", "no scaling of frequencies", |s| values(s, "rope.scaling", &[Json::Null])),
    mistake("rope.scaling", "another kind of scaling", other_scalings),
    mistake("rope.scaling", "a number of the scaling left out, or its ramp turned round", ramps),
    mistake("rope.scaling", "a number of released models in the scaling", released),
    mistake("rope.length", "which length frequencies follow", |s| {
        values(s, "rope.length", &[json!("current"), json!("first")])
    }),
    mistake("rope.context", "trained length", |s| times(s, "rope.context")),
    mistake("rope.fraction", "share of features that turn", |s| {
        values(s, "rope.fraction", &[json!(1.0), json!(0.5), json!(0.25), json!(0.75)])
    }),
    mistake("rope.round", "rounding of frequencies", |s| {
        values(s, "rope.round", &[Json::Null, json!("f16")])
    }),
    mistake("rope.axes", "rotary axes", |s| values(s, "rope.axes", &[json!(1)])),
    mistake("prefix", "no two-way prefix", |s| {
        vec![s.editor.changed(|architecture| {
            architecture.prefix = None;
            architecture
                .layers
                .iter_mut()
                .filter_map(|layer| layer.rope.as_mut())
                .for_each(|rope| rope.axes = 1);
        })]
    }),
    mistake("prefix.until", "where the prefix ends", |s| {
        let ids = s.ids.iter().map(|id| json!(id)).collect::<Vec<_>>();
        if s.editor.architecture.prefix.is_some() { values(s, "prefix.until", &ids) } else { Vec::new() }
    }),
    mistake("prefix.hold", "where places stand still", |s| {
        let reversed = |_: usize, old: &Json| old.as_array().map(|all| all.iter().rev().cloned().collect());
        if s.editor.architecture.prefix.is_none() {
            return Vec::new();
        }
        [vec![s.editor.set("prefix.hold", reversed)], values(s, "prefix.hold", &[json!([])])].concat()
    }),
    mistake("attention.position", "how places are told", |s| {
        let to = |position: &str| {
            s.editor.rewritten(|json| {
                for layer in json["layers"].as_array_mut().into_iter().flatten() {
                    layer["attention"]["position"] = json!(position);
                    layer["rope"] = Json::Null;
                }
            })
        };
        vec![to("none"), to("alibi"), s.turning()]
    }),
    mistake("attention.logn", "log-n", |s| {
        let trained = s.editor.architecture.stack.context.map(|n| json!(n)).unwrap_or_default();
        let released = [json!(2048), json!(8192)];
        [
            values(s, "attention.logn", &[Json::Null, trained]),
            values(s, "attention.logn", &released),
            times(s, "attention.logn"),
        ]
        .concat()
    }),
    mistake("attention.dual_chunk", "dual chunks", |s| values(s, "attention.dual_chunk", &[Json::Null])),
    mistake("attention.dual_chunk", "sizes of dual chunks", |s| {
        let sizes = ["attention.dual_chunk.chunk_size", "attention.dual_chunk.local_size"];
        sizes.iter().flat_map(|word| [shifted(s, word, 1), shifted(s, word, -1)]).collect()
    }),
    mistake("attention.dual_chunk", "growth beyond the trained length", |s| {
        values(s, "attention.dual_chunk.original_max_position_embeddings", &[Json::Null])
    }),
    mistake("attention.chunk", "chunks", |s| {
        [values(s, "attention.chunk", &[Json::Null]), times(s, "attention.chunk")].concat()
    }),
    mistake("attention.temperature", "queries that grow with their place", |s| {
        let counted = values(s, "attention.temperature.from", &[json!(0), json!(1)]);
        [values(s, "attention.temperature", &[Json::Null]), counted].concat()
    }),
    mistake("rope.rest", "which pairs stay", |s| {
        values(s, "rope.rest", &[json!("trailing"), json!("slowest")])
    }),
    mistake("delta.share", "which key head a value head reads", |s| {
        values(s, "delta.share", &[json!("groups"), json!("turns")])
    }),
    mistake("experts.score", "the router's score", |s| {
        values(s, "experts.score", &["softmax", "sigmoid", "sqrt_softplus"].map(|name| json!(name)))
    }),
    mistake("experts.over", "scores over all or over the chosen", |s| {
        values(s, "experts.over", &[json!("all"), json!("chosen")])
    }),
    mistake("experts.normalise", "weights that sum to one", |s| {
        values(s, "experts.normalise", &[json!(true), json!(false)])
    }),
    mistake("experts.scale", "scale of the experts", |s| {
        [values(s, "experts.scale", &[json!(1.0)]), times(s, "experts.scale")].concat()
    }),
    mistake("experts.weigh", "what a weight multiplies", |s| {
        values(s, "experts.weigh", &[json!("output"), json!("input")])
    }),
    mistake("experts.group_by", "what a group is judged by", |s| {
        values(s, "experts.group_by", &[json!("best"), json!("best_two")])
    }),
    mistake("experts.groups_kept", "groups that are kept", |s| {
        let by = ["experts.groups_kept"].into_iter();
        let near = by.flat_map(|word| [shifted(s, word, 1), shifted(s, word, -1)]).collect::<Vec<_>>();
        [values(s, "experts.groups_kept", &[Json::Null]), near].concat()
    }),
    mistake("experts.chosen", "experts of a token, by one", |s| {
        vec![shifted(s, "experts.chosen", 1), shifted(s, "experts.chosen", -1)]
    }),
    mistake("mlp.limit", "bounds of gate and up", |s| values(s, "mlp.limit", &[Json::Null, json!(7.0)])),
    mistake("mlp.shift", "what is added to up", |s| values(s, "mlp.shift", &[json!(0.0), json!(1.0)])),
    mistake("mlp.alpha", "slope within the gate", |s| values(s, "mlp.alpha", &[Json::Null, json!(1.702)])),
    mistake("block.branch_scale", "scale of the branches", |s| {
        [values(s, "block.branch_scale", &[json!(1.0)]), times(s, "block.branch_scale")].concat()
    }),
    mistake("block.residual_scale", "scale of the residual", |s| {
        let depth = (2.0 * s.editor.layers() as f64).sqrt();
        [values(s, "block.residual_scale", &[json!(1.0), json!(depth)]), times(s, "block.residual_scale")]
            .concat()
    }),
    mistake("block.residual", "what the residual carries", |s| {
        values(s, "block.residual", &[json!("stream"), json!("norm")])
    }),
    mistake("block.wiring", "wiring", |s| {
        values(s, "block.wiring", &[json!("sequential"), json!("parallel")])
    }),
    mistake("mlp.activation", "activation", |s| {
        values(s, "mlp.activation", &ACTIVATIONS.map(|name| json!(name)))
    }),
    mistake("mlp.kind", "kind of MLP", |s| values(s, "mlp.kind", &[json!("gated"), json!("plain")])),
    mistake("output.tie", "tied head", |s| values(s, "output.tie", &[json!(true), json!(false)])),
    mistake("output.unit_rows", "rows of length one", |s| {
        values(s, "output.unit_rows", &[json!(true), json!(false)])
    }),
    mistake("output.scale", "scale of logits", |s| {
        let now = s.editor.architecture.output.scale;
        [values(s, "output.scale", &[json!(1.0), json!(1.0 / now)]), times(s, "output.scale")].concat()
    }),
    mistake("output.softcap", "soft-cap of logits", |s| {
        values(s, "output.softcap", &[Json::Null, json!(30.0), json!(50.0)])
    }),
    mistake("output.softcap", "soft-cap before or after the scale", |s| {
        let scale = s.editor.architecture.output.scale;
        scaled(s, "output.softcap", &[scale, 1.0 / scale])
    }),
    mistake("tensors", "order of packed rows", permuted),
    mistake("tensors", "rows by group, or one after the other", |s| {
        vec![named(s, |named| named.by = if named.by == By::Rows { By::Group } else { By::Rows })]
    }),
    mistake("tensors", "names exchanged", exchanged),
    mistake("tensors", "a norm or a list of numbers left out", |s| {
        LEFT_OUT.map(|role| without(s, role)).into()
    }),
    mistake("bias", "bias left out", |s| Role::ALL.map(|role| biased(s, role)).into()),
    mistake("bias", "biases left out together", |s| {
        let attention = [Role::Query, Role::Key, Role::Value];
        let inside = |role: Role| attention.contains(&role) || role == Role::AttentionOutput;
        vec![
            biased_where(s, |_| true),
            biased_where(s, |role| attention.contains(&role)),
            biased_where(s, inside),
            biased_where(s, |role| !inside(role)),
        ]
    }),
    mistake("tensors", "norm of heads before or after the turn", |s| {
        vec![named(s, |named| {
            if named.roles.iter().any(|role| matches!(role, Role::QueryNorm | Role::KeyNorm)) {
                named.at = if named.at == At::BeforeRope { At::AfterRope } else { At::BeforeRope };
            }
        })]
    }),
];

const LEFT_OUT: [Role; 22] = [
    Role::DeltaNorm,
    Role::EmbeddingNorm,
    Role::ValueNorm,
    Role::QueryDownNorm,
    Role::LatentNorm,
    Role::DenseOutputNorm,
    Role::RouterNorm,
    Role::ExpertsNorm,
    Role::ExpertsOutputNorm,
    Role::Sink,
    Role::RouterCorrection,
    Role::RouterFactor,
    Role::LayerScale,
    Role::LayerProjectionNorm,
    Role::LayerOutputNorm,
    Role::AttentionNorm,
    Role::QueryNorm,
    Role::KeyNorm,
    Role::AttentionOutputNorm,
    Role::MlpNorm,
    Role::MlpOutputNorm,
    Role::FinalNorm,
];
