//! A named tensor: its type, its shape, and where its bytes are.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use half::f16;

use crate::source::reserve;
use crate::{Dtype, Error, Source, quantised};

/// A tensor as stored: row-major, little endian, its extents checked against its file.
///
/// Nothing of the data is touched before [`Tensor::bytes`] or one of the conversions.
#[derive(Clone, Debug)]
pub struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    source: Arc<Source>,
    start: u64,
    len: usize,
    /// Where the numbers do not lie in order: how they lie from `start` on.
    strided: Option<Arc<Strided>>,
}

/// A view of numbers that may lie in any order: number (i, j, …) of the shape is `offset + i·strides[0] + j·strides[1] + …`
/// of the whole. All of them are within `offset..offset + span`.
#[derive(Clone, Debug)]
pub(crate) struct Strided {
    pub(crate) offset: usize,
    pub(crate) span: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

impl Tensor {
    /// A tensor over bytes in memory.
    ///
    /// # Errors
    /// [`Error::Tensor`] where the bytes are not as many as the shape says.
    pub fn from_bytes(name: &str, dtype: Dtype, shape: &[usize], bytes: Bytes) -> Result<Tensor, Error> {
        let len = bytes.len() as u64;
        let source = Arc::new(Source::from_bytes("memory", bytes));
        Tensor::within(&source, name, dtype, shape, 0..len)
    }

    /// A tensor over a range of a file: its extents must give exactly the range's length, and the range be in the file.
    pub(crate) fn within(
        source: &Arc<Source>,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        range: std::ops::Range<u64>,
    ) -> Result<Tensor, Error> {
        let wrong = |problem: String| {
            Err(Error::Tensor { path: source.path().to_owned(), tensor: name.to_owned(), problem })
        };
        let Some(len) = dtype.byte_len(shape) else {
            return wrong(format!("no tensor of {dtype} can have the shape {shape:?}"));
        };
        if range.start > range.end || range.end > source.len() {
            let total = source.len();
            return wrong(format!("its bytes {range:?} are not in the file of {total} bytes"));
        }
        if range.end - range.start != len as u64 {
            let given = range.end - range.start;
            return wrong(format!("{shape:?} in {dtype} takes {len} bytes, the file gives it {given}"));
        }
        let (name, shape, source) = (name.to_owned(), shape.to_owned(), Arc::clone(source));
        Ok(Tensor { name, dtype, shape, source, start: range.start, len, strided: None })
    }

    /// A view of the numbers that begin at `start` of a file.
    pub(crate) fn strided(
        source: &Arc<Source>,
        name: &str,
        dtype: Dtype,
        view: Strided,
        start: u64,
    ) -> Result<Tensor, Error> {
        let size = dtype.block().1 as u64;
        let start = start + view.offset as u64 * size;
        let numbers = if view.is_in_order() { view.shape.iter().product() } else { view.span };
        let mut tensor =
            Tensor::within(source, name, dtype, &[numbers], start..start + numbers as u64 * size)?;
        tensor.shape.clone_from(&view.shape);
        if !view.is_in_order() {
            tensor.len = tensor.elements() * size as usize;
            tensor.strided = Some(Arc::new(view));
        }
        Ok(tensor)
    }

    /// The name, as the file writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same tensor under another name.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Tensor {
        Tensor { name: name.to_owned(), ..self.clone() }
    }

    /// The type that it is stored in.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The extents, slowest first: a weight is `[out, in]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many numbers it holds.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// How many bytes it takes as stored.
    pub fn byte_len(&self) -> usize {
        self.len
    }

    /// The file that it comes from, for messages.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Where its bytes come from.
    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The bytes, row-major: a share of the map where the file is mapped, else read now. A view whose numbers lie in
    /// another order in the file (PyTorch's `.bin` may hold some) is gathered into memory of its own.
    ///
    /// They may lie at any address: the safetensors format allows data at odd offsets.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::OutOfMemory`] where they are read and can't be.
    pub fn bytes(&self) -> Result<Bytes, Error> {
        match &self.strided {
            None => self.source.read(self.start..self.start + self.len as u64),
            Some(view) => self.gather(view),
        }
    }

