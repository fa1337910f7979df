//! Reads the vectors in `tests/data`.

use std::collections::HashMap;
use std::path::Path;

use safetensors::SafeTensors;

/// The tensors of one file, each as f64 in the order in which they are stored.
pub(crate) struct File(HashMap<String, (Vec<usize>, Vec<f64>)>);

impl File {
    pub(crate) fn open(name: &str) -> Self {
        let bytes = std::fs::read(path(name)).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let numbers = |data: &[u8], dtype| -> Vec<f64> {
            match dtype {
                safetensors::Dtype::F64 => words(data, f64::from_le_bytes).collect(),
                safetensors::Dtype::F32 => words(data, f32::from_le_bytes).map(f64::from).collect(),
                safetensors::Dtype::I64 => {
                    words(data, i64::from_le_bytes).map(|value| value as f64).collect()
                }
                other => panic!("{name} holds {other:?}"),
            }
        };
        let read = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            (name, (view.shape().to_vec(), numbers(view.data(), view.dtype())))
        };
        Self(tensors.tensors().into_iter().map(read).collect())
    }

    #[track_caller]
    pub(crate) fn numbers(&self, name: &str) -> &[f64] {
        &self.0.get(name).unwrap_or_else(|| panic!("no tensor {name}")).1
    }

    pub(crate) fn positions(&self, name: &str) -> Vec<usize> {
        self.numbers(name).iter().map(|&position| position as usize).collect()
    }

    /// A tensor of three axes, as f32.
    pub(crate) fn array(&self, name: &str) -> ndarray::Array3<f32> {
        let shape: [usize; 3] = self.0[name].0.as_slice().try_into().unwrap();
        let values = self.numbers(name).iter().map(|&value| value as f32).collect();
        ndarray::Array3::from_shape_vec(shape, values).unwrap()
    }
}

pub(crate) fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn words<const N: usize, T>(data: &[u8], read: impl Fn([u8; N]) -> T) -> impl Iterator<Item = T> {
    data.as_chunks::<N>().0.iter().map(move |&word| read(word))
}
