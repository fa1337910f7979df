//! A path as people give it → configuration and tensors, or one sentence that says what it is instead.
//!
//! ```text
//! path ─ place ─→ a folder (and the file that was named in it), or a GGUF file
//! folder ─ weights ─→ what may hold the weights, the likeliest first ─ read ─→ tensors
//!        └ things, packed, near: what is told where nothing is read
//! ```

mod kinds;
mod listing;
mod near;
mod packed;
mod place;
pub(crate) mod things;
mod weights;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::gguf::{MAGIC, Metadata, open_gguf};
use crate::index::{Tensors, absent, by_name, read_set, read_sharded};
use crate::{Error, Mapping, Source, Tensor, read_json, read_safetensors, read_torch};
use listing::list;
use place::Place;
use things::told;
use weights::{Doubt, Files, Format, Weights};

const LOOKED_FOR: &str = "model.safetensors, model.safetensors.index.json, pytorch_model.bin, \
                          pytorch_model.bin.index.json, one *.safetensors, one *.gguf";
/// Files beside config.json that say how the weights are quantised.
const SAID_BESIDE: [&str; 3] = ["quantize_config.json", "hf_quant_config.json", "quant_config.json"];

/// What a path leads to, read.
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    pub(crate) described: Described,
    pub(crate) tensors: Tensors,
    /// What was passed over or left out on the way, a sentence each.
    pub(crate) notes: Vec<String>,
}

/// What a checkpoint says about its model.
#[derive(Clone, Debug)]
pub(crate) enum Described {
    Config(Map<String, Value>),
    Gguf(Metadata),
}

impl Held {
    fn new(path: PathBuf, described: Described, tensors: Tensors, notes: Vec<String>) -> Held {
        Held { path, described, tensors, notes }
    }
}

/// Opens what a path leads to.
pub(crate) fn open(path: &Path, mapping: Mapping) -> Result<Held, Error> {
    match place::find(path)? {
        Place::Gguf(file) => gguf(&file, mapping, Vec::new()),
        Place::Folder { folder, file } => {
            let names = list(&folder)?;
            Folder { path: &folder, names, mapping, notes: Vec::new() }.open(file.as_deref())
        }
    }
}

/// Opens the config.json alone that a path leads to.
pub(crate) fn open_config(path: &Path) -> Result<Held, Error> {
    match place::find(path)? {
        Place::Gguf(file) => gguf(&file, Mapping::Map, Vec::new()),
        Place::Folder { folder, .. } => {
            let config = config(&folder)?;
            let declared = packed::declared(&config);
            let mut notes =
                vec![format!("{}: no weights here; what is told is from config.json", folder.display())];
            notes.extend(
                declared.map(|method| format!("config.json says that the weights are quantised ({method})")),
            );
            Ok(Held::new(folder, Described::Config(config), Tensors::new(), notes))
        }
    }
}

fn config(folder: &Path) -> Result<Map<String, Value>, Error> {
    let path = folder.join("config.json");
    read_json(&path).map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Error::unsupported(
            folder,
            "there is no config.json here, which says what the weights are of".to_owned(),
        ),
        other => other,
    })
}

fn gguf(path: &Path, mapping: Mapping, notes: Vec<String>) -> Result<Held, Error> {
    let source = Arc::new(Source::open(path, mapping)?);
    let opening = source.read(0..source.len().min(things::OPENING))?;
    if let Some(told) = told(&opening).filter(|_| !opening.starts_with(MAGIC)) {
        return Err(Error::unsupported(path, told));
    }
    let (metadata, tensors) = open_gguf(path, mapping)?;
    if let Some(kind) = kinds::of_gguf(&metadata, tensors.len()) {
        return Err(Error::unsupported(path, kind));
    }
    Ok(Held::new(path.to_owned(), Described::Gguf(metadata), by_name(tensors)?, notes))
}

/// The tensors of one file, or what the file is instead.
fn read(path: &Path, format: Format, mapping: Mapping) -> Result<Vec<Tensor>, Error> {
    let source = Arc::new(Source::open(path, mapping)?);
    let tensors = match format {
        Format::Torch => read_torch(&source),
        Format::Safetensors | Format::Gguf => read_safetensors(&source),
    };
    tensors.map_err(|error| match error {
        Error::Malformed { .. } | Error::Unsupported { .. } => {
            let opening = source.read(0..source.len().min(things::OPENING)).unwrap_or_default();
            let own = match format {
                Format::Torch => opening.starts_with(b"PK"),
                Format::Safetensors | Format::Gguf => things::is_safetensors(&opening),
            };
            let told = if own { None } else { told(&opening) };
            told.map_or(error, |problem| Error::unsupported(path, problem))
        }
        other => other,
    })
}

