//! What engines call the stages of a model: presets as files, and a porter's own. Read both ways: a name's meaning, and a
//! stage's name.

use std::path::Path;

use camelid_families::{Stage, Tap};
use indexmap::IndexMap;
use serde::Deserialize;

use super::glob::Glob;
use crate::error::Error;
use crate::told::stage_name;

/// The presets: what an engine is called, and its file.
const PRESETS: [(&str, &str); 5] = [
    ("camelid", include_str!("../../names/camelid.toml")),
    ("llama.cpp", include_str!("../../names/ggml.toml")),
    ("transformers", include_str!("../../names/transformers.toml")),
    ("mlx-lm", include_str!("../../names/mlx.toml")),
    ("vllm", include_str!("../../names/vllm.toml")),
];

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Meaning {
    Ids,
    Tap(Tap),
    Logits,
}

/// What a tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// What it is, or is a part of.
    pub(crate) meaning: Meaning,
    /// How many names of the same come before this one: the first counts.
    pub(crate) rank: usize,
    /// Which part it is, and of how many, where an engine keeps a stage as a sum.
    pub(crate) part: (usize, usize),
}

/// `tap = [pattern, …]`, the first that a dump has; and `tap = [pattern, …]` of which the sum is the stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    #[serde(default)]
    taps: IndexMap<String, Vec<Glob>>,
    #[serde(default)]
    sums: IndexMap<String, Vec<Glob>>,
}

const STAGES: [Stage; 13] = [
    Stage::Embedding,
    Stage::AttentionInput,
    Stage::Query,
    Stage::Key,
    Stage::Value,
    Stage::Heads,
    Stage::AttentionOutput,
    Stage::MlpInput,
    Stage::Experts,
    Stage::ExpertWeights,
    Stage::MlpOutput,
    Stage::Layer,
    Stage::FinalNorm,
];

/// What stands beside the stages.
const OTHERS: [&str; 4] = ["input_ids", "logits", "layer_input", "last_layer"];

