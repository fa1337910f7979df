//! A GGUF file read as a family: metadata → config.json's keys, the file's names for tensors, its order of rows undone.
//!
//! How a family's files are called is its `[gguf]` table: `architecture`, the file's own name for it; `[gguf.config]`, a
//! formula over the metadata for each key of config.json; `[gguf.tensors]`, laid over `[tensors]` as a child's are;
//! `permuted`, the roles whose rows the converter reorders; `offset`, what the norms' weights still lack (0 where the file
//! holds 1 + w); `ignore`, metadata that means nothing.
//!
//! Formulas see `arch`, the metadata under the architecture's own prefix, `general`, `tokenizer`, and `tensors`, the names of
//! all tensors. What the file does not say is none there.

use camelid_checkpoint::gguf::{Metadata, Value as Meta, original_rows};
use camelid_checkpoint::{Checkpoint, Tensor};
use minijinja::Value;
use minijinja::value::Serde;
use serde_json::{Map, Value as Json, json};

use crate::doors::open::Allow;
use crate::error::{Error, Problem};
use crate::waist::architecture::{Architecture, Layer, Rope};
use crate::waist::named::Named;
use crate::waist::plan::Part;
use crate::waist::roles::Role;
use crate::written::declaration::{Declaration, overlay};
use crate::written::expr::{Entry, Expr};
use crate::written::library::Library;

/// The tensor in which the format keeps what rotary frequencies are divided by, where they are scaled in bands.
const FREQUENCY_FACTORS: &str = "rope_freqs.weight";
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
        let file =
            File { place, metadata, architecture, names: checkpoint.tensors().map(Tensor::name).collect() };
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
        let reads =
            |family: &&Declaration| text(family, "architecture").as_deref() == Some(file.architecture);
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
        let known: Vec<_> = self.families().filter_map(|family| text(family, "architecture")).collect();
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

/// What formulas and messages need of a file.
struct File<'a> {
    place: String,
    metadata: &'a Metadata,
    architecture: &'a str,
    names: Vec<&'a str>,
}

impl File<'_> {
    /// The config.json that the metadata amount to. A key whose formula gives none is left out.
    fn config(&self, family: &Declaration, allow: &Allow) -> Result<Map<String, Json>, Error> {
        let reads: Vec<String> = family
            .gguf
            .config
            .values()
            .flat_map(|entry| entry.expr.formulas())
            .flat_map(|formula| formula.variables().clone())
            .collect();
        let mut problems = self.unread(family, &reads, allow)?;
        let context = Value::from(Serde(&self.context(&reads)));
        let mut config = Map::new();
        for (key, entry) in &family.gguf.config {
            match entry.expr.json(&context) {
                Ok(Json::Null) => {}
                Ok(value) => {
                    config.insert(key.clone(), value);
                }
                Err(message) => problems.push(Problem::Value {
                    word: format!("gguf.config.{key}"),
                    message: format!("{message}, in {}", entry.expr.written()),
                    origin: Some(entry.origin.clone()),
                }),
            }
        }
        if problems.is_empty() {
            return Ok(config);
        }
        Err(Error::Misfit { place: self.place.clone(), family: family.name.clone(), problems })
    }

    /// The names that formulas see: everything that is no list, and the lists that they read.
    fn context(&self, reads: &[String]) -> Json {
        let mut root = json!({ "arch": {}, "general": {}, "tokenizer": {}, "tensors": self.names });
        for (key, value) in self.metadata.iter() {
            let Some(path) = self.path(key) else { continue };
            if matches!(value, Meta::Array(_)) && !reads.contains(&path) {
                continue;
            }
            if let Some(value) = value.to_json() {
                put(&mut root, &path, value);
            }
        }
        for path in reads {
            put(&mut root, path, Json::Null);
        }
        root
    }

    /// A metadata key as formulas call it.
    fn path(&self, key: &str) -> Option<String> {
        match key.strip_prefix(self.architecture).and_then(|rest| rest.strip_prefix('.')) {
            Some(rest) => Some(format!("arch.{rest}")),
            None => (key.starts_with("general.") || key.starts_with("tokenizer.")).then(|| key.to_owned()),
        }
    }

    /// Metadata under the architecture's prefix that no formula reads, and that is not declared inert.
    fn unread(&self, family: &Declaration, reads: &[String], allow: &Allow) -> Result<Vec<Problem>, Error> {
        let inert = globs(family)?;
        let keys = self.metadata.iter().filter_map(|(key, value)| Some((key, self.path(key)?, value)));
        let keys = keys.filter(|(_, path, _)| path.starts_with("arch."));
        let unread = keys.filter(|(key, path, _)| {
            let read = |name: &String| {
                path.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            !reads.iter().any(read)
                && !inert.iter().any(|glob| glob.matches(path))
                && !allow.keys.iter().any(|k| k == key)
        });
        Ok(unread
            .map(|(key, _, value)| Problem::Value {
                word: "gguf".into(),
                message: format!(
                    "the metadata key `{key}` = {} is not known: no formula of [gguf.config] reads it, and [gguf] ignore \
                     does not name it",
                    value.to_json().map_or_else(|| "?".into(), |value| value.to_string())
                ),
                origin: None,
            })
            .collect())
    }
}

/// Puts a value at a dotted path; what stands there stays.
fn put(root: &mut Json, path: &str, value: Json) {
    let Json::Object(table) = root else { return };
    match path.split_once('.') {
        None => {
            table.entry(path).or_insert(value);
        }
        Some((key, rest)) => put(table.entry(key).or_insert_with(|| Json::Object(Map::new())), rest, value),
    }
}

