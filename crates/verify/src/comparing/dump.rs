//! A dump as people have it: a file of named tensors (safetensors, `.npz`, `.pt`), or a folder of files with one tensor each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use camelid_checkpoint::{Dtype, Mapping, Source, Tensor, read_npy, read_npz, read_safetensors, read_torch};
use ndarray::Array2;

use crate::error::Error;

/// How the files of a folder that hold tensors end.
const ENDINGS: [&str; 4] = ["safetensors", "pt", "npz", "npy"];
/// So many files are more than one run's, and folders lie no deeper.
const MOST_FILES: usize = 100_000;
const DEEPEST: usize = 4;

/// The named tensors of a dump.
#[derive(Debug)]
pub struct Dump {
    path: PathBuf,
    tensors: Vec<Tensor>,
}

impl Dump {
    /// Opens a file of named tensors (`.safetensors`, `.npz`, or a dictionary in `.pt`), or a folder with a file for each tensor
    /// (`.npy` too), which is then called as its file is, with the folders that it is in.
    ///
    /// # Errors
    /// There is no such file, it is none, or a folder holds none.
    pub fn open(path: &Path) -> Result<Dump, Error> {
        let mut dump = Dump { path: path.to_owned(), tensors: Vec::new() };
        if path.is_dir() {
            for file in dump.files()? {
                let name = file.strip_prefix(path).unwrap_or(&file).with_extension("");
                let name = name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
                match read(&file)?.as_slice() {
                    [only] => dump.tensors.push(only.renamed(&name)),
                    many => dump.tensors.extend(many.iter().cloned()),
                }
            }
        } else {
            dump.tensors = read(path)?;
        }
        if dump.tensors.is_empty() {
            return Err(
                dump.wrong("there is no tensor in it: give a .safetensors or .npz file, or a folder of files with a tensor each".into())
            );
        }
        Ok(dump)
    }

    /// The files of tensors in a folder and in those within it.
    fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let mut files = Vec::new();
        let mut folders = vec![(self.path.clone(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(|error| self.wrong(error.to_string()))? {
                let path = entry.map_err(|error| self.wrong(error.to_string()))?.path();
                let is_folder = path.is_dir() && !path.is_symlink();
                if is_folder && depth < DEEPEST {
                    folders.push((path, depth + 1));
                } else if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
                {
                    files.push(path);
                }
            }
            if files.len() > MOST_FILES {
                return Err(self.wrong(format!(
                    "there are more than {MOST_FILES} files of tensors in it: give the folder of one run, of one step"
                )));
            }
        }
        files.sort();
        Ok(files)
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
        let values = self.values(tensor)?;
        let table = Array2::from_shape_vec((rows, features), values);
        table.map_err(|error| self.wrong(format!("`{}`: {error}", tensor.name())))
    }

    /// The sum of tensors that are parts of one stage.
    pub(crate) fn sum(
        &self,
        parts: &[&Tensor],
        tokens: usize,
        features: usize,
    ) -> Result<Array2<f32>, Error> {
        let mut tables = parts.iter().map(|part| self.table(part, tokens, features));
        let Some(first) = tables.next() else { return Ok(Array2::zeros((0, features))) };
        tables.try_fold(first?, |sum, part| {
            let part = part?;
            if part.dim() != sum.dim() {
                let names: Vec<_> = parts.iter().map(|part| format!("`{}`", part.name())).collect();
                return Err(self.wrong(format!(
                    "{} are parts of one sum, and have {} and {} rows",
                    names.join(" and "),
                    sum.nrows(),
                    part.nrows()
                )));
            }
            Ok(sum + part)
        })
    }

    fn values(&self, tensor: &Tensor) -> Result<Vec<f32>, Error> {
        match tensor.dtype() {
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => Ok(tensor.to_f32()?),
            Dtype::F64 => Ok(tensor.to_f64()?.into_iter().map(|x| x as f32).collect()),
            // The numbers of experts.
            Dtype::I64 | Dtype::I32 => Ok(tensor.to_i64()?.into_iter().map(|x| x as f32).collect()),
            _ => Err(self.wrong(format!(
                "`{}` holds {:?}, which are no activations",
                tensor.name(),
                tensor.dtype()
            ))),
        }
    }
}

fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|size| *size != 1).collect()
}

fn read(path: &Path) -> Result<Vec<Tensor>, Error> {
    let source = Arc::new(Source::open(path, Mapping::Read)?);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    Ok(match ending {
        "pt" | "bin" => read_torch(&source)?,
        "npz" => read_npz(&source)?,
        "npy" => {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            vec![read_npy(&source, &name)?]
        }
        _ => read_safetensors(&source)?,
    })
}