impl Names {
    /// What the presets are called.
    pub fn known() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(engine, _)| *engine)
    }

    /// The presets, of every engine whose names are known.
    ///
    /// # Errors
    /// None but of a preset that is no such file, which a test excludes.
    pub fn presets() -> Result<Vec<Names>, Error> {
        PRESETS.iter().map(|(engine, text)| Names::parse(Path::new(engine), text)).collect()
    }

    /// One engine's.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn preset(name: &str) -> Result<Names, Error> {
        let found = PRESETS.iter().find(|(engine, _)| *engine == name);
        let (engine, text) = found.ok_or_else(|| {
            let known: Vec<_> = Names::known().collect();
            wrong(Path::new(name), format!("no engine of this name is known; there are {}", known.join(", ")))
        })?;
        Names::parse(Path::new(engine), text)
    }

    /// A porter's own names.
    ///
    /// # Errors
    /// It can't be read, is no such file, or names what is no tap.
    pub fn read(path: &Path) -> Result<Names, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| wrong(path, error.to_string()))?;
        Names::parse(path, &text)
    }

    /// A porter's own names from their text; `path` stands in messages.
    ///
    /// # Errors
    /// It is no such text, or names what is no tap.
    pub fn parse(path: &Path, text: &str) -> Result<Names, Error> {
        let names: Names = toml::from_str(text).map_err(|error| wrong(path, error.to_string()))?;
        for (tap, globs) in names.taps.iter().chain(&names.sums) {
            let known = named_stage(tap).is_some() || OTHERS.contains(&tap.as_str());
            if !known {
                let stages: Vec<_> = STAGES.iter().map(|stage| stage_name(*stage)).chain(OTHERS).collect();
                return Err(wrong(path, format!("`{tap}` is no tap; there are {}", stages.join(", "))));
            }
            let layered = tap == "layer_input" || named_stage(tap).is_some_and(is_layered);
            if let Some(glob) = globs.iter().find(|glob| glob.has_layer() != layered) {
                let must = if layered { "must have" } else { "can't have" };
                let glob = glob.filled(glob.has_layer().then_some(0), "*").unwrap_or_default();
                return Err(wrong(path, format!("`{tap}`: a name such as `{glob}` {must} {{layer}} in it")));
            }
        }
        Ok(names)
    }

    /// What a tensor of a model of so many layers is.
    pub(crate) fn known_as(&self, name: &str, layers: usize) -> Option<Known> {
        let of = |tap: &str, globs: &[Glob]| {
            globs.iter().enumerate().find_map(|(rank, glob)| {
                let meaning = meant(tap, glob.matched(name)?, layers)?;
                Some((meaning, rank))
            })
        };
        let whole = self.taps.iter().find_map(|(tap, globs)| {
            of(tap, globs).map(|(meaning, rank)| Known { meaning, rank, part: (0, 1) })
        });
        let part = || {
            self.sums.iter().find_map(|(tap, globs)| {
                of(tap, globs).map(|(meaning, at)| Known { meaning, rank: 0, part: (at, globs.len()) })
            })
        };
        whole.or_else(part)
    }

    /// How a tensor is called, in a model of so many layers whose class begins with `front`; `None` where these names have
    /// none for it, or know it as a sum alone.
    pub(crate) fn name(&self, meaning: Meaning, layers: usize, front: &str) -> Option<String> {
        let first = |tap: &str, layer| self.taps.get(tap)?.first()?.filled(layer, front);
        let Meaning::Tap(Tap { layer, stage }) = meaning else {
            return first(if meaning == Meaning::Ids { "input_ids" } else { "logits" }, None);
        };
        first(stage_name(stage), layer).or_else(|| match (stage, layer) {
            (Stage::Embedding, _) => first("layer_input", Some(0)),
            (Stage::Layer, Some(layer)) if layer + 1 < layers => first("layer_input", Some(layer + 1)),
            (Stage::Layer, Some(_)) => first("last_layer", None),
            _ => None,
        })
    }
}

fn named_stage(tap: &str) -> Option<Stage> {
    STAGES.into_iter().find(|stage| stage_name(*stage) == tap)
}

fn is_layered(stage: Stage) -> bool {
    !matches!(stage, Stage::Embedding | Stage::FinalNorm)
}

fn meant(tap: &str, layer: Option<usize>, layers: usize) -> Option<Meaning> {
    let outside = |stage| Some(Meaning::Tap(Tap { layer: None, stage }));
    let inside =
        |layer: usize, stage| (layer < layers).then_some(Meaning::Tap(Tap { layer: Some(layer), stage }));
    match (tap, layer) {
        ("input_ids", _) => Some(Meaning::Ids),
        ("logits", _) => Some(Meaning::Logits),
        ("layer_input", Some(0)) => outside(Stage::Embedding),
        ("layer_input", Some(layer)) => inside(layer - 1, Stage::Layer),
        ("last_layer", _) => inside(layers.checked_sub(1)?, Stage::Layer),
        (tap, layer) => {
            let stage = named_stage(tap)?;
            match layer {
                None if !is_layered(stage) => outside(stage),
                Some(layer) if is_layered(stage) => inside(layer, stage),
                Some(_) | None => None,
            }
        }
    }
}