/// A folder that is being opened.
struct Folder<'a> {
    path: &'a Path,
    names: Vec<String>,
    mapping: Mapping,
    notes: Vec<String>,
}

impl Folder<'_> {
    /// `file` was named in place of the folder.
    fn open(mut self, file: Option<&str>) -> Result<Held, Error> {
        let files: Vec<String> = self.files();
        let candidates = match file.and_then(weights::of_file) {
            Some(weights) => vec![weights],
            None => weights::candidates(&files),
        };
        let tensors = match self.first(&candidates)? {
            Some(Found::Tensors(tensors)) => tensors,
            Some(Found::Gguf(name)) => return gguf(&self.path.join(name), self.mapping, self.notes),
            None => match self.only_gguf(&files) {
                Some((name, others)) => {
                    let path = self.path.join(name);
                    let note = format!("{}: passed over, being no models: {others}", self.path.display());
                    return gguf(&path, self.mapping, vec![note]);
                }
                None => return Err(self.nothing(&files)),
            },
        };
        let config = config(self.path)?;
        self.refuse_unmerged(&tensors)?;
        self.refuse_quantised(&config, &tensors)?;
        self.notes.extend(kinds::adapter_beside(self.path, &self.names));
        Ok(Held::new(self.path.to_owned(), Described::Config(config), tensors, self.notes))
    }

    /// The names that files of weights may have. A folder of the first name there is an error to be told.
    fn files(&self) -> Vec<String> {
        let file = |name: &String| match name.strip_suffix('/') {
            Some("model.safetensors") => Some("model.safetensors".to_owned()),
            Some(_) => None,
            None => Some(name.clone()),
        };
        self.names.iter().filter_map(file).collect()
    }

    /// The first candidate that holds numbers.
    fn first(&mut self, candidates: &[Weights]) -> Result<Option<Found>, Error> {
        for (at, weights) in candidates.iter().enumerate() {
            let is_last = at + 1 == candidates.len();
            if let (Files::One(name), Format::Gguf) = (&weights.files, weights.format) {
                self.refuse_unfinished(name)?;
                return Ok(Some(Found::Gguf(name.clone())));
            }
            if let (Files::Index(name), false) = (&weights.files, is_last) {
                let index = self.path.join(name);
                if absent(&index).is_ok_and(|absent| absent) {
                    self.notes.push(format!("{}: none of its shards is here; passed over", index.display()));
                    continue;
                }
            }
            let tensors = self.read(weights)?;
            let empty = !tensors.is_empty() && tensors.values().all(|tensor| tensor.elements() == 0);
            match (empty, is_last) {
                (false, _) => return Ok(Some(Found::Tensors(tensors))),
                (true, false) => {
                    let note = "its tensors are empty, as DeepSpeed's ZeRO leaves them; passed over";
                    self.notes.push(format!("{}: {note}", self.path.join(weights.name()).display()));
                }
                (true, true) => {
                    let problem = "its tensors are empty, as DeepSpeed's ZeRO leaves them; gather the weights with \
                                   `python zero_to_fp32.py . .` in the folder";
                    return Err(Error::unsupported(&self.path.join(weights.name()), problem.to_owned()));
                }
            }
        }
        Ok(None)
    }

    fn read(&mut self, weights: &Weights) -> Result<Tensors, Error> {
        let one = |path: &Path| {
            self.refuse_unfinished(&path.file_name().unwrap_or_default().to_string_lossy())?;
            read(path, weights.format, self.mapping)
        };
        match &weights.files {
            Files::One(name) => by_name(one(&self.path.join(name))?),
            Files::Set(names) => read_set(&self.path.join(&names[0]), names, one),
            Files::Index(name) => {
                let (tensors, lacking) = read_sharded(&self.path.join(name), one)?;
                if let Some(first) = lacking.first() {
                    let (many, path) = (lacking.len(), self.path.join(name));
                    self.notes.push(format!(
                        "{}: {many} of the tensors that it lists are in no shard, the first `{first}`",
                        path.display()
                    ));
                }
                Ok(tensors)
            }
        }
    }

    /// A file beside which a download in progress stands may be of full length, and full of holes.
    fn refuse_unfinished(&self, name: &str) -> Result<(), Error> {
        let beside = things::BESIDE.iter().map(|ending| format!("{name}{ending}"));
        match beside.into_iter().find(|beside| self.names.contains(beside)) {
            Some(beside) => {
                let problem = format!(
                    "a download that did not end: {beside} stands beside it; let it end, or download the file again"
                );
                Err(Error::unsupported(&self.path.join(name), problem))
            }
            None => Ok(()),
        }
    }

    /// An adapter's parts among the weights would have to be added to them.
    fn refuse_unmerged(&self, tensors: &Tensors) -> Result<(), Error> {
        let parts = [
            ".lora_A.",
            ".lora_B.",
            ".lora_a",
            ".lora_b",
            ".lora_magnitude_vector",
            ".lora_embedding_",
            ".base_layer.",
        ];
        let part = tensors.keys().find(|name| parts.iter().any(|part| name.contains(part)));
        let Some(name) = part else { return Ok(()) };
        let problem = format!(
            "an adapter that was not merged lies among the weights (`{name}`); merge it (peft's `merge_and_unload`) and save again"
        );
        Err(Error::unsupported(self.path, problem))
    }

    fn refuse_quantised(&self, config: &Map<String, Value>, tensors: &Tensors) -> Result<(), Error> {
        let beside = SAID_BESIDE.iter().filter(|name| self.names.iter().any(|there| there == *name));
        let beside = beside.filter_map(|name| read_json(&self.path.join(name)).ok());
        let said: Vec<_> = std::iter::once(config.clone()).chain(beside).collect();
        let Some(method) = packed::method(&said, &tensors.values().collect::<Vec<_>>()) else {
            return Ok(());
        };
        let problem = format!(
            "the weights are quantised ({method}), in a form that is not read; get the 16-bit weights, or a GGUF file"
        );
        Err(Error::unsupported(self.path, problem))
    }

    /// Of several GGUF files the only one that is a model by what it says of itself, and the names of the others.
    fn only_gguf(&self, files: &[String]) -> Option<(String, String)> {
        const MOST: usize = 64;
        let is_model = |name: &&String| gguf(&self.path.join(name), Mapping::Map, Vec::new()).is_ok();
        let (models, others): (Vec<&String>, Vec<&String>) =
            weights::ggufs(files).into_iter().take(MOST).partition(is_model);
        let others: Vec<_> = others.into_iter().map(String::as_str).collect();
        if let [name] = models[..] { Some((name.clone(), others.join(", "))) } else { None }
    }

    /// Why nothing is read here, in one sentence.
    fn nothing(&self, files: &[String]) -> Error {
        match weights::doubt(files) {
            Some(Doubt::Several(candidates)) => {
                return Error::Ambiguous { path: self.path.to_owned(), candidates };
            }
            Some(Doubt::Incomplete { there, missing }) => {
                let problem = format!("one of several shards, of which {missing} is missing; download it");
                return Error::unsupported(&self.path.join(there), problem);
            }
            None => {}
        }
        let inner: Vec<String> = self.inner();
        if let Some(row) = things::of_names(&inner) {
            let base = kinds::base_of_adapter(self.path).filter(|_| row.is == "an adapter");
            let of = base.map(|base| format!(" of {base}")).unwrap_or_default();
            return Error::unsupported(self.path, format!("{}{of}; {}", row.is, row.advice));
        }
        let unfinished = |name: &&String| things::UNFINISHED.iter().any(|ending| name.ends_with(ending));
        if let Some(name) = inner.iter().find(unfinished) {
            return Error::unsupported(
                &self.path.join(name),
                "a download that did not end; download the file again".to_owned(),
            );
        }
        let told = files.iter().filter(|name| name.ends_with(".bin")).find_map(|name| self.told(name));
        if let Some(error) = told {
            return error;
        }
        let near = near::below(self.path);
        Error::NoWeights { path: self.path.to_owned(), looked_for: LOOKED_FOR, near }
    }

    /// What a file that is no candidate is, by its first bytes.
    fn told(&self, name: &str) -> Option<Error> {
        let path = self.path.join(name);
        let source = Source::open(&path, Mapping::Read).ok()?;
        let opening = source.read(0..source.len().min(things::OPENING)).ok()?;
        Some(Error::unsupported(&path, told(&opening)?))
    }

    /// The names here and one level below.
    fn inner(&self) -> Vec<String> {
        const WIDEST: usize = 64;
        let mut inner = self.names.clone();
        for folder in self.names.iter().filter(|name| name.ends_with('/')).take(WIDEST) {
            let below = if folder == ".cache/" { ".cache/huggingface/download/" } else { folder };
            let names = list(&self.path.join(below)).unwrap_or_default();
            inner.extend(names.into_iter().take(WIDEST).map(|name| format!("{below}{name}")));
        }
        inner
    }
}

/// What a candidate turned out to be.
enum Found {
    Tensors(Tensors),
    Gguf(String),
}
