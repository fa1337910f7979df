//! NumPy's files: `.npy`, one array; `.npz`, a zip archive of them by name, stored (`numpy.savez`) or deflated
//! (`numpy.savez_compressed`).
//!
//! ```text
//! "\x93NUMPY" │ version │ length │ {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } │ the numbers
//! ```
//! Nothing is run: an array of Python objects, whose numbers are a pickle, is refused.
//! Reference: NumPy's NEP 1, and `numpy/lib/format.py`.

mod header;

use std::sync::Arc;

use bytes::Bytes;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::tensor::Strided;
use crate::zip::{Archive, Record};
use crate::{Error, Source, Tensor};
use header::Header;

/// So many bytes may be made of what is deflated in one file.
const MOST_INFLATED: u64 = 4 << 30;

/// The array of one `.npy` file, under the name given.
///
/// # Errors
/// [`Error::Malformed`] for the file, [`Error::Tensor`] for an array of a kind that is not read; [`Error::Io`].
pub fn read_npy(source: &Arc<Source>, name: &str) -> Result<Tensor, Error> {
    array(source, name, 0, source.len())
}

/// The arrays of one `.npz` file, by name. What is stored is a share of the map; what is deflated is inflated now.
///
/// # Errors
/// [`Error::Malformed`] for the file, [`Error::Tensor`] for an array of a kind that is not read; [`Error::Io`].
pub fn read_npz(source: &Arc<Source>) -> Result<Vec<Tensor>, Error> {
    let archive = Archive { source, format: "NumPy" };
    let records = archive.records()?;
    let inflated: u64 = records.values().filter_map(|record| record.inflated).fold(0, u64::saturating_add);
    if inflated > MOST_INFLATED {
        return Err(Error::Unsupported {
            path: source.path().to_owned(),
            problem: format!(
                "{inflated} bytes when inflated, where {MOST_INFLATED} are allowed; write it with numpy.savez, which does not compress"
            ),
        });
    }
    let arrays = records.iter().map(|(file, record)| {
        let name = file.strip_suffix(".npy").unwrap_or(file);
        match record.inflated {
            None => array(source, name, record.range.start, record.range.end),
            Some(size) => {
                let bytes = inflate(archive, file, record, size)?;
                let inflated = Arc::new(Source::from_bytes(source.path(), bytes));
                array(&inflated, name, 0, size)
            }
        }
    });
    arrays.collect()
}

fn inflate(archive: Archive<'_>, file: &str, record: &Record, size: u64) -> Result<Bytes, Error> {
    let packed = archive.source.read(record.range.clone())?;
    let limit = usize::try_from(size).unwrap_or(usize::MAX);
    match decompress_to_vec_with_limit(&packed, limit) {
        Ok(bytes) if bytes.len() as u64 == size => Ok(bytes.into()),
        Ok(bytes) => {
            let problem = format!("record {file:?} inflates to {} bytes, where {size} are said", bytes.len());
            Err(archive.malformed(problem))
        }
        Err(error) => Err(archive.malformed(format!("record {file:?} does not inflate: {error}"))),
    }
}

/// The array in a range of a file.
fn array(source: &Arc<Source>, name: &str, start: u64, end: u64) -> Result<Tensor, Error> {
    let archive = Archive { source, format: "NumPy" };
    let (header, data) = Header::read(source, start..end)
        .map_err(|problem| archive.malformed(format!("array {name:?}: {problem}")))?;
    let wrong = |problem| Error::Tensor { path: source.path().to_owned(), tensor: name.to_owned(), problem };
    let dtype = header.dtype().ok_or_else(|| {
        let hint = "save numbers of 64 bits at most, little endian";
        wrong(format!("numbers stored as {:?} are not read; {hint}", header.descr))
    })?;
    let shape = &header.shape;
    let held = end - data;
    if dtype.byte_len(shape).map(|len| len as u64) != Some(held) {
        return Err(wrong(format!(
            "{shape:?} in {dtype} does not take the {held} bytes that the file gives it"
        )));
    }
    if !header.by_columns || shape.len() < 2 || shape.contains(&0) {
        return Tensor::within(source, name, dtype, shape, data..end);
    }
    let strides = shape.iter().scan(1, |stride, extent| Some(std::mem::replace(stride, *stride * extent)));
    let span = shape.iter().product();
    let view = Strided { offset: 0, span, shape: shape.clone(), strides: strides.collect() };
    Tensor::strided(source, name, dtype, view, data)
}
