//! A GGUF file read as a family: metadata → config.json's keys, the file's names for tensors, its order of rows undone.
//!
//! How a family's files are called is its `[gguf]` table: `architecture`, the file's own name for it, or a list of them; `[gguf.config]`, a
//! formula over the metadata for each key of config.json; `[gguf.tensors]`, laid over `[tensors]` as a child's are;
//! `permuted`, the roles whose rows the converter reorders; `exponents`, those of which it writes −e^x for x; `halves`, the two
//! tensors in which it writes `latent_up`; `[gguf.fused]`, tensors that a file may hold as one; `[gguf.words]`, words that are others in such a file (`"norm.offset" = 0` where it holds 1 + w); `ignore`, metadata that means nothing; `[gguf.neutral]`, values at which metadata mean nothing.
//!
//! Formulas see `arch`, the metadata under the architecture's own prefix (a list of the same number for every layer is that
//! number), `general`, `tokenizer`, `tensors`, the names of all tensors, and `rope_freqs`, `rope_factors_long` and
//! `rope_factors_short`, the lists in the tensors of these names. What the file does not say is none there.

mod file;
mod fused;
mod halves;
pub(crate) mod words;

use camelid_checkpoint::gguf::Value as Meta;
use camelid_checkpoint::{Checkpoint, Dtype, Tensor};
use serde_json::{Map, Value as Json};

use crate::doors::open::Allow;
use crate::error::Error;
use crate::waist::architecture::{Architecture, Layer, Rest, Rope};
use crate::waist::named::Named;
use crate::waist::plan::Part;
use crate::waist::roles::Role;
use crate::written::declaration::{Declaration, overlay};
use crate::written::library::Library;
use file::File;
use words::{distinct, exponents, halves, permuted};

/// The tensor in which the format keeps what rotary frequencies are divided by, whatever the reason.
pub(crate) const FREQUENCY_FACTORS: &str = "rope_freqs.weight";
/// The tensors with such lists, and what formulas call them: for every length, and for long and short texts.
const DIVISORS: [(&str, &str); 3] = [
    (FREQUENCY_FACTORS, "rope_freqs"),
    ("rope_factors_long.weight", "rope_factors_long"),
    ("rope_factors_short.weight", "rope_factors_short"),
];
/// More pairs than any head has.
const MOST_DIVISORS: usize = 1 << 16;
/// More layers that draft than any model has.
const MOST_DRAFTS: u64 = 64;
/// What is divided by so much does not turn.
const STAYS: f32 = 1e20;
/// How far the file's factors, in f32, may lie from ours.
const FACTOR_TOLERANCE: f64 = 1e-5;

/// A GGUF file in a family's terms.
#[derive(Debug)]
pub struct FromGguf {
    /// The family, with the file's names for its tensors.
    pub declaration: Declaration,
    /// The config.json that the metadata amount to.
    pub config: Map<String, Json>,
    /// The tensors, rows in their original order.
    pub checkpoint: Checkpoint,
}

impl Library {
    /// Reads a GGUF file as the family that is named, else as that of its metadata.
    ///
    /// # Errors
    /// [`Error::Undetected`] where no family's `[gguf]` table is for the file's architecture; [`Error::Misfit`] with the
    /// metadata keys that nothing reads; what resolution says.
    pub fn from_gguf(
        &self,
        checkpoint: &Checkpoint,
        family: Option<&str>,
        allow: &Allow,
    ) -> Result<FromGguf, Error> {
        let place = checkpoint.path().display().to_string();
        let metadata = checkpoint
            .gguf_metadata()
            .ok_or_else(|| Error::Undetected(format!("{place} is no GGUF file")))?;
        let architecture = metadata
            .get("general.architecture")
            .and_then(Meta::as_str)
            .ok_or_else(|| Error::Undetected(format!("{place}: the key general.architecture is missing")))?;
        let file = File {
            place,
            metadata,
            architecture,
            names: checkpoint.tensors().map(Tensor::name).collect(),
            divisors: divisors(checkpoint)?,
        };
        let (declaration, config) = match family {
            Some(name) => {
                let family = self.get(name)?;
                (family, file.config(family, allow)?)
            }
            None => self.of_file(&file, allow)?,
        };
        adapt(declaration, config, checkpoint, allow)
    }

