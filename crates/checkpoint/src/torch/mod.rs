//! `pytorch_model.bin`: what `torch.save` writes, a zip archive of one pickle and one record for each storage.
//!
//! ```text
//! NAME/data.pkl    the dictionary: name → a view (offset, extents, strides) of a storage
//! NAME/data/KEY    the numbers of the storage KEY, little endian
//! NAME/byteorder   "little", in newer files
//! ```
//! The pickle is read by a machine that knows tensors and nothing else: no code of the file is run. The format before
//! PyTorch 1.6, no zip archive, is refused. Checksums are not looked at: that would read all of the file.

mod calls;
mod machine;
mod values;

use std::sync::Arc;

use bytes::Bytes;

use crate::tensor::Strided;
use crate::zip::{Archive, Record, Records};
use crate::{Error, Source, Tensor};
use values::{Stop, View};

/// A pickle takes some 150 bytes for a tensor.
const PICKLE_LIMIT: u64 = 4 << 20;
/// So many numbers may be made of fewer.
const MOST_EXPANDED: usize = 1 << 20;
/// How a file of the older format begins: protocol 2, a long of ten bytes, PyTorch's magic number.
const OLDER: [u8; 14] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The tensors of one `.bin` file, in the order of the file. Reads the directory and the pickle, no numbers.
///
/// A tensor whose numbers lie in order is a share of the map; another (a transposed one, say) is gathered when its bytes
/// are asked for.
///
/// # Errors
/// [`Error::Code`] where the pickle asks for anything but tensors, [`Error::Malformed`] for the file as a whole,
/// [`Error::Tensor`] for one entry, [`Error::Unsupported`] for the older format and big-endian files; [`Error::Io`].
pub fn read_torch(source: &Arc<Source>) -> Result<Vec<Tensor>, Error> {
    refuse_older(source)?;
    let records = archive(source).records()?;
    stored(source, &records)?;
    let folder = folder(source, &records)?;
    if let Some(order) = records.get(&format!("{folder}byteorder")) {
        let order = &order.range;
        let order = source.read(order.start..order.end.min(order.start + 16))?;
        if order != b"little"[..] {
            return Err(unsupported(
                source,
                "its numbers are not little endian; save it again on another machine",
            ));
        }
    }
    let pickle = pickle(source, &records[&format!("{folder}data.pkl")])?;
    let views = machine::tensors(&pickle).map_err(|stop| match stop {
        Stop::Refused(what) => Error::Code { path: source.path().to_owned(), what },
        Stop::Wrong(problem) => archive(source).malformed(problem),
    })?;
    let tensors = views.into_iter().map(|(name, view)| match view {
        Some(view) => tensor(source, &records, &folder, name, &view),
        None => Err(Error::Tensor {
            path: source.path().to_owned(),
            tensor: name.to_owned(),
            problem: "the file holds no numbers for it: it was on the meta device when it was saved"
                .to_owned(),
        }),
    });
    tensors.collect()
}

fn archive(source: &Source) -> Archive<'_> {
    Archive { source, format: "PyTorch" }
}

/// PyTorch compresses nothing.
fn stored(source: &Source, records: &Records) -> Result<(), Error> {
    match records.iter().find(|(_, record)| record.inflated.is_some()) {
        None => Ok(()),
        Some((name, _)) => Err(archive(source).malformed(format!("record {name:?} is compressed"))),
    }
}

fn refuse_older(source: &Source) -> Result<(), Error> {
    if source.read(0..source.len().min(OLDER.len() as u64))? == OLDER[..] {
        let problem = "the format of PyTorch before 1.6; load it there, and save it again as safetensors";
        return Err(unsupported(source, problem));
    }
    Ok(())
}

/// The one folder that all records are in, with its slash.
fn folder(source: &Source, records: &Records) -> Result<String, Error> {
    let mut folders = records.keys().filter_map(|name| name.strip_suffix("data.pkl"));
    match (folders.next(), folders.next()) {
        (Some(folder), None) if folder.ends_with('/') => Ok(folder.to_owned()),
        _ => Err(archive(source).malformed("not exactly one record NAME/data.pkl is in it".to_owned())),
    }
}

fn pickle(source: &Source, record: &Record) -> Result<Bytes, Error> {
    let range = &record.range;
    let size = range.end - range.start;
    if size > PICKLE_LIMIT {
        return Err(
            archive(source).malformed(format!("a pickle of {size} bytes, where {PICKLE_LIMIT} are allowed"))
        );
    }
    source.read(range.clone())
}

fn tensor(
    source: &Arc<Source>,
    records: &Records,
    folder: &str,
    name: &str,
    view: &View<'_>,
) -> Result<Tensor, Error> {
    let wrong = |problem| Error::Tensor { path: source.path().to_owned(), tensor: name.to_owned(), problem };
    let storage = &view.storage;
    let Some(record) = records.get(&format!("{folder}data/{}", storage.key)) else {
        return Err(wrong(format!("its storage, record data/{}, is missing", storage.key)));
    };
    let size = storage.dtype.block().1 as u64;
    let held = record.range.end - record.range.start;
    let numbers = u64::try_from(storage.numbers).unwrap_or(u64::MAX);
    if numbers.checked_mul(size) != Some(held) {
        let problem = format!(
            "{} numbers in {}, where record data/{} has {held} bytes",
            storage.numbers, storage.dtype, storage.key
        );
        return Err(wrong(problem));
    }
    let strided = strided(view, numbers).ok_or_else(|| {
        let View { offset, shape, strides, .. } = view;
        wrong(format!(
            "shape {shape:?}, strides {strides:?} and offset {offset} do not fit into {numbers} numbers"
        ))
    })?;
    Tensor::strided(source, name, storage.dtype, strided, record.range.start)
}

/// The view in unsigned terms, if each of its numbers is in the storage. They are no more than the storage's, save in small
/// buffers, which may be one number said many times.
fn strided(view: &View<'_>, numbers: u64) -> Option<Strided> {
    let unsigned =
        |values: &[i64]| values.iter().map(|&value| usize::try_from(value).ok()).collect::<Option<Vec<_>>>();
    let (shape, strides) = (unsigned(&view.shape)?, unsigned(&view.strides)?);
    let (offset, numbers) = (usize::try_from(view.offset).ok()?, usize::try_from(numbers).ok()?);
    let count = shape.iter().try_fold(1_usize, |product, &extent| product.checked_mul(extent))?;
    let expanded = count > numbers;
    if shape.len() != strides.len() || expanded && count > MOST_EXPANDED {
        return None;
    }
    if count == 0 {
        return Some(Strided { offset: 0, span: 0, shape, strides });
    }
    let mut last = 0_usize;
    for (extent, stride) in shape.iter().zip(&strides) {
        last = last.checked_add((extent - 1).checked_mul(*stride)?)?;
    }
    let span = last + 1;
    (offset.checked_add(span)? <= numbers).then_some(Strided { offset, span, shape, strides })
}

fn unsupported(source: &Source, problem: &str) -> Error {
    Error::Unsupported { path: source.path().to_owned(), problem: problem.to_owned() }
}
