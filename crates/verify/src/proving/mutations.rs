//! What a word is changed to, by its meaning and relatively to what it says: theta half as large again, a window by one key.
//!
//! The words come from the architecture itself; a word that has no line here is changed by its type, so that none is left out.

use camelid_families::Role;
use serde_json::Value as Json;

use super::kinds::{Mutation, Target, Tries};
use super::table::TABLE;
use super::tensors::tensor_mutations;
use crate::changes::Editor;

/// Every change of a word, by name; each with what to try in turn until something loads.
pub(crate) fn mutations(editor: &Editor<'_>, word: &str, ids: &[u32]) -> Vec<(String, Vec<Mutation>)> {
    if word.starts_with("tensors.") {
        return tensor_mutations(editor, word);
    }
    let target = Target { editor, word, ids };
    let mut out: Vec<(String, Vec<Mutation>)> = Vec::new();
    let mut add = |name: &str, tries: Tries| {
        let tries: Vec<_> = tries
            .into_iter()
            .flatten()
            .map(|architecture| Mutation { architecture, also: Vec::new() })
            .collect();
        if !tries.is_empty() {
            out.push((name.to_owned(), tries));
        }
    };
    for line in TABLE.iter().filter(|line| line.word == word) {
        add(line.name, (line.tries)(&target));
    }
    for (name, tries) in by_structure(&target) {
        add(&name, tries);
    }
    if !TABLE.iter().any(|line| line.word == word) {
        add("changed", target.by_type(word));
    }
    out
}

/// A word whose value differs from layer to layer moves by a layer; a table is changed key by key.
fn by_structure(target: &Target<'_>) -> Vec<(String, Tries)> {
    let values = target.editor.values(target.word);
    let mut out = Vec::new();
    // Among the layers that have the word's table.
    let having: Vec<usize> =
        (0..values.len()).filter(|layer| target.editor.has_table(target.word, *layer)).collect();
    if having.iter().any(|layer| values[*layer] != values[having[0]]) {
        let next = |layer: usize| {
            let own = having.iter().position(|other| *other == layer)?;
            Some(having[(own + 1) % having.len()])
        };
        let shifted = match target.word {
            "attention.position" => target.turned_with_their_ropes(),
            _ => target.editor.set(target.word, |layer, _| Some(values[next(layer)?].clone())),
        };
        out.push(("pattern by one layer".to_owned(), vec![shifted]));
    }
    let table = values.iter().find_map(Json::as_object);
    for key in table.into_iter().flat_map(|table| table.keys()).filter(|key| *key != "rope_type") {
        let inner = format!("{}.{key}", target.word);
        out.push((format!("{key} changed"), target.by_type(&inner)));
    }
    out
}

/// Where experts show, first in what the router does.
const EXPERTS: &[&str] = &["experts", "expert_weights", "mlp", "layer"];

/// At which stages a change of a word may show first.
pub(crate) fn expected(word: &str, also: &[Role]) -> Vec<&'static str> {
    const ATTENTION: &[&str] = &["attention_input", "query", "key", "value", "heads", "attention"];
    const MLP: &[&str] = &["mlp_input", "experts", "expert_weights", "mlp"];
    let stages: Vec<&[&'static str]> = match word.split('.').next().unwrap_or_default() {
        "embedding" => vec![&["embedding"]],
        "per_layer" => vec![&["layer"]],
        "block" if word == "block.layers" => vec![&["layer", "final_norm"]],
        "block" => vec![MLP, &["layer"]],
        // A rounding may show first where it has grown.
        "rope" if word == "rope.round" => vec![ATTENTION, MLP, &["layer", "final_norm", "logits", "decode"]],
        "norm" => vec![ATTENTION, MLP, &["layer", "final_norm", "logits"]],
        "attention" | "latent" | "delta" | "rope" | "prefix" => vec![ATTENTION, &["decode"]],
        // Experts beside the MLP show where both have joined.
        "mlp" => vec![MLP, &["layer"]],
        "experts" => vec![EXPERTS],
        "output" => vec![&["logits"]],
        _ => also.iter().map(|role| stages_of(*role)).collect(),
    };
    stages.concat()
}

/// At which stages a tensor bears on the result first.
fn stages_of(role: Role) -> &'static [&'static str] {
    match role {
        Role::Embedding | Role::EmbeddingNorm => &["embedding"],
        Role::LayerEmbedding
        | Role::LayerProjection
        | Role::LayerProjectionNorm
        | Role::LayerGate
        | Role::LayerOutput
        | Role::LayerOutputNorm
        | Role::LayerScale => &["layer"],
        Role::AttentionNorm
        | Role::QueryDown
        | Role::QueryDownNorm
        | Role::Query
        | Role::Key
        | Role::Value
        | Role::QueryNorm
        | Role::KeyNorm
        | Role::ValueNorm
        | Role::LatentDown
        | Role::LatentNorm
        | Role::LatentUp
        | Role::Sink
        | Role::AttentionGate
        | Role::DeltaQuery
        | Role::DeltaKey
        | Role::DeltaValue
        | Role::DeltaQueryConv
        | Role::DeltaKeyConv
        | Role::DeltaValueConv
        | Role::DeltaRate
        | Role::DeltaDecayDown
        | Role::DeltaDecay
        | Role::DeltaDecayBias
        | Role::DeltaDecayLog
        | Role::DeltaNorm
        | Role::DeltaGateDown
        | Role::DeltaGate
        | Role::DeltaOutput
        | Role::AttentionOutput => &["attention_input", "query", "key", "value", "heads", "attention"],
        Role::AttentionOutputNorm | Role::MlpNorm | Role::Gate | Role::Up | Role::Down => {
            &["mlp_input", "experts", "expert_weights", "mlp"]
        }
        Role::RouterNorm
        | Role::Router
        | Role::RouterCorrection
        | Role::RouterFactor
        | Role::ExpertsNorm
        | Role::ExpertGate
        | Role::ExpertUp
        | Role::ExpertDown
        | Role::SharedGate
        | Role::SharedUp
        | Role::SharedDown
        | Role::SharedScore
        | Role::ExpertsOutputNorm => EXPERTS,
        Role::DenseOutputNorm | Role::MlpOutputNorm => &["layer"],
        Role::FinalNorm => &["final_norm"],
        Role::Output => &["logits"],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::times;
    use super::*;

    #[test]
    fn every_word_of_the_schema_is_changed_by_its_meaning() {
        for word in camelid_families::words() {
            let name = format!("{}.{}", word.table, word.key);
            assert!(TABLE.iter().any(|line| line.word == name), "`{name}` is changed by its type alone");
        }
    }

    #[test]
    fn a_whole_number_stays_one_and_is_not_the_same() {
        for whole in [0u64, 1, 2, 7, 4096] {
            let changed = times(&json!(whole), 1.5).and_then(|value| value.as_u64());
            assert!(changed.is_some_and(|changed| changed != whole), "{whole} → {changed:?}");
        }
    }
}
