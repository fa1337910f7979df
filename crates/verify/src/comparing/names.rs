//! What engines call the stages of a model: presets as files, and a porter's own.

use std::path::Path;

use camelid_families::{Stage, Tap};
use indexmap::IndexMap;
use serde::Deserialize;

use crate::error::Error;
use crate::told::stage_name;

/// The presets: what an engine is called, and its file.
const PRESETS: [(&str, &str); 3] = [
    ("camelid", include_str!("../../names/camelid.toml")),
    ("llama.cpp", include_str!("../../names/ggml.toml")),
    ("transformers", include_str!("../../names/transformers.toml")),
];

/// One tensor's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Meaning {
    Ids,
    Tap(Tap),
    Logits,
}

/// `tap = [glob, …]`: `*` stands for anything, `{layer}` for the number of a layer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    taps: IndexMap<String, Vec<String>>,
}

const STAGES: [Stage; 11] = [
    Stage::Embedding,
    Stage::AttentionInput,
    Stage::Query,
    Stage::Key,
    Stage::Value,
    Stage::Heads,
    Stage::AttentionOutput,
    Stage::MlpInput,
    Stage::MlpOutput,
    Stage::Layer,
    Stage::FinalNorm,
];

/// What stands beside the stages.
const OTHERS: [&str; 4] = ["input_ids", "logits", "layer_input", "last_layer"];

impl Names {
    /// The presets, of every engine whose names are known.
    ///
    /// # Errors
    /// None but of a preset that is no such file, which a test excludes.
    pub fn presets() -> Result<Vec<Names>, Error> {
        PRESETS.iter().map(|(engine, text)| Names::parse(Path::new(engine), text)).collect()
    }

    /// A porter's own names.
    ///
    /// # Errors
    /// It can't be read, is no such file, or names what is no tap.
    pub fn read(path: &Path) -> Result<Names, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| wrong(path, error.to_string()))?;
        Names::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Names, Error> {
        let names: Names = toml::from_str(text).map_err(|error| wrong(path, error.to_string()))?;
        for tap in names.taps.keys() {
            let known =
                STAGES.iter().any(|stage| stage_name(*stage) == tap) || OTHERS.contains(&tap.as_str());
            if !known {
                let stages: Vec<_> = STAGES.iter().map(|stage| stage_name(*stage)).chain(OTHERS).collect();
                return Err(wrong(path, format!("`{tap}` is no tap; there are {}", stages.join(", "))));
            }
        }
        Ok(names)
    }

    /// What a tensor of a model of so many layers is.
    pub(crate) fn meaning(&self, name: &str, layers: usize) -> Option<Meaning> {
        self.taps.iter().find_map(|(tap, globs)| {
            let layer = globs.iter().find_map(|glob| matched(glob, name))?;
            meant(tap, layer, layers)
        })
    }
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
            let stage = *STAGES.iter().find(|stage| stage_name(**stage) == tap)?;
            match (stage, layer) {
                (Stage::Embedding | Stage::FinalNorm, None) => outside(stage),
                (Stage::Embedding | Stage::FinalNorm, Some(_)) | (_, None) => None,
                (stage, Some(layer)) => inside(layer, stage),
            }
        }
    }
}

/// The layer that a name has under a glob; `None` where it is another name.
#[expect(clippy::option_option, reason = "whether it matches, and the layer if it has one")]
fn matched(glob: &str, name: &str) -> Option<Option<usize>> {
    let (rest, starred) = glob.strip_prefix('*').map_or((glob, false), |rest| (rest, true));
    let Some((before, after)) = rest.split_once("{layer}") else {
        let same = if starred { name.ends_with(rest) } else { name == rest };
        return same.then_some(None);
    };
    let name = name.strip_suffix(after)?;
    let digits = name.len() - name.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    let (front, number) = name.split_at(name.len() - digits);
    let same = if starred { front.ends_with(before) } else { front == before };
    if same { number.parse().ok().map(Some) } else { None }
}

fn wrong(path: &Path, message: String) -> Error {
    Error::Trace { path: path.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(preset: &str, name: &str, expected: Option<(Option<usize>, Stage)>) {
        let at = PRESETS.iter().position(|(engine, _)| *engine == preset).expect("it is one");
        let names = &Names::presets().expect("they are sound")[at];
        let found = names.meaning(name, 3);
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
    }
}
