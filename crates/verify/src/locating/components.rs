//! Whose code stands at a stage at which ours is wrong.

use camelid_families::{Layer, Position, Role, Scaling, Stage, Tap};
use ndarray::{Array2, Axis};

use super::track::Fault;
use crate::oracle::Oracle;
use crate::told::Distance;

/// Which crates' code stands at a stage, the likeliest first, and what speaks for it.
pub(crate) fn components(
    fault: &Fault,
    oracle: &Oracle<'_>,
    tolerance: f64,
) -> (Vec<&'static str>, &'static str) {
    let Some(tap) = fault.tap else { return head(fault, oracle, tolerance) };
    let layer = tap.layer.map(|layer| &oracle.architecture().layers[layer]);
    let chunked = layer.is_some_and(|layer| layer.attention.dual_chunk.is_some());
    let sloped = layer.is_some_and(|layer| layer.attention.position == Position::Alibi);
    let latent = layer.is_some_and(|layer| layer.latent.is_some());
    let stepped = layer.is_some_and(|layer| layer.delta.is_some());
    let sparse = layer.is_some_and(|layer| layer.experts.is_some());
    let multiples = fault.parts_are_multiples(Axis(0), tolerance);
    match tap.stage {
        Stage::Embedding => (vec!["families", "linear"], "the look-up of tokens and its scale"),
        Stage::AttentionInput | Stage::FinalNorm if !multiples => {
            (vec!["norm"], "the norm, along the features of a row")
        }
        Stage::AttentionInput | Stage::FinalNorm => {
            (vec!["norm"], "the norm: rows are enlarged or reduced as a whole")
        }
        Stage::MlpInput if multiples => {
            (vec!["norm"], "the norm before the MLP: rows are enlarged or reduced as a whole")
        }
        Stage::MlpInput => {
            (vec!["families", "norm"], "how attention joins the stream, or the norms around it")
        }
        Stage::Layer if sparse => (
            vec!["experts", "families", "norm"],
            "experts beside the MLP, how they join the stream, or a norm",
        ),
        Stage::Layer => (vec!["families", "norm"], "how the MLP joins the stream, or the norm after it"),
        Stage::Query | Stage::Key | Stage::Value if stepped => (
            vec!["short-conv", "linear", "families"],
            "the projection, its convolution, or the activation behind it",
        ),
        Stage::Heads if stepped => (
            vec!["delta-net"],
            "the decay, the rate, the length of queries and keys, or how the state goes on",
        ),
        Stage::AttentionOutput if stepped => (
            vec!["norm", "mlp", "linear"],
            "the norm of the heads, their gate, or the projection behind them",
        ),
        Stage::Query | Stage::Key => turned(fault, oracle, tap, tolerance),
        Stage::Value => projected(oracle, tap, Role::Value),
        Stage::Heads if chunked => {
            (vec!["dual-chunk", "attention"], "the three runs of keys and their softmax")
        }
        Stage::Heads if sloped => {
            (vec!["attention", "alibi"], "scores and slopes, softmax, the run of keys, or the cache")
        }
        Stage::Heads if latent => {
            (vec!["latent", "attention"], "the latent or what is made of it, scores, softmax, or the cache")
        }
        Stage::Heads => (vec!["attention"], "scores, softmax, the run of keys, or the cache"),
        Stage::AttentionOutput => (vec!["linear"], "the projection of the heads"),
        Stage::Experts => (vec!["experts"], "the router: its scores, groups, or which are the largest"),
        Stage::ExpertWeights => (vec!["experts"], "the router: what the chosen weigh"),
        Stage::MlpOutput if sparse => {
            (vec!["experts", "mlp", "linear"], "an expert, the shared one, or how they are added")
        }
        Stage::MlpOutput => (vec!["mlp", "linear"], "the activation, or one of the projections"),
    }
}

/// A wrong factor of a row of the head makes one logit a multiple, for every token.
fn head(fault: &Fault, oracle: &Oracle<'_>, tolerance: f64) -> (Vec<&'static str>, &'static str) {
    let output = &oracle.architecture().output;
    let factors = fault.parts_are_multiples(Axis(1), tolerance);
    match (factors, output.unit_rows, output.softcap) {
        (true, true, _) => (vec!["norm", "families"], "the rows of the head, brought to length one"),
        (true, false, _) => (vec!["families", "linear"], "the scale of logits"),
        (false, _, Some(_)) => (vec!["attention", "families", "linear"], "the head and its soft-cap"),
        (false, _, None) => (vec!["linear", "families"], "the head"),
    }
}

/// Rows of a packed tensor are told apart by the composition.
fn projected(oracle: &Oracle<'_>, tap: Tap, role: Role) -> (Vec<&'static str>, &'static str) {
    let packed = oracle.architecture().tensor(tap.layer, role).is_some_and(|named| named.roles.len() > 1);
    if packed {
        (vec!["linear", "families"], "the projection, or which rows of the packed tensor are its own")
    } else {
        (vec!["linear"], "the projection")
    }
}

/// A turn keeps the length of every head; a projection or a norm that is wrong does not.
fn turned(fault: &Fault, oracle: &Oracle<'_>, tap: Tap, tolerance: f64) -> (Vec<&'static str>, &'static str) {
    let Some(layer) = tap.layer.map(|layer| &oracle.architecture().layers[layer]) else {
        return (vec!["linear"], "the projection");
    };
    let rotary = if layer.attention.dual_chunk.is_some() { "dual-chunk" } else { rotary(layer) };
    let size = |x: &Array2<f64>| {
        let heads = oracle.heads(tap).unwrap_or(1);
        let part = x.ncols() / heads;
        Array2::from_shape_fn((x.nrows(), heads), |(token, head)| {
            (0..part).map(|d| x[[token, head * part + d]].powi(2)).sum::<f64>().sqrt()
        })
    };
    let (ours, theirs) = (size(&fault.value), size(&fault.oracle));
    let kept = Distance::between(ours.view(), theirs.view()).relative <= 10.0 * tolerance;
    let first_is_right = !fault.spread(oracle, tolerance).tokens.contains(&0);
    let has = |role| oracle.architecture().tensor(tap.layer, role).is_some();
    let normed = if tap.stage == Stage::Query { has(Role::QueryNorm) } else { has(Role::KeyNorm) };
    match (layer.rope.is_some(), kept) {
        (true, true) => (vec![rotary], "every head keeps its length: the turn is wrong, not what is turned"),
        (_, false) if tap.stage == Stage::Query && layer.attention.logn.is_some() && first_is_right => {
            (vec!["attention", rotary], "queries are enlarged by their place: log-n")
        }
        (true, false) if first_is_right => (vec![rotary, "families"], "what depends on the place"),
        (_, _) if normed => {
            (vec!["norm", "linear", "families"], "the norm of heads, or the projection before it")
        }
        (true, false) if fault.parts_are_multiples(Axis(0), tolerance) => {
            (vec![rotary, "families"], "the factor of turned features")
        }
        (_, _) if tap.stage == Stage::Query => projected(oracle, tap, Role::Query),
        (_, _) => projected(oracle, tap, Role::Key),
    }
}

/// The crate that makes a layer's frequencies.
fn rotary(layer: &Layer) -> &'static str {
    match layer.rope.as_ref().and_then(|rope| rope.scaling.as_ref()) {
        Some(Scaling::Yarn(_)) => "yarn",
        Some(Scaling::Plain(_)) | None => "rope",
    }
}
