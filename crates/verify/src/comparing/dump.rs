//! A dump as people have it: a safetensors file, or a folder of them with one tensor each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use camelid_checkpoint::{Dtype, Mapping, Source, Tensor, read_safetensors};
use ndarray::Array2;

use crate::error::Error;

/// The named tensors of a dump.
#[derive(Debug)]
pub struct Dump {
    path: PathBuf,
    tensors: Vec<Tensor>,
}

impl Dump {
    /// Opens a `.safetensors` file, or a folder with a file for each tensor, which is then called as its file is.
    ///
    /// # Errors
    /// There is no such file, it is none, or a folder holds none.
    pub fn open(path: &Path) -> Result<Dump, Error> {
        let mut tensors = Vec::new();
        if path.is_dir() {
            for file in files(path)? {
                let stem =
                    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                match read(&file)?.as_slice() {
                    [only] => tensors.push(only.renamed(&stem)),
                    many => tensors.extend(many.iter().cloned()),
                }
            }
        } else {
            tensors = read(path)?;
        }
        let dump = Dump { path: path.to_owned(), tensors };
        if dump.tensors.is_empty() {
            return Err(
                dump.wrong("there is no tensor in it: give a .safetensors file, or a folder of them".into())
            );
        }
        Ok(dump)
    }

    pub(crate) fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    pub(crate) fn wrong(&self, message: String) -> Error {
        Error::Trace { path: self.path.clone(), message }
    }

    /// The ids of a tensor, batch axes of 1 aside.
    pub(crate) fn ids(&self, tensor: &Tensor) -> Result<Vec<u32>, Error> {
        let shape = squeezed(tensor.shape());
        if shape.len() > 1 {
            return Err(self.wrong(format!(
                "`{}` is {:?}: one text is compared, so its batch must be 1",
                tensor.name(),
                tensor.shape()
            )));
        }
        let ids = tensor.to_i64()?;
        if ids.is_empty() {
            return Err(self.wrong(format!("`{}` holds no ids", tensor.name())));
        }
        let ids: Option<Vec<u32>> = ids.into_iter().map(|id| u32::try_from(id).ok()).collect();
        ids.ok_or_else(|| self.wrong(format!("`{}` has an id that is negative or too large", tensor.name())))
    }

    /// `[rows, features]`: axes of 1 in front aside, heads laid side by side; at most `tokens` rows, the last ones of the text.
    pub(crate) fn table(
        &self,
        tensor: &Tensor,
        tokens: usize,
        features: usize,
    ) -> Result<Array2<f32>, Error> {
        let shape = tensor.shape();
        let count: usize = shape.iter().product();
        let rows = count.checked_div(features).unwrap_or(0);
        let is_last = |axes: &[usize]| axes.iter().product::<usize>() == features;
        let fits = (1..=shape.len()).any(|last| is_last(&shape[shape.len() - last..]));
        if !fits || rows == 0 || rows > tokens {
            return Err(self.wrong(format!(
                "`{}` is {shape:?}, but this model has {features} features there for each of {tokens} tokens: is it a dump of \
                 this model, and of this text?",
                tensor.name()
            )));
        }
        if matches!(tensor.dtype(), Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::F64) {
            let values = match tensor.dtype() {
                Dtype::F64 => tensor.to_f64()?.into_iter().map(|x| x as f32).collect(),
                _ => tensor.to_f32()?,
            };
            let table = Array2::from_shape_vec((rows, features), values);
            return table.map_err(|error| self.wrong(format!("`{}`: {error}", tensor.name())));
        }
        Err(self.wrong(format!("`{}` holds {:?}, which are no activations", tensor.name(), tensor.dtype())))
    }
}

fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|size| *size != 1).collect()
}

fn read(path: &Path) -> Result<Vec<Tensor>, Error> {
    Ok(read_safetensors(&Arc::new(Source::open(path, Mapping::Read)?))?)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: std::io::Error| Error::Trace { path: folder.to_owned(), message: error.to_string() };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "safetensors") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