fn adapt(
    family: &Declaration,
    config: Map<String, Json>,
    checkpoint: &Checkpoint,
    allow: &Allow,
) -> Result<FromGguf, Error> {
    let mut declaration = family.clone();
    let owned: Vec<Role> = declaration.tensors.iter().flat_map(|(roles, _)| roles.clone()).collect();
    let names =
        declaration.gguf.tensors.iter().filter(|(roles, _)| roles.iter().all(|role| owned.contains(role)));
    let names: Vec<_> = names.cloned().collect();
    overlay(&mut declaration.tensors, &names)?;
    if let Some(offset) = declaration.gguf.words.get("offset") {
        declaration.words.insert("norm.offset".into(), offset.clone());
    }
    let place = checkpoint.path().display().to_string();
    let architecture = declaration.resolve(&config, &allow.keys).map_err(|unresolved| Error::Misfit {
        place: place.clone(),
        family: family.name.clone(),
        problems: unresolved.problems,
    })?;
    let mut tensors = Vec::new();
    for tensor in checkpoint.tensors() {
        if tensor.name() == FREQUENCY_FACTORS {
            check_factors(&architecture, tensor)?;
        } else {
            tensors.push(original(&declaration, &architecture, tensor)?);
        }
    }
    let checkpoint = Checkpoint::from_parts(checkpoint.path(), config.clone(), tensors)?;
    Ok(FromGguf { declaration, config, checkpoint })
}

/// A tensor with the rows of its heads in their original order, where its role is permuted in the file.
fn original(
    declaration: &Declaration,
    architecture: &Architecture,
    tensor: &Tensor,
) -> Result<Tensor, Error> {
    let mut layers = architecture.layers.iter();
    let Some((layer, role)) = layers.find_map(|layer| Some((layer, sole_role(layer, tensor.name())?))) else {
        return Ok(tensor.clone());
    };
    if !permuted(declaration)?.contains(&role) {
        return Ok(tensor.clone());
    }
    let heads = if role == Role::Query { layer.attention.heads } else { layer.attention.kv_heads };
    let head_dim = layer.attention.head_dim;
    let fits = tensor.shape().first() == Some(&(heads * head_dim)) && head_dim.is_multiple_of(2);
    if !fits {
        return Ok(tensor.clone()); // its shape is refused where all shapes are checked
    }
    let bytes = original_rows(&tensor.bytes()?, heads, head_dim);
    Ok(Tensor::from_bytes(tensor.name(), tensor.dtype(), tensor.shape(), bytes)?)
}

fn sole_role(layer: &Layer, tensor: &str) -> Option<Role> {
    let is_it =
        |named: &&Named| [Part::Weight, Part::Bias].iter().any(|part| named.part(*part, None) == tensor);
    let named = layer.tensors.iter().find(is_it)?;
    match named.roles.as_slice() {
        [role] => Some(*role),
        _ => None,
    }
}

/// The file's factors must be those of the scaling that the config.json says.
fn check_factors(architecture: &Architecture, tensor: &Tensor) -> Result<(), Error> {
    let factors = tensor.to_f32()?;
    for layer in &architecture.layers {
        let Some(rope) = &layer.rope else { continue };
        let frequencies = |rope: &Rope| {
            rope.frequencies(layer.attention.head_dim, rope.context.unwrap_or(1)).map_err(Error::Input)
        };
        let scaled = frequencies(rope)?;
        let plain = frequencies(&Rope { scaling: None, ..rope.clone() })?;
        let equal = scaled.inverse.len() == factors.len()
            && scaled.inverse.iter().zip(&plain.inverse).zip(&factors).all(|((scaled, plain), factor)| {
                (plain / scaled / f64::from(*factor) - 1.0).abs() < FACTOR_TOLERANCE
            });
        if !equal {
            return Err(Error::Input(format!(
                "tensor `{FREQUENCY_FACTORS}`: it divides the rotary frequencies by other factors than the family's \
                 rope.scaling does; give the model's own rope_scaling with --spec, under [gguf.config]"
            )));
        }
    }
    Ok(())
}

/// A word of `[gguf]` that is a text.
fn text(family: &Declaration, word: &str) -> Option<String> {
    family.gguf.words.get(word)?.expr.text().map(str::to_owned)
}

fn permuted(declaration: &Declaration) -> Result<Vec<Role>, Error> {
    list(declaration, "permuted", "a list of roles", |text| text.parse().ok())
}

fn globs(declaration: &Declaration) -> Result<Vec<glob::Pattern>, Error> {
    list(declaration, "ignore", "a list of names, with * for any run of letters", |text| {
        glob::Pattern::new(text).ok()
    })
}

/// A word of `[gguf]` that is a list; empty where it is not said.
fn list<T>(
    declaration: &Declaration,
    word: &str,
    wanted: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let Some(Entry { expr, origin }) = declaration.gguf.words.get(word) else { return Ok(Vec::new()) };
    let items = match expr {
        Expr::List(items) => items.iter().map(|item| item.text().and_then(&read)).collect::<Option<Vec<T>>>(),
        Expr::Literal(Json::Null) => Some(Vec::new()),
        Expr::Literal(_) | Expr::Formula(_) | Expr::Table(_) => None,
    };
    items.ok_or_else(|| Error::Declaration {
        origin: origin.clone(),
        message: format!("gguf.{word} must be {wanted}, not {}", expr.written()),
    })
}

fn distinct(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}
