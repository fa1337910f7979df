//! Component vectors: what the cases' small heads can't tell apart, told by the references' own tables at larger sizes.
//!
//! A vector is run as a model of one layer whose embedding holds the vector's queries, keys and values side by side and whose
//! projections pick them out: so it goes through the whole composition, and is changed by the same words as a case.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use camelid_checkpoint::{Checkpoint, Dtype, Source, Tensor, read_safetensors};
use camelid_families::{Architecture, Backend, Model, Stage, Tap};
use ndarray::Array2;
use serde_json::{Map, Value as Json, json};

use super::mutations::mutations;
use crate::changes::Editor;
use crate::error::Error;
use crate::running::{Subject, decode};
use crate::told::{Distance, TOLERANCE, stage_name};

/// A component's input and what the reference makes of it at one stage.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) stage: Stage,
    /// The changes that no case of small heads can tell apart.
    proves: &'static [(&'static str, &'static str)],
    architecture: Architecture,
    checkpoint: Checkpoint,
    /// Rows of the stage, and what they are.
    expected: Vec<(usize, Vec<f64>)>,
}

static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    [yarn(), dual_chunk()].into_iter().collect::<Result<_, _>>().expect("a test reads the vectors")
});

/// The vector that passes as it is and fails for the change, if there is one that knows the word.
pub(crate) fn proves(word: &str, change: &str) -> Option<&'static Vector> {
    let asked = VECTORS.iter().filter(|vector| vector.proves.contains(&(word, change)));
    asked.into_iter().find(|vector| {
        let ids: Vec<u32> = (0..vector.architecture.embedding.vocab as u32).collect();
        let editor = Editor::new(&vector.architecture);
        let changes = mutations(&editor, word, &ids);
        let tries = changes.into_iter().find(|(name, _)| name == change).map(|(_, tries)| tries);
        let changed =
            tries.and_then(|tries| tries.into_iter().find_map(|to| vector.passes(&to.architecture).ok()));
        vector.passes(&vector.architecture).unwrap_or(false) && changed == Some(false)
    })
}

impl Vector {
    fn passes(&self, architecture: &Architecture) -> Result<bool, Error> {
        let model =
            Model::load(architecture.clone(), &self.checkpoint, Backend::serial(), &[], &mut |_, _| {})?;
        let ids: Vec<u32> = (0..architecture.embedding.vocab as u32).collect();
        let run = decode(Subject::new(&model), &ids, ids.len())?;
        let Some(value) = run.value(Tap { layer: Some(0), stage: self.stage }) else { return Ok(false) };
        let wide = self.expected.first().map_or(0, |(_, row)| row.len());
        let ours =
            Array2::from_shape_fn((self.expected.len(), wide), |(row, d)| value[[self.expected[row].0, d]]);
        let theirs = Array2::from_shape_fn((self.expected.len(), wide), |(row, d)| self.expected[row].1[d]);
        Ok(Distance::between(ours.view(), theirs.view()).relative <= TOLERANCE)
    }

    /// Its stage's name in reports.
    pub(crate) fn stage(&self) -> &'static str {
        stage_name(self.stage)
    }
}

/// transformers' table of YaRN at a head of 64 with a band of its own: the cosines and sines are turned ones.
fn yarn() -> Result<Vector, Error> {
    let table: Json = serde_json::from_str(include_str!("../../vectors/yarn.json")).unwrap_or_default();
    let numbers =
        |value: &Json| value.as_array().into_iter().flatten().filter_map(Json::as_f64).collect::<Vec<_>>();
    let head_dim = table["head_dim"].as_u64().unwrap_or_default() as usize;
    let positions: Vec<usize> = numbers(&table["positions"]).into_iter().map(|x| x as usize).collect();
    let tokens = positions.last().map_or(0, |last| last + 1);
    let rope = json!({
        "theta": table["theta"], "pairing": "half", "context": table["context"], "scaling": table["scaling"],
    });
    let attention =
        json!({ "heads": 1, "kv_heads": 1, "head_dim": head_dim, "scale": 1.0, "position": "rope" });
    let row: Vec<f32> = (0..3 * head_dim).map(|d| f32::from(d % head_dim < head_dim / 2)).collect();
    let turned = table["turned"].as_array().cloned().unwrap_or_default();
    Ok(Vector {
        name: "vectors/yarn.json",
        stage: Stage::Query,
        proves: &[
            ("rope.scaling", "beta_fast changed"),
            ("rope.scaling", "beta_slow changed"),
            ("rope.scaling", "original_max_position_embeddings changed"),
        ],
        architecture: architecture(tokens, 3 * head_dim, attention, rope)?,
        checkpoint: checkpoint(&vec![row; tokens], [head_dim; 3])?,
        expected: positions.into_iter().zip(turned.iter().map(numbers)).collect(),
    })
}

