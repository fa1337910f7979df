//! Weights in several files, and the index that says which tensor is in which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::{Error, Tensor, read_json};

/// Reads every shard that `index` names, through `read`, and holds the two to each other both ways.
pub(crate) fn read_sharded(
    index: &Path,
    read: impl Fn(&Path) -> Result<Vec<Tensor>, Error>,
) -> Result<BTreeMap<String, Tensor>, Error> {
    let shards = shards(index)?;
    let folder = index.parent().unwrap_or(Path::new(""));
    for shard in shards.keys() {
        // All are looked for before the first is read, so that half a download is told at once.
        if !folder.join(shard).try_exists().unwrap_or(true) {
            return Err(shard_error(index, shard, "is missing"));
        }
    }
    let mut tensors = BTreeMap::new();
    for (shard, promised) in shards {
        let path = folder.join(shard);
        let held = read(&path)?;
        compare(index, &path, &promised, &held)?;
        insert_all(&mut tensors, held)?;
    }
    Ok(tensors)
}

/// Tensors by name; a name that is there twice is an error.
pub(crate) fn by_name(tensors: Vec<Tensor>) -> Result<BTreeMap<String, Tensor>, Error> {
    let mut map = BTreeMap::new();
    insert_all(&mut map, tensors)?;
    Ok(map)
}

/// Adds tensors by name; a name that is there already is an error with both files.
fn insert_all(into: &mut BTreeMap<String, Tensor>, tensors: Vec<Tensor>) -> Result<(), Error> {
    for tensor in tensors {
        let second = tensor.path().to_owned();
        if let Some(first) = into.insert(tensor.name().to_owned(), tensor) {
            let (tensor, first) = (first.name().to_owned(), first.path().to_owned());
            return Err(Error::DuplicateTensor { tensor, first, second });
        }
    }
    Ok(())
}

/// File name → names of its tensors, from the index's `weight_map`.
fn shards(index: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let wrong = |problem| Error::Json { path: index.to_owned(), problem };
    let object = read_json(index)?;
    let Some(Value::Object(map)) = object.get("weight_map") else {
        return Err(wrong("has no object \"weight_map\"".to_owned()));
    };
    let mut shards = BTreeMap::<_, BTreeSet<_>>::new();
    for (tensor, shard) in map {
        let Value::String(shard) = shard else {
            return Err(wrong(format!("weight_map gives {tensor:?} the value {shard}, not a file name")));
        };
        if !is_plain_name(shard) {
            return Err(shard_error(index, shard, "is not the name of a file beside the index"));
        }
        shards.entry(shard.clone()).or_default().insert(tensor.clone());
    }
    Ok(shards)
}

/// One component, no separator of any system: nothing that could lead out of the folder.
fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let one = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    one && !name.contains(['/', '\\', ':', '\0'])
}

fn shard_error(index: &Path, shard: &str, problem: &'static str) -> Error {
    Error::Shard { index: index.to_owned(), shard: shard.to_owned(), problem }
}

fn compare(index: &Path, file: &Path, promised: &BTreeSet<String>, held: &[Tensor]) -> Result<(), Error> {
    let held: BTreeSet<&str> = held.iter().map(Tensor::name).collect();
    let missing: Vec<_> = promised.iter().filter(|name| !held.contains(name.as_str())).cloned().collect();
    let surplus: Vec<_> =
        held.iter().filter(|&&name| !promised.contains(name)).map(|&name| name.to_owned()).collect();
    let mismatch = |problem, tensors| {
        let (index, file): (PathBuf, PathBuf) = (index.to_owned(), file.to_owned());
        Err(Error::IndexMismatch { index, file, problem, tensors })
    };
    match (missing.is_empty(), surplus.is_empty()) {
        (true, true) => Ok(()),
        (false, _) => mismatch("the file lacks", missing),
        (true, false) => mismatch("the index does not give the file", surplus),
    }
}
