//! The safetensors format: eight bytes of length, a JSON header, the tensors' bytes.
//!
//! The header's grammar (names of types, fields of an entry) is the `safetensors` crate's. What an entry claims is
//! checked here, since a message must name the file and the tensor, a name may not stand twice (the crate takes the
//! last), and sums of hostile offsets may not overflow (the crate adds them unchecked).

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use safetensors::tensor::{Dtype as Stored, TensorInfo};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::{Dtype, Error, Source, Tensor};

const LENGTH_BYTES: u64 = 8;
/// As in the reference implementation.
const HEADER_LIMIT: u64 = 100_000_000;
const METADATA: &str = "__metadata__";

/// The tensors of one `.safetensors` file, in the order of their bytes. Reads the header only.
///
/// The tensors must cover the data exactly, without gap or overlap, as the format demands.
///
/// # Errors
/// [`Error::Malformed`] for the file as a whole, [`Error::Tensor`] for one entry, [`Error::Io`].
pub fn read_safetensors(source: &Arc<Source>) -> Result<Vec<Tensor>, Error> {
    let header = header_range(source)?;
    let start = header.end;
    let mut entries = parse_header(source, &source.read(header)?)?;
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    let mut tensors = Vec::with_capacity(entries.len());
    let mut covered = 0;
    for (name, entry) in entries {
        let tensor = tensor(source, start, covered, &name, &entry)?;
        covered += tensor.byte_len() as u64;
        tensors.push(tensor);
    }
    match source.len() - start - covered {
        0 => Ok(tensors),
        surplus => Err(malformed(source, format!("its last {surplus} bytes belong to no tensor"))),
    }
}

/// Where the header is: after its length, within the file.
fn header_range(source: &Source) -> Result<Range<u64>, Error> {
    let total = source.len();
    if total < LENGTH_BYTES {
        return Err(malformed(source, format!("{total} bytes are too few for its header's length")));
    }
    let length = source.read(0..LENGTH_BYTES)?;
    let length = length.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    if length > HEADER_LIMIT {
        return Err(malformed(
            source,
            format!("a header of {length} bytes, where {HEADER_LIMIT} are allowed"),
        ));
    }
    let end = LENGTH_BYTES + length;
    if end > total {
        let problem = format!("a header of {length} bytes in a file of {total}: cut short, or no such file");
        return Err(malformed(source, problem));
    }
    Ok(LENGTH_BYTES..end)
}

/// One entry as a tensor. It must begin where the one before it ended, `covered` bytes after `start`.
fn tensor(
    source: &Arc<Source>,
    start: u64,
    covered: u64,
    name: &str,
    entry: &TensorInfo,
) -> Result<Tensor, Error> {
    let wrong = |problem| Error::Tensor { path: source.path().to_owned(), tensor: name.to_owned(), problem };
    let Some(dtype) = dtype(entry.dtype) else {
        return Err(wrong(format!("numbers stored as {} are not read", entry.dtype)));
    };
    let (begin, end) = (entry.data_offsets.0 as u64, entry.data_offsets.1 as u64);
    if begin != covered || end < begin {
        let problem =
            format!("data_offsets [{begin}, {end}] after bytes up to {covered}: overlap, gap or reversal");
        return Err(wrong(problem));
    }
    let size = source.len() - start;
    if end > size {
        return Err(wrong(format!("data_offsets [{begin}, {end}] in {size} bytes of data: file cut short?")));
    }
    Tensor::within(source, name, dtype, &entry.shape, start + begin..start + end)
}

fn dtype(stored: Stored) -> Option<Dtype> {
    match stored {
        Stored::F64 => Some(Dtype::F64),
        Stored::F32 => Some(Dtype::F32),
        Stored::F16 => Some(Dtype::F16),
        Stored::BF16 => Some(Dtype::Bf16),
        Stored::I64 => Some(Dtype::I64),
        Stored::I32 => Some(Dtype::I32),
        Stored::I16 => Some(Dtype::I16),
        Stored::I8 => Some(Dtype::I8),
        Stored::U64 => Some(Dtype::U64),
        Stored::U32 => Some(Dtype::U32),
        Stored::U16 => Some(Dtype::U16),
        Stored::U8 => Some(Dtype::U8),
        Stored::BOOL => Some(Dtype::Bool),
        // The crate's set grows; what is new there (8 bits and fewer, complex) is not read here.
        _ => None,
    }
}

/// The type's name in the format; none for the quantised types.
pub(crate) fn stored(dtype: Dtype) -> Option<Stored> {
    match dtype {
        Dtype::F64 => Some(Stored::F64),
        Dtype::F32 => Some(Stored::F32),
        Dtype::F16 => Some(Stored::F16),
        Dtype::Bf16 => Some(Stored::BF16),
        Dtype::I64 => Some(Stored::I64),
        Dtype::I32 => Some(Stored::I32),
        Dtype::I16 => Some(Stored::I16),
        Dtype::I8 => Some(Stored::I8),
        Dtype::U64 => Some(Stored::U64),
        Dtype::U32 => Some(Stored::U32),
        Dtype::U16 => Some(Stored::U16),
        Dtype::U8 => Some(Stored::U8),
        Dtype::Bool => Some(Stored::BOOL),
        Dtype::Q1_0 | Dtype::Q2_0 | Dtype::Q4_0 | Dtype::Q4_1 | Dtype::Q5_0 => None,
        Dtype::Q5_1 | Dtype::Q8_0 | Dtype::Q2K | Dtype::Q3K | Dtype::Q4K => None,
        Dtype::Q5K | Dtype::Q6K | Dtype::Iq4Nl | Dtype::Iq4Xs | Dtype::Mxfp4 => None,
        Dtype::Nvfp4 | Dtype::Iq2Xxs | Dtype::Iq2Xs | Dtype::Iq2S | Dtype::Iq3Xxs => None,
        Dtype::Iq3S | Dtype::Iq1S | Dtype::Iq1M | Dtype::Tq1_0 | Dtype::Tq2_0 => None,
    }
}

fn parse_header(source: &Source, bytes: &[u8]) -> Result<Vec<(String, TensorInfo)>, Error> {
    let header: Header =
        serde_json::from_slice(bytes).map_err(|error| malformed(source, format!("header: {error}")))?;
    Ok(header.0)
}

/// The entries as written, for a `HashMap` would hide that a name stands twice.
struct Header(Vec<(String, TensorInfo)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one entry for each tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let (mut entries, mut names) = (Vec::new(), HashSet::new());
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("{name:?} stands twice")));
            }
            if name == METADATA {
                map.next_value::<IgnoredAny>()?;
            } else {
                entries.push((name, map.next_value()?));
            }
        }
        Ok(Header(entries))
    }
}

fn malformed(source: &Source, problem: String) -> Error {
    Error::Malformed { path: source.path().to_owned(), format: "safetensors", problem }
}