/// Dual chunk attention beyond its trained length, by the released code.
fn dual_chunk() -> Result<Vector, Error> {
    let bytes: &[u8] = include_bytes!("../../vectors/dual-chunk.safetensors");
    let source = Source::from_bytes("vectors/dual-chunk.safetensors", Bytes::from_static(bytes));
    let tensors = read_safetensors(&Arc::new(source))?;
    let find = |name: &str| {
        let tensor = tensors.iter().find(|tensor| tensor.name() == name);
        tensor.ok_or_else(|| Error::Oracle(format!("the vector has no `{name}`")))
    };
    let (tokens, heads, head_dim) = match find("q")?.shape() {
        [tokens, heads, head_dim] => (*tokens, *heads, *head_dim),
        other => return Err(Error::Oracle(format!("the vector's queries are {other:?}"))),
    };
    let kv_heads = find("k")?.shape()[1];
    let parts = [find("q")?.to_f32()?, find("k")?.to_f32()?, find("v")?.to_f32()?];
    let widths = [heads * head_dim, kv_heads * head_dim, kv_heads * head_dim];
    let row = |token: usize| -> Vec<f32> {
        parts
            .iter()
            .zip(widths)
            .flat_map(|(part, width)| part[token * width..(token + 1) * width].to_vec())
            .collect()
    };
    let rows: Vec<Vec<f32>> = (0..tokens).map(row).collect();
    let attention = json!({
        "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, "scale": (head_dim as f64).powf(-0.5),
        "position": "rope",
        "dual_chunk": { "chunk_size": 20, "local_size": 5, "original_max_position_embeddings": 20 },
    });
    let out = find("out_f64")?.to_f64()?;
    let row = |token: usize| (token, out[token * widths[0]..(token + 1) * widths[0]].to_vec());
    Ok(Vector {
        name: "vectors/dual-chunk.safetensors",
        stage: Stage::Heads,
        proves: &[("attention.dual_chunk", "original_max_position_embeddings changed")],
        architecture: architecture(
            tokens,
            widths.iter().sum(),
            attention,
            json!({ "theta": 1e4, "pairing": "half" }),
        )?,
        checkpoint: checkpoint(&rows, widths)?,
        expected: (0..tokens).map(row).collect(),
    })
}

const PICKED: [&str; 3] = ["query", "key", "value"];

/// One layer without norms, whose MLP gives nothing.
fn architecture(vocab: usize, width: usize, attention: Json, rope: Json) -> Result<Architecture, Error> {
    let named = |role: &str| json!({ "roles": [role], "name": role, "bias": false, "by": "rows", "per": "head", "at": "before_rope" });
    let inside: Vec<Json> =
        [&PICKED[..], &["attention_output", "up", "down"]].concat().into_iter().map(named).collect();
    let json = json!({
        "embedding": { "vocab": vocab, "width": width },
        "stack": { "layers": 1 },
        "norm": { "kind": "rms", "eps": 1e-6 },
        "layers": [{
            "block": {}, "attention": attention, "rope": rope,
            "mlp": { "kind": "plain", "width": 1, "activation": "relu" }, "tensors": inside,
        }],
        "output": { "tie": true }, "prefix": null, "tensors": [named("embedding")], "inert": [],
    });
    serde_json::from_value(json).map_err(|error| Error::Oracle(format!("a vector's architecture: {error}")))
}

/// Rows of queries, keys and values side by side, and projections that pick them out.
fn checkpoint(rows: &[Vec<f32>], widths: [usize; 3]) -> Result<Checkpoint, Error> {
    let width: usize = widths.iter().sum();
    let tensor = |name: &str, shape: [usize; 2], values: Vec<f32>| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Tensor::from_bytes(&format!("{name}.weight"), Dtype::F32, &shape, bytes.into())
    };
    let mut tensors = vec![
        tensor("embedding", [rows.len(), width], rows.concat())?,
        tensor("attention_output", [width, widths[0]], vec![0.0; width * widths[0]])?,
        tensor("up", [1, width], vec![0.0; width])?,
        tensor("down", [width, 1], vec![0.0; width])?,
    ];
    let mut start = 0;
    for (name, own) in PICKED.iter().zip(widths) {
        let picks = (0..own).flat_map(|row| (0..width).map(move |col| f32::from(col == start + row)));
        tensors.push(tensor(name, [own, width], picks.collect())?);
        start += own;
    }
    Ok(Checkpoint::from_parts("vector", Map::new(), tensors)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_passes_as_it_is() {
        for vector in VECTORS.iter() {
            assert!(vector.passes(&vector.architecture).expect("it runs"), "{}", vector.name);
        }
    }

    #[test]
    fn a_vector_proves_only_what_changes_its_result() {
        let proves = |word: &str, change: &str| proves(word, change).map(|vector| vector.name);
        assert_eq!(proves("rope.scaling", "beta_fast changed"), Some("vectors/yarn.json"));
        let trained = "original_max_position_embeddings changed";
        assert_eq!(proves("attention.dual_chunk", trained), Some("vectors/dual-chunk.safetensors"));
        assert_eq!(proves("block.context", "half as much again"), None);
        assert_eq!(proves("rope.scaling", "no such change"), None);
    }
}
