//! Writing a GGUF file, version 3: what is to be written is known before, so nothing is held but the piece at hand.

use std::collections::HashMap;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::file::MAGIC;
use super::metadata::{Array, Value};
use super::types::GgmlType;
use crate::writer::{Flusher, hidden_file, io, sync_folder};
use crate::{Error, Planned};

const VERSION: u32 = 3;
const ALIGNMENT: u64 = 32;

/// Writes one GGUF file, whole or not at all. Dropped before [`GgufWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub struct GgufWriter {
    path: PathBuf,
    file: NamedTempFile,
    /// Name → first byte in the file, bytes; an entry goes when it is written.
    pending: HashMap<String, (u64, u64)>,
    end: u64,
    flusher: Flusher,
}

impl GgufWriter {
    /// Begins a file with these keys and tensors, both in the order given; a shape is slowest first, as everywhere here.
    ///
    /// # Errors
    /// [`Error::Tensor`] for a name twice, a type that ggml has not, an impossible shape; [`Error::Io`].
    pub fn create(
        path: &Path,
        metadata: &[(String, Value)],
        tensors: &[Planned],
    ) -> Result<GgufWriter, Error> {
        let wrong = |tensor: &str, problem: String| Error::Tensor {
            path: path.to_owned(),
            tensor: tensor.to_owned(),
            problem,
        };
        let mut header = Vec::new();
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&(tensors.len() as u64).to_le_bytes());
        header.extend_from_slice(&(metadata.len() as u64).to_le_bytes());
        for (key, value) in metadata {
            string(&mut header, key);
            write_value(&mut header, value);
        }
        let mut offset = 0_u64;
        let mut places = Vec::new();
        for Planned { name, dtype, shape } in tensors {
            let kind =
                GgmlType::of(*dtype).ok_or_else(|| wrong(name, format!("{dtype} is no type of ggml")))?;
            let len = dtype.byte_len(shape);
            let len =
                len.ok_or_else(|| wrong(name, format!("no tensor of {dtype} can have the shape {shape:?}")))?;
            string(&mut header, name);
            header.extend_from_slice(&(shape.len() as u32).to_le_bytes());
            for extent in shape.iter().rev() {
                header.extend_from_slice(&(*extent as u64).to_le_bytes());
            }
            header.extend_from_slice(&kind.0.to_le_bytes());
            header.extend_from_slice(&offset.to_le_bytes());
            places.push((name.clone(), offset, len as u64));
            offset = offset.saturating_add(len as u64).next_multiple_of(ALIGNMENT);
        }
        header.resize(header.len().next_multiple_of(ALIGNMENT as usize), 0);
        let start = header.len() as u64;
        let mut pending = HashMap::new();
        for (name, offset, len) in places {
            if pending.insert(name.clone(), (start + offset, len)).is_some() {
                return Err(wrong(&name, "is planned twice".into()));
            }
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = hidden_file(folder)?;
        file.write_all(&header).map_err(|error| io(path, error))?;
        let flusher = Flusher::default();
        Ok(GgufWriter { path: path.to_owned(), file, pending, end: start + offset, flusher })
    }

    /// Writes the bytes of one tensor, in pieces of any length. Tensors may come in any order.
    ///
    /// # Errors
    /// As [`crate::Writer::write`].
    pub fn write(
        &mut self,
        name: &str,
        pieces: impl IntoIterator<Item = Result<Bytes, Error>>,
    ) -> Result<(), Error> {
        let Some((start, len)) = self.pending.get(name).copied() else {
            return Err(self.wrong(name, "was not planned, or is written already".to_owned()));
        };
        let failed = |error| io(&self.path, error);
        let file = self.file.as_file_mut();
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut written = 0_u64;
        for piece in pieces {
            let piece = piece?;
            written += piece.len() as u64;
            if written > len {
                break;
            }
            file.write_all(&piece).map_err(failed)?;
            self.flusher.wrote(file, piece.len());
        }
        if written != len {
            return Err(self.wrong(name, format!("{written} bytes or more, where {len} were planned")));
        }
        self.pending.remove(name);
        Ok(())
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`Error::Tensor`] where a planned tensor was not written, [`Error::Io`]; either way nothing is left.
    pub fn finish(self) -> Result<(), Error> {
        if let Some(name) = self.pending.keys().min() {
            return Err(self.wrong(name, "was planned and not written".to_owned()));
        }
        let GgufWriter { path, file, pending: _, end, flusher } = self;
        flusher
            .finish()
            .and_then(|()| file.as_file().set_len(end))
            .and_then(|()| file.as_file().sync_all())
            .map_err(|error| io(&path, error))?;
        file.persist_noclobber(&path).map_err(|error| io(&path, error.error))?;
        sync_folder(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }

    fn wrong(&self, name: &str, problem: String) -> Error {
        Error::Tensor { path: self.path.clone(), tensor: name.to_owned(), problem }
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The format's number of a type, and the value. Whole numbers are written in 32 bits where they fit, as programs expect them.
fn write_value(out: &mut Vec<u8>, value: &Value) {
    let mut put = |kind: u32, bytes: &[u8]| {
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(bytes);
    };
    match value {
        Value::Unsigned(number) => match u32::try_from(*number) {
            Ok(small) => put(4, &small.to_le_bytes()),
            Err(_) => put(10, &number.to_le_bytes()),
        },
        Value::Signed(number) => match i32::try_from(*number) {
            Ok(small) => put(5, &small.to_le_bytes()),
            Err(_) => put(11, &number.to_le_bytes()),
        },
        Value::F32(number) => put(6, &number.to_le_bytes()),
        Value::F64(number) => put(12, &number.to_le_bytes()),
        Value::Bool(truth) => put(7, &[u8::from(*truth)]),
        Value::String(text) => {
            put(8, &[]);
            string(out, text);
        }
        Value::Array(array) => {
            put(9, &[]);
            write_array(out, array);
        }
    }
}

fn write_array(out: &mut Vec<u8>, array: &Array) {
    let mut begin = |kind: u32| {
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&(array.len() as u64).to_le_bytes());
    };
    match array {
        Array::Unsigned(numbers) => {
            let small = numbers.iter().all(|number| u32::try_from(*number).is_ok());
            begin(if small { 4 } else { 10 });
            for number in numbers {
                out.extend_from_slice(&number.to_le_bytes()[..if small { 4 } else { 8 }]);
            }
        }
        Array::Signed(numbers) => {
            let small = numbers.iter().all(|number| i32::try_from(*number).is_ok());
            begin(if small { 5 } else { 11 });
            for number in numbers {
                // The lower half of two's complement is the number itself where it fits.
                out.extend_from_slice(&number.to_le_bytes()[..if small { 4 } else { 8 }]);
            }
        }
        Array::F32(numbers) => {
            begin(6);
            numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        }
        Array::F64(numbers) => {
            begin(12);
            numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        }
        Array::Bool(truths) => {
            begin(7);
            out.extend(truths.iter().map(|truth| u8::from(*truth)));
        }
        Array::String(texts) => {
            begin(8);
            texts.iter().for_each(|text| string(out, text));
        }
        Array::Array(arrays) => {
            begin(9);
            arrays.iter().for_each(|array| write_array(out, array));
        }
    }
}
