//! What a class of an engine reads, fixes and leaves unread, as data: `engines/ENGINE.toml`.
//!
//! A form is a family's config.json and names (or its GGUF file) as one engine understands them. What the family's own
//! formulas can say is no proof that an engine computes it: `[form.words]` says which values it does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::waist::architecture::{Architecture, Layer};
use crate::waist::roles::Role;
use crate::written::expr::Expr;
use crate::written::formula::Formula;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/engines");

/// An engine, and the forms that it reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// What it is called; the file's name.
    #[serde(skip)]
    pub name: String,
    /// The version that the forms are true of.
    pub version: String,
    /// Whether the forms were seen to run, or only read in its source.
    pub seen: Seen,
    /// What one should know of all of them.
    #[serde(default)]
    pub note: String,
    /// The forms, the plainest first.
    #[serde(rename = "form")]
    pub forms: Vec<Form>,
}

/// How a fact was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// By running it.
    Run,
    /// From its source.
    Read,
}

/// What one class of an engine reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// What it is called, such as `granite`.
    pub name: String,
    /// The family whose keys and names it has.
    pub family: String,
    /// What `architectures` says; none for a GGUF file.
    #[serde(default)]
    pub class: Option<String>,
    /// A word → what the class computes: one value, a list of those it can do, or a formula over the words of a layer.
    #[serde(default)]
    words: IndexMap<String, Json>,
    /// The roles that may have a bias, where not every one may that the family can name.
    #[serde(default)]
    biases: Option<Vec<Role>>,
    /// For a GGUF file: a key, without the architecture's prefix, → a formula over the words of the first layer.
    #[serde(default)]
    metadata: IndexMap<String, Json>,
}

/// A word that an engine computes otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// The word.
    pub word: String,
    /// What the model has.
    pub has: Json,
    /// What the engine would make of it; a list has one for each layer, where they differ.
    pub takes: Json,
    /// Every value that it takes.
    pub any: Vec<Json>,
}

static ENGINES: LazyLock<BTreeMap<String, Engine>> = LazyLock::new(|| {
    let files = FILES.files().filter_map(|file| {
        let name = file.path().file_stem()?.to_str()?.to_owned();
        let mut engine: Engine = toml::from_str(file.contents_utf8()?).expect("a test reads every engine");
        engine.name.clone_from(&name);
        Some((name, engine))
    });
    files.collect()
});

/// Every engine that forms are known of, by name.
pub fn engines() -> impl Iterator<Item = &'static Engine> {
    ENGINES.values()
}

/// An engine by name.
#[must_use]
pub fn engine(name: &str) -> Option<&'static Engine> {
    ENGINES.get(name)
}

/// The form in which a family is read by the code that it was published with, else by transformers.
#[must_use]
pub fn own_form(family: &str) -> Option<&'static Form> {
    let of = |engine: &'static str| {
        ENGINES.get(engine)?.forms.iter().find(|form| form.family == family && form.name == family)
    };
    of("original").or_else(|| of("transformers"))
}

impl Form {
    /// Whether it is a GGUF file.
    #[must_use]
    pub fn is_gguf(&self) -> bool {
        !self.metadata.is_empty()
    }

    /// Every word of an architecture that the engine computes otherwise.
    ///
    /// # Errors
    /// A formula that fails.
    pub fn limits(&self, architecture: &Architecture) -> Result<Vec<Limit>, String> {
        let layers = architecture.layers.iter().enumerate();
        let scopes: Vec<Json> = layers.map(|(at, layer)| scope(architecture, at, layer)).collect();
        let mut limits = Vec::new();
        for (word, said) in &self.words {
            let mut found = Vec::new();
            // Where nothing turns, nothing is asked of turns.
            let asked = |scope: &&Json| !(word.starts_with("rope.") && scope["rope"].is_null());
            for scope in scopes.iter().filter(asked) {
                let pointer = format!("/{}", word.replace('.', "/"));
                let has = scope.pointer(&pointer).cloned().unwrap_or(Json::Null);
                let any = match self.value(word, said, scope)? {
                    Json::Array(any) => any,
                    one => vec![one],
                };
                let takes = any.iter().find(|value| same(value, &has)).or(any.first()).cloned();
                found.push((has, takes.unwrap_or(Json::Null), any));
            }
            if found.iter().all(|(has, takes, _)| same(has, takes)) {
                continue;
            }
            let gathered = |of: fn(&(Json, Json, Vec<Json>)) -> Json| gather(found.iter().map(of).collect());
            let (has, takes) = (gathered(|it| it.0.clone()), gathered(|it| it.1.clone()));
            let any = found.first().map(|it| it.2.clone()).unwrap_or_default();
            limits.push(Limit { word: word.clone(), has, takes, any });
        }
        limits.extend(self.surplus_biases(architecture));
        Ok(limits)
    }

