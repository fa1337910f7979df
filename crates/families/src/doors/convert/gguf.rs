//! The same function as a GGUF file has it: its names, its order of rows, its norms, its metadata.

use serde_json::{Map, Value as Json};

use crate::doors::convert::made::{Conversion, InFile, missing};
use crate::doors::convert::told::{differences, told};
use crate::doors::engines::Form;
use crate::doors::folding::Folding;
use crate::doors::folding::turns::{list, swap_pairs};
use crate::doors::gguf::words::permuted;
use crate::doors::gguf::{FREQUENCY_FACTORS, in_file_names};
use crate::error::{Error, Problem};
use crate::written::declaration::Declaration;

/// Lays out what was folded for `family` as a file of its architecture.
pub(super) fn written(
    family: &Declaration,
    mut folding: Folding,
    config: Map<String, Json>,
    form: &Form,
) -> Result<Conversion, Vec<Problem>> {
    let wrong =
        |word: &str, message: String| vec![Problem::Value { word: word.to_owned(), message, origin: None }];
    let failed = |error: Error| wrong("gguf", error.to_string());
    let in_file = in_file_names(family).map_err(failed)?;
    let architecture = in_file.resolve(&config, &[]).map_err(|unresolved| unresolved.problems)?;
    if architecture.norm.offset != folding.architecture.norm.offset {
        folding.fold("norm.offset", &architecture.norm.offset.into());
    }
    let others = differences(&folding.architecture, &architecture);
    if !others.is_empty() {
        return Err(others.iter().map(|(word, has, takes)| told(word, has, takes)).collect());
    }
    let metadata = form.metadata(&folding.architecture).map_err(|message| wrong("gguf", message))?;
    let layers = folding.architecture.layers.iter();
    let factors: Vec<Option<Vec<f64>>> =
        layers.map(|layer| layer.rope.as_ref().and_then(list).map(<[f64]>::to_vec)).collect();
    if factors.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(wrong("rope.scaling", "the file has one list of factors for all layers".into()));
    }
    for role in permuted(family).map_err(failed)? {
        swap_pairs(&mut folding, role);
    }
    let tensors = folding.recipe.laid(&architecture).map_err(missing)?;
    let grade = folding.grade();
    let factors = factors.into_iter().flatten().next();
    let factors = factors.map(|list| (FREQUENCY_FACTORS, list.iter().map(|x| *x as f32).collect()));
    let gguf = Some(InFile { metadata, factors });
    Ok(Conversion { config, architecture, tensors, folds: folding.folds, grade, gguf })
}
