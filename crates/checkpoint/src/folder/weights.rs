//! Which files of a folder may hold its weights, by their names alone.
//!
//! As in transformers, with what people have beside it: a complete set of shards needs no index, a variant (`fp16`) is
//! taken where there is nothing else, and a file of an odd name comes after every usual one.

use std::collections::BTreeMap;

/// Files that hold weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weights {
    pub(super) format: Format,
    pub(super) files: Files,
}

/// A format of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Safetensors,
    Torch,
    Gguf,
}

/// How weights lie in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Files {
    One(String),
    /// An index that names the shards.
    Index(String),
    /// Every shard of a set, in order.
    Set(Vec<String>),
}

impl Weights {
    /// The file that stands for them in messages.
    pub(super) fn name(&self) -> &str {
        match &self.files {
            Files::One(name) | Files::Index(name) => name,
            Files::Set(names) => names.first().map_or("", String::as_str),
        }
    }
}

/// Where no file holds the weights by its name, why.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Several could.
    Several(Vec<String>),
    /// A shard is there, and another of its set is not.
    Incomplete { there: String, missing: String },
}

const USUAL: [(Format, &str); 2] =
    [(Format::Safetensors, "model.safetensors"), (Format::Torch, "pytorch_model.bin")];
/// How names of `*.safetensors` begin that hold something else than a model's weights.
const OTHERS: [&str; 7] =
    ["adapter", "consolidated", "value_head", "optimizer", "scheduler", "pytorch_lora", "rank"];
/// How names of `*.gguf` begin that hold something else than a model.
const OTHERS_GGUF: [&str; 2] = ["mmproj", "imatrix"];

/// What may hold the weights, the likeliest first.
pub(super) fn candidates(names: &[String]) -> Vec<Weights> {
    let mut found = Vec::new();
    let has = |name: &str| names.iter().any(|other| other == name).then(|| name.to_owned());
    for (format, single) in USUAL {
        let files = [
            has(single).map(Files::One),
            has(&format!("{single}.index.json")).map(Files::Index),
            sets(names, single)
                .iter()
                .filter(|set| single.starts_with(&format!("{}.", set.stem)))
                .find_map(Set::whole),
        ];
        found.extend(files.into_iter().flatten().map(|files| Weights { format, files }));
    }
    for (format, single) in USUAL {
        let index = format!("{single}.index.json");
        let indices = names.iter().filter(|name| is_variant(name, &index));
        let variants: Vec<_> = names.iter().filter(|name| is_variant(name, single)).collect();
        let only = if let [name] = variants[..] { Some(Files::One(name.clone())) } else { None };
        let files = indices.map(|name| Files::Index(name.clone())).chain(only);
        found.extend(files.map(|files| Weights { format, files }));
    }
    let others = sets(names, USUAL[0].1);
    found.extend(
        others.iter().filter_map(Set::whole).map(|files| Weights { format: Format::Safetensors, files }),
    );
    if let [name] = &odd(names, ".safetensors", &OTHERS)[..] {
        found.push(Weights { format: Format::Safetensors, files: Files::One((*name).clone()) });
    }
    let gathered = has("pytorch_model_fsdp.bin").map(Files::One);
    found.extend(gathered.map(|files| Weights { format: Format::Torch, files }));
    if let [name] = &ggufs(names)[..] {
        found.push(Weights { format: Format::Gguf, files: Files::One((*name).clone()) });
    }
    found.dedup();
    found
}

/// Why nothing was found though something is there.
pub(super) fn doubt(names: &[String]) -> Option<Doubt> {
    let gap = USUAL.iter().find_map(|(_, like)| sets(names, like).iter().find_map(Set::gap));
    if gap.is_some() {
        return gap;
    }
    let variants = names.iter().filter(|name| is_variant(name, USUAL[0].1));
    let several = [odd(names, ".safetensors", &OTHERS), variants.collect(), ggufs(names)];
    let several = several.into_iter().find(|names| names.len() > 1)?;
    Some(Doubt::Several(several.into_iter().cloned().collect()))
}

/// The GGUF files that may be models, by their names.
pub(super) fn ggufs(names: &[String]) -> Vec<&String> {
    odd(names, ".gguf", &OTHERS_GGUF)
}

/// The weights that a file stands for which was named in place of its folder: none where it is one shard of several, which
/// stands for its folder.
pub(super) fn of_file(name: &str) -> Option<Weights> {
    let like = USUAL.iter().find(|(_, like)| part(name, like).is_some() || name.ends_with(ending(like)))?;
    let one = part(name, like.1).is_none();
    one.then(|| Weights { format: like.0, files: Files::One(name.to_owned()) })
}

/// Names with this ending that no usual name covers: not hidden, not begun otherwise, no part of a set.
fn odd<'a>(names: &'a [String], ending: &str, others: &[&str]) -> Vec<&'a String> {
    let usual = |name: &str| USUAL.iter().any(|(_, single)| name == *single || is_variant(name, single));
    let is = |name: &&String| {
        name.ends_with(ending)
            && !name.starts_with('.')
            && !usual(name)
            && !others.iter().any(|start| name.starts_with(start))
            && USUAL.iter().all(|(_, like)| part(name, like).is_none())
    };
    names.iter().filter(is).collect()
}

