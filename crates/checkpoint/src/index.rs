//! Weights in several files, and the index that says which tensor is in which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde_json::Value;

use crate::{Error, Tensor, read_json};

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// Reads every shard that `index` names, through `read`: all their tensors, and the names that the index lists and no shard
/// holds. What a shard holds beyond the index is taken, too: buffers come and go with the program that saves.
pub(crate) fn read_sharded(
    index: &Path,
    read: impl Fn(&Path) -> Result<Vec<Tensor>, Error>,
) -> Result<(Tensors, Vec<String>), Error> {
    let shards = shards(index)?;
    let names: Vec<String> = shards.keys().cloned().collect();
    let tensors = read_set(index, &names, read)?;
    let promised = shards.into_values().flatten();
    let lacking = promised.filter(|name| !tensors.contains_key(name)).collect();
    Ok((tensors, lacking))
}

/// Reads shards that lie beside `of`, which names them.
pub(crate) fn read_set(
    of: &Path,
    names: &[String],
    read: impl Fn(&Path) -> Result<Vec<Tensor>, Error>,
) -> Result<Tensors, Error> {
    let folder = of.parent().unwrap_or(Path::new(""));
    for shard in names {
        // All are looked for before the first is read, so that half a download is told at once.
        if !folder.join(shard).try_exists().unwrap_or(true) {
            return Err(shard_error(of, shard, "is missing; download it"));
        }
    }
    let mut tensors = Tensors::new();
    for shard in names {
        insert_all(&mut tensors, read(&folder.join(shard))?)?;
    }
    Ok(tensors)
}

/// Whether an index names shards of which none is there.
pub(crate) fn absent(index: &Path) -> Result<bool, Error> {
    let folder = index.parent().unwrap_or(Path::new(""));
    Ok(!shards(index)?.keys().any(|shard| folder.join(shard).try_exists().unwrap_or(true)))
}

/// Tensors by name; a name that is there twice is an error.
pub(crate) fn by_name(tensors: Vec<Tensor>) -> Result<Tensors, Error> {
    let mut map = Tensors::new();
    insert_all(&mut map, tensors)?;
    Ok(map)
}

/// Adds tensors by name; a name that is there already is an error with both files.
fn insert_all(into: &mut Tensors, tensors: Vec<Tensor>) -> Result<(), Error> {
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