    /// Whether a role may have a bias.
    pub(crate) fn may_have_bias(&self, role: Role) -> bool {
        self.biases.as_ref().is_none_or(|may| may.contains(&role))
    }

    /// Biases that the class has no room for.
    fn surplus_biases(&self, architecture: &Architecture) -> Vec<Limit> {
        let inside = architecture.layers.iter().flat_map(|layer| &layer.tensors);
        let biased = inside.chain(&architecture.tensors).filter(|named| named.bias);
        let roles: BTreeSet<Role> =
            biased.flat_map(|named| named.roles.clone()).filter(|role| !self.may_have_bias(*role)).collect();
        let limit = |role: Role| Limit {
            word: format!("tensors.{role}"),
            has: "a tensor with a bias".into(),
            takes: "a tensor".into(),
            any: Vec::new(),
        };
        roles.into_iter().map(limit).collect()
    }

    /// The metadata of a GGUF file, without the architecture's prefix and without keys that have no value. Where only some
    /// layers give a key one, it is theirs.
    ///
    /// # Errors
    /// A formula that fails, or gives layers values that differ: a file has one for all.
    pub fn metadata(&self, architecture: &Architecture) -> Result<Vec<(String, Json)>, String> {
        let layers = architecture.layers.iter().enumerate();
        let scopes: Vec<Json> = layers.map(|(at, layer)| scope(architecture, at, layer)).collect();
        let mut out = Vec::new();
        for (key, said) in &self.metadata {
            let mut found: Option<Json> = None;
            for scope in &scopes {
                let value = self.value(key, said, scope)?;
                match &found {
                    Some(known) if !value.is_null() && *known != value => {
                        return Err(format!(
                            "the file has one `{key}` for all layers, and they have {known} and {value}"
                        ));
                    }
                    Some(_) => {}
                    None => found = Some(value).filter(|value| !value.is_null()),
                }
            }
            out.extend(found.map(|value| (key.clone(), value)));
        }
        Ok(out)
    }

    fn value(&self, word: &str, said: &Json, scope: &Json) -> Result<Json, String> {
        let context = minijinja::Value::from(minijinja::value::Serde(scope));
        let wrong = |message| format!("engines: form `{}`, {word}: {message}", self.name);
        expr(said).and_then(|expr| expr.json(&context)).map_err(wrong)
    }
}

/// What formulas see: the words of a layer and of what is one for all.
fn scope(architecture: &Architecture, at: usize, layer: &Layer) -> Json {
    let Architecture { embedding, stack, norm, layers: _, output, per_layer, prefix, tensors: _, inert: _ } =
        architecture;
    let Layer { block, attention, latent, delta, rope, mlp, experts, tensors: _ } = layer;
    let mut scope = json!({
        "embedding": embedding, "block": block, "norm": norm, "output": output, "per_layer": per_layer, "prefix": prefix,
        "attention": attention, "latent": latent, "delta": delta, "rope": rope, "mlp": mlp, "experts": experts, "layer": at,
    });
    if let (Json::Object(block), Ok(Json::Object(stack))) = (&mut scope["block"], serde_json::to_value(stack))
    {
        block.extend(stack);
    }
    scope
}

/// A value as families write them: a string that begins with `=` is a formula, `none` is none.
fn expr(said: &Json) -> Result<Expr, String> {
    Ok(match said {
        Json::String(text) if text == "none" => Expr::Literal(Json::Null),
        Json::String(text) => match text.strip_prefix('=') {
            Some(formula) => Expr::Formula(Formula::parse(formula)?),
            None => Expr::Literal(said.clone()),
        },
        Json::Array(list) => Expr::List(list.iter().map(expr).collect::<Result<_, _>>()?),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => Expr::Literal(said.clone()),
    })
}

fn same(a: &Json, b: &Json) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

fn gather(values: Vec<Json>) -> Json {
    match values.split_first() {
        Some((first, rest)) if rest.iter().all(|value| value == first) => first.clone(),
        _ => Json::Array(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::library::Library;

    #[test]
    fn every_form_names_a_family_and_words_that_the_schema_has() {
        let library = Library::built_in().expect("the families");
        let words: Vec<String> = crate::written::words::words()
            .iter()
            .map(|word| format!("{}.{}", word.table, word.key))
            .collect();
        assert!(engines().count() >= 4);
        for form in engines().flat_map(|engine| &engine.forms) {
            let family = library.get(&form.family).expect("the form's family");
            for (word, said) in form.words.iter().chain(&form.metadata) {
                expr(said).unwrap_or_else(|error| panic!("{}: {word}: {error}", form.name));
            }
            for word in form.words.keys() {
                assert!(words.contains(word), "{}: {word}", form.name);
            }
            for size in &family.sizes {
                let architecture = family.resolve(&size.config, &[]).expect("a published size resolves");
                form.limits(&architecture).unwrap_or_else(|error| panic!("{error}"));
                form.metadata(&architecture).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
}
