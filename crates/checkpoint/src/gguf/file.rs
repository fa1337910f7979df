//! One file: its header, its metadata, its list of tensors, each held to the data that are there.

use std::sync::Arc;

use super::cursor::Cursor;
use super::metadata::{Metadata, Value};
use super::types::GgmlType;
use crate::{Dtype, Error, Source, Tensor};

pub(crate) const MAGIC: &[u8; 4] = b"GGUF";
const DEFAULT_ALIGNMENT: u64 = 32;
/// The least that a metadata entry takes: an empty key's length, a type, a byte.
const SMALLEST_ENTRY: u64 = 8 + 4 + 1;
/// The least that a tensor's entry takes: an empty name's length, a rank of 0, a type, an offset.
const SMALLEST_TENSOR: u64 = 8 + 4 + 4 + 8;
/// ggml's own bound.
const MOST_EXTENTS: u32 = 4;

/// What the list of tensors says about one of them.
struct Entry {
    name: String,
    shape: Vec<usize>,
    kind: GgmlType,
    offset: u64,
}

/// Metadata and tensors of one `.gguf` file, be it one of several parts; the tensors in the order of their bytes. Reads no
/// data.
///
/// # Errors
/// [`Error::Malformed`] for the file as a whole, [`Error::Tensor`] for one entry, [`Error::Unsupported`] for other
/// versions and big-endian files; [`Error::Io`].
pub fn read_gguf(source: &Arc<Source>) -> Result<(Metadata, Vec<Tensor>), Error> {
    let mut cursor = Cursor::new(source);
    if cursor.array::<4>()? != *MAGIC {
        return Err(cursor.malformed("it does not begin with \"GGUF\""));
    }
    check_version(&mut cursor)?;
    let tensors = cursor.u64()?;
    let entries = cursor.count(SMALLEST_ENTRY, "metadata entries")?;
    let metadata = Metadata::read(&mut cursor, entries)?;
    cursor.check_count(tensors, SMALLEST_TENSOR, "tensors")?;
    let mut list = Vec::new();
    for _ in 0..tensors {
        list.push(read_entry(&mut cursor)?);
    }
    let alignment = alignment(&cursor, &metadata)?;
    let start = cursor.position().next_multiple_of(alignment);
    Ok((metadata, place(source, list, start, alignment)?))
}

fn check_version(cursor: &mut Cursor<'_>) -> Result<(), Error> {
    match cursor.u32()? {
        2 | 3 => Ok(()),
        // A small number, written the other way round.
        other if other & 0xffff == 0 && other != 0 => {
            Err(cursor.unsupported("a big-endian GGUF file; convert it to little endian".to_owned()))
        }
        other => {
            Err(cursor.unsupported(format!("GGUF version {other}, where 2 and 3 are read; convert it anew")))
        }
    }
}

fn read_entry(cursor: &mut Cursor<'_>) -> Result<Entry, Error> {
    let name = cursor.string("a tensor's name")?;
    let rank = cursor.u32()?;
    if rank > MOST_EXTENTS {
        return Err(cursor.tensor(&name, format!("{rank} dimensions; at most {MOST_EXTENTS} are read")));
    }
    let mut shape = Vec::new();
    for _ in 0..rank {
        let extent = cursor.u64()?;
        let extent = usize::try_from(extent)
            .map_err(|_| cursor.tensor(&name, format!("a dimension of {extent} is beyond this machine")))?;
        shape.insert(0, extent);
    }
    let kind = GgmlType(cursor.u32()?);
    let offset = cursor.u64()?;
    Ok(Entry { name, shape, kind, offset })
}

fn alignment(cursor: &Cursor<'_>, metadata: &Metadata) -> Result<u64, Error> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(&Value::Unsigned(alignment)) if alignment.is_power_of_two() && alignment <= 1 << 30 => {
            Ok(alignment)
        }
        Some(other) => Err(cursor.malformed(&format!("general.alignment is {other:?}, not a power of two"))),
    }
}

/// The entries as tensors: known types, aligned, in the file, no two over the same bytes, no name twice.
fn place(
    source: &Arc<Source>,
    mut list: Vec<Entry>,
    start: u64,
    alignment: u64,
) -> Result<Vec<Tensor>, Error> {
    list.sort_by_key(|entry| entry.offset);
    let mut tensors = Vec::with_capacity(list.len());
    let (mut free, mut before) = (0, String::new());
    for Entry { name, shape, kind, offset } in list {
        let wrong = |problem| Error::Tensor { path: source.path().to_owned(), tensor: name.clone(), problem };
        let Some(dtype) = kind.dtype() else {
            return Err(wrong(format!(
                "its type, {kind}, is not read; the types that are: {}",
                GgmlType::read()
            )));
        };
        if !offset.is_multiple_of(alignment) {
            return Err(wrong(format!("its offset {offset} is no multiple of the alignment {alignment}")));
        }
        if offset < free {
            return Err(wrong(format!(
                "its offset {offset} lies within tensor {before:?}, which ends at {free}"
            )));
        }
        let tensor = at(source, &name, dtype, &shape, start.checked_add(offset))?;
        free = offset + tensor.byte_len() as u64;
        tensors.push(tensor);
        before = name;
    }
    Ok(tensors)
}

/// A tensor that begins at `start` (none: the sum overflowed).
fn at(
    source: &Arc<Source>,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
    start: Option<u64>,
) -> Result<Tensor, Error> {
    // An impossible shape is told apart by `within`, before the range matters.
    let len = dtype.byte_len(shape).unwrap_or_default() as u64;
    let start = start.unwrap_or(u64::MAX);
    Tensor::within(source, name, dtype, shape, start..start.saturating_add(len))
}