    /// The family of a file: each that reads such files is asked what config.json the metadata amount to, and `match`
    /// decides as it does for a config.json.
    fn of_file(&self, file: &File<'_>, allow: &Allow) -> Result<(&Declaration, Map<String, Json>), Error> {
        let reads = |family: &&Declaration| family.gguf.architectures().any(|name| name == file.architecture);
        let mut found: Option<(&Declaration, Map<String, Json>)> = None;
        let mut refusal = None;
        for candidate in self.families().filter(reads) {
            let config = match file.config(candidate, allow) {
                Ok(config) => config,
                Err(error) => {
                    refusal.get_or_insert(error);
                    continue;
                }
            };
            match self.detect(&config, &allow.keys) {
                Ok(detected) if reads(&detected.family) => match &found {
                    Some((family, _)) if family.name != detected.family.name => {
                        return Err(Error::Undetected(format!(
                            "{}: it may be of the family `{}` or `{}`; name one with --family",
                            file.place, family.name, detected.family.name
                        )));
                    }
                    Some(_) => {}
                    None => found = Some((detected.family, config)),
                },
                Ok(_) => {}
                Err(error) => {
                    refusal.get_or_insert(error);
                }
            }
        }
        if let Some((family, _)) = found {
            return Ok((family, file.config(family, allow)?));
        }
        let known: Vec<_> =
            self.families().flat_map(|family| family.gguf.architectures()).map(str::to_owned).collect();
        Err(refusal.unwrap_or_else(|| {
            Error::Undetected(format!(
                "{}: general.architecture is `{}`, which no family reads; there are {}",
                file.place,
                file.architecture,
                distinct(known).join(", ")
            ))
        }))
    }
}

fn adapt(
    family: &Declaration,
    config: Map<String, Json>,
    checkpoint: &Checkpoint,
    allow: &Allow,
) -> Result<FromGguf, Error> {
    let mut declaration = in_file_names(family)?;
    let names: Vec<&str> = checkpoint.tensors().map(Tensor::name).collect();
    fused::as_the_file_has_it(&mut declaration, &names)?;
    let place = checkpoint.path().display().to_string();
    let architecture = declaration.resolve(&config, &allow.keys).map_err(|unresolved| Error::Misfit {
        place: place.clone(),
        family: family.name.clone(),
        problems: unresolved.problems,
    })?;
    let drafts = drafts(checkpoint, architecture.layers.len());
    let mut tensors = Vec::new();
    for tensor in checkpoint.tensors().filter(|tensor| !drafts.contains(&block(tensor.name()))) {
        match DIVISORS.iter().position(|(name, _)| *name == tensor.name()) {
            Some(0) => check_factors(&architecture, tensor)?,
            // The family's formulas have what they hold, or it is a tensor that nothing claims.
            Some(at) if family.gguf.reads(DIVISORS[at].1) => {}
            Some(_) | None => tensors.push(original(&declaration, &architecture, tensor)?),
        }
    }
    halves::join(&halves(&declaration)?, &architecture, &mut tensors)?;
    let checkpoint = Checkpoint::from_parts(checkpoint.path(), config.clone(), tensors)?;
    Ok(FromGguf { declaration, config, checkpoint })
}

/// The blocks behind the layers that draft further tokens, which the metadata count among the blocks.
fn drafts(checkpoint: &Checkpoint, layers: usize) -> Vec<Option<usize>> {
    let of = |key: &str| checkpoint.gguf_metadata()?.get(key)?.to_json();
    let named = of("general.architecture").and_then(|name| name.as_str().map(str::to_owned));
    let count = named.and_then(|name| of(&format!("{name}.nextn_predict_layers"))?.as_u64()).unwrap_or(0);
    (layers..layers.saturating_add(count.min(MOST_DRAFTS) as usize)).map(Some).collect()
}

/// The number of the block that a tensor is of.
fn block(tensor: &str) -> Option<usize> {
    tensor.strip_prefix("blk.")?.split_once('.')?.0.parse().ok()
}

