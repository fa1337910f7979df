//! The numbers of a result, chunk by chunk: moved as bytes where they only move, else computed in f64 and rounded once.

use bytes::Bytes;
use camelid_checkpoint::{Checkpoint, Dtype, Error, Tensor};
use half::{bf16, f16};

use crate::doors::folding::recipe::{Numbers, Piece, Rearranged, Step};

/// So many bytes are in hand at a time, about.
const CHUNK: usize = 1 << 22;

/// How far what is stored lies from what was computed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rounding {
    /// The largest |Δ|.
    pub most: f64,
    /// The largest |x|.
    pub largest: f64,
}

impl Rounding {
    /// The largest |Δ| over the largest |x|.
    #[must_use]
    pub fn relative(&self) -> f64 {
        if self.largest > 0.0 { self.most / self.largest } else { 0.0 }
    }
}

/// A tensor of the result, on its way.
#[derive(Debug)]
pub struct Stream<'a> {
    checkpoint: &'a Checkpoint,
    pieces: std::slice::Iter<'a, Piece>,
    dtype: Dtype,
    /// Numbers in a row.
    row: usize,
    /// What is left of the piece at hand: the piece, and the first row that was not given yet.
    at: Option<(&'a Piece, usize)>,
    /// The last tensor whose rows do not lie in order, gathered.
    gathered: Option<Tensor>,
    /// What was rounded so far.
    pub rounding: Rounding,
}

impl Rearranged {
    /// Its numbers in a type that holds single numbers, or as they are stored, in order.
    #[must_use]
    pub fn stream<'a>(&'a self, checkpoint: &'a Checkpoint, dtype: Dtype) -> Stream<'a> {
        Stream {
            checkpoint,
            pieces: self.pieces.iter(),
            dtype,
            row: self.shape.get(1..).unwrap_or_default().iter().product(),
            at: None,
            gathered: None,
            rounding: Rounding::default(),
        }
    }
}

/// The tensors of a result, in memory: for models that fit there twice.
///
/// # Errors
/// A tensor of the source can't be read.
pub fn in_memory(
    tensors: &[Rearranged],
    checkpoint: &Checkpoint,
    dtype: Dtype,
) -> Result<Vec<Tensor>, Error> {
    let whole = |tensor: &Rearranged| {
        let mut bytes = Vec::new();
        for piece in tensor.stream(checkpoint, dtype) {
            bytes.extend_from_slice(&piece?);
        }
        Tensor::from_bytes(&tensor.name, dtype, &tensor.shape, bytes.into())
    };
    tensors.iter().map(whole).collect()
}

impl Iterator for Stream<'_> {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (piece, start) = match self.at.take() {
            Some(at) => at,
            None => (self.pieces.next()?, 0),
        };
        let row_bytes = (self.row * self.dtype.block().1 / self.dtype.block().0).max(1);
        let end = piece.rows().min(start + (CHUNK / row_bytes).max(1));
        if end < piece.rows() {
            self.at = Some((piece, end));
        }
        Some(self.chunk(piece, start, end))
    }
}

impl Stream<'_> {
    fn chunk(&mut self, piece: &Piece, start: usize, end: usize) -> Result<Bytes, Error> {
        let (tensor, rows) = match &piece.from {
            Numbers::Zeros(_) => {
                let zeros = vec![0; (end - start) * self.row * self.dtype.block().1];
                return Ok(zeros.into());
            }
            Numbers::Rows { tensor, rows } => (tensor, rows),
        };
        let tensor = self.rows(tensor, rows.start + start..rows.start + end)?;
        if piece.steps.is_empty() && tensor.dtype() == self.dtype {
            return tensor.bytes();
        }
        let mut numbers = tensor.to_f64()?;
        for step in &piece.steps {
            apply(*step, &mut numbers, self.row.max(1));
        }
        Ok(self.rounded(&numbers))
    }

    fn rows(&mut self, name: &str, range: std::ops::Range<usize>) -> Result<Tensor, Error> {
        let missing = || Error::Tensor {
            path: self.checkpoint.path().to_owned(),
            tensor: name.to_owned(),
            problem: "it is gone".into(),
        };
        if let Some(gathered) = self.gathered.as_ref().filter(|tensor| tensor.name() == name) {
            return gathered.rows(range);
        }
        let tensor = self.checkpoint.tensor(name).ok_or_else(missing)?;
        match tensor.rows(range.clone()) {
            Ok(rows) => Ok(rows),
            // Its numbers lie in another order in the file.
            Err(_) => {
                let bytes = tensor.bytes()?;
                let gathered = Tensor::from_bytes(name, tensor.dtype(), tensor.shape(), bytes)?;
                self.gathered.insert(gathered).rows(range)
            }
        }
    }

    /// The bytes of numbers in the type that is stored, each rounded once.
    fn rounded(&mut self, numbers: &[f64]) -> Bytes {
        if self.dtype == Dtype::F64 {
            return self.stored(numbers, f64::to_le_bytes, |x| x);
        }
        if self.dtype == Dtype::Bf16 {
            return self.stored(numbers, |x| bf16::from_f64(x).to_le_bytes(), |x| bf16::from_f64(x).to_f64());
        }
        if self.dtype == Dtype::F16 {
            return self.stored(numbers, |x| f16::from_f64(x).to_le_bytes(), |x| f16::from_f64(x).to_f64());
        }
        self.stored(numbers, |x| (x as f32).to_le_bytes(), |x| f64::from(x as f32))
    }

    fn stored<const N: usize>(
        &mut self,
        numbers: &[f64],
        bytes: impl Fn(f64) -> [u8; N],
        read: impl Fn(f64) -> f64,
    ) -> Bytes {
        let mut out = Vec::with_capacity(numbers.len() * N);
        let Rounding { mut most, mut largest } = self.rounding;
        for &x in numbers {
            out.extend_from_slice(&bytes(x));
            most = most.max((read(x) - x).abs());
            largest = largest.max(x.abs());
        }
        self.rounding = Rounding { most, largest };
        out.into()
    }
}

fn apply(step: Step, numbers: &mut [f64], row: usize) {
    match step {
        Step::Scale(factor) => numbers.iter_mut().for_each(|x| *x *= factor),
        Step::Add(number) => numbers.iter_mut().for_each(|x| *x += number),
        Step::Unit => {
            for row in numbers.chunks_mut(row) {
                let length = row.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
                row.iter_mut().for_each(|x| *x /= length);
            }
        }
    }
}