    fn gather(&self, view: &Strided) -> Result<Bytes, Error> {
        let size = self.dtype.block().1;
        let whole = self.source.read(self.start..self.start + (view.span * size) as u64)?;
        let mut gathered = self.room(self.len)?;
        let mut place = vec![0; view.shape.len()];
        for _ in 0..self.elements() {
            let at: usize = place.iter().zip(&view.strides).map(|(index, stride)| index * stride).sum();
            gathered.extend_from_slice(&whole[at * size..][..size]);
            // The next place in row-major order: the last index that has room goes up, those after it go to zero.
            for (index, &extent) in place.iter_mut().zip(&view.shape).rev() {
                *index += 1;
                if *index < extent {
                    break;
                }
                *index = 0;
            }
        }
        Ok(gathered.into())
    }

    /// The numbers as f32: F64 rounded to nearest, the other types exactly.
    ///
    /// # Errors
    /// [`Error::Conversion`] for integers; as for [`Tensor::bytes`].
    pub fn to_f32(&self) -> Result<Vec<f32>, Error> {
        let bytes = self.bytes()?;
        match self.dtype {
            Dtype::F64 => self.numbers(&bytes, |b| f64::from_le_bytes(b) as f32),
            Dtype::F32 => self.numbers(&bytes, f32::from_le_bytes),
            Dtype::F16 => self.numbers(&bytes, |b| f16::from_le_bytes(b).to_f32()),
            // The upper half of an f32, by definition.
            Dtype::Bf16 => self.numbers(&bytes, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
            Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 => Err(self.conversion("f32")),
            Dtype::U64 | Dtype::U32 | Dtype::U16 | Dtype::U8 | Dtype::Bool | Dtype::Unread(_) => {
                Err(self.conversion("f32"))
            }
            Dtype::Q4_0 => self.blocks(&bytes, quantised::q4_0),
            Dtype::Q4_1 => self.blocks(&bytes, quantised::q4_1),
            Dtype::Q5_0 => self.blocks(&bytes, quantised::q5_0),
            Dtype::Q5_1 => self.blocks(&bytes, quantised::q5_1),
            Dtype::Q8_0 => self.blocks(&bytes, quantised::q8_0),
            Dtype::Q4K => self.blocks(&bytes, quantised::q4_k),
            Dtype::Q5K => self.blocks(&bytes, quantised::q5_k),
            Dtype::Q6K => self.blocks(&bytes, quantised::q6_k),
            Dtype::Q1_0 => self.blocks(&bytes, quantised::q1_0),
            Dtype::Q2_0 => self.blocks(&bytes, quantised::q2_0),
            Dtype::Q2K => self.blocks(&bytes, quantised::q2_k),
            Dtype::Q3K => self.blocks(&bytes, quantised::q3_k),
            Dtype::Iq4Nl => self.blocks(&bytes, quantised::iq4_nl),
            Dtype::Iq4Xs => self.blocks(&bytes, quantised::iq4_xs),
            Dtype::Mxfp4 => self.blocks(&bytes, quantised::mxfp4),
            Dtype::Nvfp4 => self.blocks(&bytes, quantised::nvfp4),
            Dtype::Iq2Xxs => self.blocks(&bytes, quantised::iq2_xxs),
            Dtype::Iq2Xs => self.blocks(&bytes, quantised::iq2_xs),
            Dtype::Iq2S => self.blocks(&bytes, quantised::iq2_s),
            Dtype::Iq3Xxs => self.blocks(&bytes, quantised::iq3_xxs),
            Dtype::Iq3S => self.blocks(&bytes, quantised::iq3_s),
            Dtype::Iq1S => self.blocks(&bytes, quantised::iq1_s),
            Dtype::Iq1M => self.blocks(&bytes, quantised::iq1_m),
            Dtype::Tq1_0 => self.blocks(&bytes, quantised::tq1_0),
            Dtype::Tq2_0 => self.blocks(&bytes, quantised::tq2_0),
        }
    }

    /// The same tensor in F32 where it is quantised (in memory of its own), itself where it is not.
    ///
    /// # Errors
    /// As for [`Tensor::bytes`].
    pub fn dequantise(&self) -> Result<Tensor, Error> {
        if !self.dtype.is_quantised() {
            return Ok(self.clone());
        }
        let bytes = Bytes::from_owner(Floats(self.to_f32()?));
        let (name, shape, len) = (self.name.clone(), self.shape.clone(), bytes.len());
        let source = Arc::new(Source::from_bytes(self.path(), bytes));
        Ok(Tensor { name, dtype: Dtype::F32, shape, source, start: 0, len, strided: None })
    }

    /// The numbers as f64, exactly.
    ///
    /// # Errors
    /// As for [`Tensor::to_f32`].
    pub fn to_f64(&self) -> Result<Vec<f64>, Error> {
        if self.dtype == Dtype::F64 {
            return self.numbers(&self.bytes()?, f64::from_le_bytes);
        }
        Ok(self.to_f32()?.into_iter().map(f64::from).collect())
    }

    /// Whether two tensors hold the same numbers in the same shape, in whatever types.
    ///
    /// # Errors
    /// As for [`Tensor::to_f32`].
    pub fn same_numbers(&self, other: &Tensor) -> Result<bool, Error> {
        /// So many rows are widened at a time.
        const ROWS: usize = 256;
        if self.shape != other.shape {
            return Ok(false);
        }
        if self.dtype == other.dtype {
            return Ok(self.bytes()? == other.bytes()?);
        }
        let (Some(&rows), None, None) = (self.shape.first(), &self.strided, &other.strided) else {
            return Ok(self.to_f64()? == other.to_f64()?);
        };
        for start in (0..rows).step_by(ROWS) {
            let range = start..rows.min(start + ROWS);
            if self.rows(range.clone())?.to_f64()? != other.rows(range)?.to_f64()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Some of its rows.
    ///
    /// # Errors
    /// [`Error::Tensor`] where it has no such rows, or they do not lie in order.
    pub fn rows(&self, range: std::ops::Range<usize>) -> Result<Tensor, Error> {
        let all = self.shape.first().copied().unwrap_or_default();
        if self.strided.is_some() || range.start >= range.end || range.end > all {
            return Err(Error::Tensor {
                path: self.path().to_owned(),
                tensor: self.name.clone(),
                problem: format!("rows {}..{} of {all} can't be taken", range.start, range.end),
            });
        }
        let row = self.len / self.shape[0];
        let (start, end) = (self.start + (range.start * row) as u64, self.start + (range.end * row) as u64);
        let shape = [&[range.len()], &self.shape[1..]].concat();
        Tensor::within(&self.source, &self.name, self.dtype, &shape, start..end)
    }

    /// Whether every byte of it is zero; ends at the first that is not.
    ///
    /// # Errors
    /// As for [`Tensor::bytes`].
    pub fn is_zero(&self) -> Result<bool, Error> {
        const PIECE: u64 = 1 << 16;
        let span = self.strided.as_ref().map_or(self.len, |view| view.span * self.dtype.block().1) as u64;
        let mut start = 0;
        while start < span {
            let end = span.min(start + PIECE);
            if self.source.read(self.start + start..self.start + end)?.iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            start = end;
        }
        Ok(span > 0)
    }

    /// The numbers of an integer tensor as i64.
    ///
    /// # Errors
    /// [`Error::Conversion`] for other types and for U64; as for [`Tensor::bytes`].
    pub fn to_i64(&self) -> Result<Vec<i64>, Error> {
        let bytes = self.bytes()?;
        match self.dtype {
            Dtype::I64 => self.numbers(&bytes, i64::from_le_bytes),
            Dtype::I32 => self.numbers(&bytes, |b| i32::from_le_bytes(b).into()),
            Dtype::I16 => self.numbers(&bytes, |b| i16::from_le_bytes(b).into()),
            Dtype::I8 => self.numbers(&bytes, |b| i8::from_le_bytes(b).into()),
            Dtype::U32 => self.numbers(&bytes, |b| u32::from_le_bytes(b).into()),
            Dtype::U16 => self.numbers(&bytes, |b| u16::from_le_bytes(b).into()),
            Dtype::U8 | Dtype::Bool => self.numbers(&bytes, |b| u8::from_le_bytes(b).into()),
            Dtype::U64 | Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16 => Err(self.conversion("i64")),
            Dtype::Q4_0 | Dtype::Q4_1 | Dtype::Q5_0 | Dtype::Q5_1 => Err(self.conversion("i64")),
            Dtype::Q8_0 | Dtype::Q4K | Dtype::Q5K | Dtype::Q6K => Err(self.conversion("i64")),
            Dtype::Q1_0 | Dtype::Q2_0 | Dtype::Q2K | Dtype::Q3K => Err(self.conversion("i64")),
            Dtype::Iq4Nl | Dtype::Iq4Xs | Dtype::Mxfp4 | Dtype::Nvfp4 => Err(self.conversion("i64")),
            Dtype::Iq2Xxs | Dtype::Iq2Xs | Dtype::Iq2S | Dtype::Iq3Xxs => Err(self.conversion("i64")),
            Dtype::Iq3S | Dtype::Iq1S | Dtype::Iq1M | Dtype::Tq1_0 => Err(self.conversion("i64")),
            Dtype::Tq2_0 | Dtype::Unread(_) => Err(self.conversion("i64")),
        }
    }

    fn blocks<const BYTES: usize, const NUMBERS: usize>(
        &self,
        bytes: &[u8],
        decode: fn(&[u8; BYTES], &mut [f32; NUMBERS]),
    ) -> Result<Vec<f32>, Error> {
        let mut numbers = self.room(self.elements())?;
        let (blocks, _) = bytes.as_chunks::<BYTES>();
        let mut decoded = [0.0; NUMBERS];
        for block in blocks {
            decode(block, &mut decoded);
            numbers.extend_from_slice(&decoded);
        }
        Ok(numbers)
    }

    fn numbers<const N: usize, T>(&self, bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Result<Vec<T>, Error> {
        let (chunks, _) = bytes.as_chunks::<N>();
        let mut numbers = self.room(chunks.len())?;
        numbers.extend(chunks.iter().map(|&chunk| from(chunk)));
        Ok(numbers)
    }

    fn room<T>(&self, count: usize) -> Result<Vec<T>, Error> {
        let bytes = count.saturating_mul(size_of::<T>()) as u64;
        reserve(count as u64).ok_or_else(|| self.source.out_of_memory(bytes))
    }

    fn conversion(&self, wanted: &'static str) -> Error {
        let (path, tensor) = (self.path().to_owned(), self.name.clone());
        Error::Conversion { path, tensor, dtype: self.dtype, wanted }
    }
}

/// Floats that a [`Bytes`] owns; little endian, like all that stands in files.
struct Floats(Vec<f32>);

impl AsRef<[u8]> for Floats {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl Strided {
    /// Whether the numbers lie in row-major order, one beside the other. An axis of extent 1 may have any stride.
    fn is_in_order(&self) -> bool {
        let mut step = 1;
        // Without numbers there is no order, and no bound to the extents either.
        self.span == 0
            || self.shape.iter().zip(&self.strides).rev().all(|(&extent, &stride)| {
                let fits = extent <= 1 || stride == step;
                step *= extent.max(1);
                fits
            })
    }
}