/// The family with the file's names for its tensors, and what the file has in place of its words.
pub(crate) fn in_file_names(family: &Declaration) -> Result<Declaration, Error> {
    let mut declaration = family.clone();
    let owned: Vec<Role> = declaration.tensors.iter().flat_map(|(roles, _)| roles.clone()).collect();
    let names =
        declaration.gguf.tensors.iter().filter(|(roles, _)| roles.iter().all(|role| owned.contains(role)));
    let names: Vec<_> = names.cloned().collect();
    overlay(&mut declaration.tensors, &names)?;
    declaration.words.extend(family.gguf.instead.clone());
    Ok(declaration)
}

/// The lists that rotary frequencies are divided by.
fn divisors(checkpoint: &Checkpoint) -> Result<Vec<(&'static str, Json)>, Error> {
    let mut lists = Vec::new();
    for (tensor, name) in DIVISORS {
        let Some(tensor) = checkpoint.tensor(tensor).filter(|tensor| tensor.elements() <= MOST_DIVISORS)
        else {
            continue;
        };
        let numbers = tensor.to_f32()?.into_iter().map(|number| Meta::F32(number).to_json());
        if let Some(list) = numbers.collect::<Option<Vec<_>>>() {
            lists.push((name, Json::Array(list)));
        }
    }
    Ok(lists)
}

/// A tensor as the original has it, where the converter writes its role otherwise: rows of heads in another order, or −e^x for x.
fn original(
    declaration: &Declaration,
    architecture: &Architecture,
    tensor: &Tensor,
) -> Result<Tensor, Error> {
    let mut layers = architecture.layers.iter().enumerate();
    let Some((place, named)) = layers.find_map(|place| Some((place, named(place.1, tensor.name())?))) else {
        return Ok(tensor.clone());
    };
    let exponents = exponents(declaration)?;
    if named.roles.iter().all(|role| exponents.contains(role)) {
        return logarithm(tensor);
    }
    fused::reordered(architecture, place, named, tensor, &permuted(declaration)?)
}

/// x for each −e^x.
fn logarithm(tensor: &Tensor) -> Result<Tensor, Error> {
    let mut bytes = Vec::with_capacity(4 * tensor.elements());
    for value in tensor.to_f64()? {
        if !(value <= 0.0 && value.is_finite()) {
            return Err(Error::Input(format!(
                "tensor `{}` holds {value}: in such a file it holds −e^x, which is never above zero",
                tensor.name()
            )));
        }
        bytes.extend_from_slice(&((-value).ln() as f32).to_le_bytes());
    }
    Ok(Tensor::from_bytes(tensor.name(), Dtype::F32, tensor.shape(), bytes.into())?)
}

/// What a tensor of a layer is named for.
fn named<'a>(layer: &'a Layer, tensor: &str) -> Option<&'a Named> {
    let is_it =
        |named: &&Named| [Part::Weight, Part::Bias].iter().any(|part| named.part(*part, None) == tensor);
    layer.tensors.iter().find(is_it)
}

/// The file's factors must be those of the scaling that the config.json says, in every layer that has as many pairs.
fn check_factors(architecture: &Architecture, tensor: &Tensor) -> Result<(), Error> {
    let factors = tensor.to_f32()?;
    let mut met = false;
    for layer in &architecture.layers {
        let Some(rope) = &layer.rope else { continue };
        let frequencies = |rope: &Rope| {
            rope.frequencies(layer.attention.head_dim, rope.context.unwrap_or(1)).map_err(Error::Input)
        };
        let scaled = frequencies(rope)?;
        if scaled.inverse.len() != factors.len() {
            continue;
        }
        met = true;
        let fraction = if rope.rest == Rest::Slowest { 1.0 } else { rope.fraction };
        let plain = frequencies(&Rope { scaling: None, rest: Rest::Trailing, fraction, ..rope.clone() })?;
        let equal =
            scaled.inverse.iter().zip(&plain.inverse).zip(&factors).all(|((scaled, plain), factor)| {
                let stays = *factor >= STAYS && *scaled == 0.0;
                stays || (plain / scaled / f64::from(*factor) - 1.0).abs() < FACTOR_TOLERANCE
            });
        if !equal {
            return Err(factors_differ());
        }
    }
    if met { Ok(()) } else { Err(factors_differ()) }
}

fn factors_differ() -> Error {
    Error::Input(format!(
        "tensor `{FREQUENCY_FACTORS}`: it divides the rotary frequencies by other factors than the family's \
         rope.scaling does; give the model's own rope_scaling with --spec, under [gguf.config]"
    ))
}