fn wrong(path: &Path, message: String) -> Error {
    Error::Trace { path: path.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(preset: &str, name: &str, expected: Option<(Option<usize>, Stage)>) {
        let names = Names::preset(preset).expect("it is one");
        let found = names.known_as(name, 3).map(|known| known.meaning);
        let expected = expected.map(|(layer, stage)| Meaning::Tap(Tap { layer, stage }));
        assert_eq!(found, expected, "{preset}: {name}");
    }

    #[test]
    fn names_are_known_and_others_are_none() {
        check("camelid", "hidden.layer.2", Some((Some(2), Stage::Layer)));
        check("camelid", "hidden.layer.9", None);
        check("camelid", "atention.0", None);
        check("llama.cpp", "attn_out-1", Some((Some(1), Stage::AttentionOutput)));
        check("llama.cpp", "Qcur-0", None);
        check("transformers", "A.model.layers.0_inputs_args_0", Some((None, Stage::Embedding)));
        check("transformers", "A.model.layers.2_inputs_args_0", Some((Some(1), Stage::Layer)));
        check("transformers", "A.model.norm_inputs_args_0", Some((Some(2), Stage::Layer)));
        check(
            "transformers",
            "A.model.layers.1.self_attn.o_proj_outputs",
            Some((Some(1), Stage::AttentionOutput)),
        );
        check("mlx-lm", "model.layers.1.self_attn", Some((Some(1), Stage::AttentionOutput)));
        check("mlx-lm", "model.layers.1", Some((Some(1), Stage::Layer)));
        check("mlx-lm", "model.embed_tokens", None);
        check("vllm", "model.layers.0/inputs_1_cuda_0", Some((None, Stage::Embedding)));
        check("vllm", "model.layers.1/inputs_1_cuda_0", None);
        check("vllm", "model.layers.1/outputs_1_cpu", Some((Some(1), Stage::Layer)));
        check("vllm", "model.norm/outputs_0_cuda_0", Some((None, Stage::FinalNorm)));
        check("vllm", "model.norm/outputs_1_cuda_0", None);
    }

    #[test]
    fn a_pair_is_known_by_its_parts() {
        let names = Names::preset("vllm").expect("it is one");
        let part = |name: &str| names.known_as(name, 3).map(|known| known.part);
        assert_eq!(part("model.layers.2/outputs_0_cuda_0"), Some((0, 2)));
        assert_eq!(part("model.layers.2/outputs_1_cuda_0"), Some((1, 2)));
        assert_eq!(part("model.layers.2.mlp/outputs_cuda_0"), Some((0, 1)));
    }

    #[test]
    fn every_name_that_a_preset_writes_it_reads_as_the_same() {
        let inside = |layer| STAGES.into_iter().map(move |stage| Tap { layer: Some(layer), stage });
        let layered = (0..3).flat_map(inside).filter(|tap| is_layered(tap.stage));
        let outside = STAGES.into_iter().filter(|stage| !is_layered(*stage));
        let taps = outside.map(|stage| Tap { layer: None, stage }).chain(layered).map(Meaning::Tap);
        let meanings: Vec<_> = taps.chain([Meaning::Ids, Meaning::Logits]).collect();
        for (names, engine) in Names::presets().expect("they are sound").iter().zip(Names::known()) {
            let mut written = 0;
            for meaning in &meanings {
                let Some(name) = names.name(*meaning, 3, "Any") else { continue };
                assert_eq!(
                    names.known_as(&name, 3).map(|known| known.meaning),
                    Some(*meaning),
                    "{engine}: {name}"
                );
                written += 1;
            }
            assert!(written > 8, "{engine}: {written}");
        }
    }

    #[test]
    fn a_map_that_names_no_tap_or_forgets_the_layer_is_refused() {
        let refused = |text: &str, wanted: &str| {
            let error = Names::parse(Path::new("map.toml"), text).expect_err(text).to_string();
            assert!(error.contains("map.toml") && error.contains(wanted), "{error}");
        };
        refused("[taps]\nattn = [\"x.{layer}\"]", "`attn` is no tap");
        refused("[taps]\nattention = [\"x\"]", "must have {layer}");
        refused("[taps]\nlogits = [\"x.{layer}\"]", "can't have {layer}");
        refused("[taps]\nlogits = [\"*\"]", "would be every name");
        refused("[tap]\nlogits = [\"x\"]", "unknown field `tap`");
    }
}