/// `model.fp16.safetensors` of `model.safetensors`, `model.safetensors.index.fp16.json` of the index.
fn is_variant(name: &str, single: &str) -> bool {
    let Some((stem, ending)) = single.rsplit_once('.') else { return false };
    let middle = name
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_suffix(ending)?.strip_prefix('.')?.strip_suffix('.'));
    middle.is_some_and(|variant| {
        !variant.is_empty()
            && variant != "index"
            && variant.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Shards of one stem and one count, by number.
struct Set {
    stem: String,
    count: usize,
    parts: BTreeMap<usize, String>,
}

impl Set {
    /// Its files, where all are there.
    fn whole(&self) -> Option<Files> {
        let whole = (1..=self.count).all(|number| self.parts.contains_key(&number));
        whole.then(|| Files::Set(self.parts.values().cloned().collect()))
    }

    fn gap(&self) -> Option<Doubt> {
        let missing = (1..=self.count).find(|number| !self.parts.contains_key(number))?;
        let (number, there) = self.parts.first_key_value()?;
        let missing = there.replacen(&format!("{number:05}"), &format!("{missing:05}"), 1);
        Some(Doubt::Incomplete { there: there.clone(), missing })
    }
}

/// The sets of shards among names that end as `like` does.
fn sets(names: &[String], like: &str) -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    for name in names.iter().filter(|name| !name.starts_with('.')) {
        let Some((stem, number, count)) = part(name, like) else { continue };
        let known = sets.iter().position(|set| set.stem == stem && set.count == count).unwrap_or_else(|| {
            sets.push(Set { stem: stem.to_owned(), count, parts: BTreeMap::new() });
            sets.len() - 1
        });
        sets[known].parts.insert(number, name.clone());
    }
    sets
}

/// Stem, number and count of `model-00001-of-00002.safetensors`, where the name ends as `like` does.
fn part<'a>(name: &'a str, like: &str) -> Option<(&'a str, usize, usize)> {
    let (rest, count) = name.strip_suffix(ending(like))?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok())?;
    let (number, count) = (digits(number)?, digits(count)?);
    (1..=count).contains(&number).then_some((stem, number as usize, count as usize))
}

fn ending(name: &str) -> &str {
    name.rfind('.').map_or(name, |point| &name[point..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first candidate, as `format files`; or the doubt.
    #[track_caller]
    fn check(names: &[&str], expected: &str) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let told = match (candidates(&names).first(), doubt(&names)) {
            (Some(Weights { files: Files::One(name) | Files::Index(name), .. }), _) => name.clone(),
            (Some(Weights { files: Files::Set(names), .. }), _) => names.join(" + "),
            (None, Some(Doubt::Several(names))) => format!("several: {}", names.join(", ")),
            (None, Some(Doubt::Incomplete { missing, .. })) => format!("missing: {missing}"),
            (None, None) => String::new(),
        };
        assert_eq!(told, expected, "{names:?}");
    }

    const TWO: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

    #[test]
    fn the_usual_names_come_first() {
        check(&["model.safetensors", "pytorch_model.bin", "model.fp16.safetensors"], "model.safetensors");
        check(&["pytorch_model.bin", "odd.safetensors", "model.fp16.safetensors"], "pytorch_model.bin");
        check(&["model.safetensors.index.json", "odd.safetensors"], "model.safetensors.index.json");
        check(&["pytorch_model.bin.index.json", "odd.safetensors"], "pytorch_model.bin.index.json");
        check(&["model.fp16.safetensors", "odd.safetensors"], "model.fp16.safetensors");
        check(&["model.safetensors.index.fp16.json"], "model.safetensors.index.fp16.json");
        check(&["odd.safetensors"], "odd.safetensors");
        check(&["pytorch_model_fsdp.bin", "optimizer.bin"], "pytorch_model_fsdp.bin");
        check(&["odd.gguf"], "odd.gguf");
    }

    #[test]
    fn a_set_needs_no_index_where_it_is_whole() {
        check(&TWO, &TWO.join(" + "));
        check(&["model-00001-of-00001.safetensors"], "model-00001-of-00001.safetensors");
        check(&["tiny-1-of-1.safetensors", "odd.safetensors"], "tiny-1-of-1.safetensors");
        check(&["pytorch_model-00001-of-00001.bin", "odd.safetensors"], "pytorch_model-00001-of-00001.bin");
        check(&TWO[..1], "missing: model-00002-of-00002.safetensors");
        check(&TWO[1..], "missing: model-00001-of-00002.safetensors");
        check(&["pytorch_model-00002-of-00003.bin"], "missing: pytorch_model-00001-of-00003.bin");
        check(
            &["model-00000-of-00002.safetensors", "model-00003-of-00002.safetensors"],
            "several: model-00000-of-00002.safetensors, model-00003-of-00002.safetensors",
        );
    }

    #[test]
    fn what_is_hidden_or_something_else_is_no_candidate() {
        check(&["._odd.safetensors", "odd.safetensors", "adapter_model.safetensors"], "odd.safetensors");
        check(&["._odd.gguf", "odd.gguf", "mmproj-odd.gguf", "imatrix.gguf"], "odd.gguf");
        check(&["adapter_model.safetensors", "consolidated.safetensors", "value_head.safetensors"], "");
        check(&["a.safetensors", "b.safetensors"], "several: a.safetensors, b.safetensors");
        check(&["a.gguf", "b.gguf"], "several: a.gguf, b.gguf");
        check(
            &["model.fp16.safetensors", "model.fp32.safetensors"],
            "several: model.fp16.safetensors, model.fp32.safetensors",
        );
    }

    #[test]
    fn a_file_stands_for_itself_and_a_shard_for_its_folder() {
        let one = |name: &str| of_file(name).map(|weights| (weights.format, weights.files));
        assert_eq!(
            one("odd.safetensors"),
            Some((Format::Safetensors, Files::One("odd.safetensors".to_owned())))
        );
        assert_eq!(one("odd.bin"), Some((Format::Torch, Files::One("odd.bin".to_owned()))));
        assert_eq!(one(TWO[0]), None);
        assert_eq!(one("config.json"), None);
    }
}
