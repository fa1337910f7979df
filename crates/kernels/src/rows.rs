//! Weights as stored: the element types and a borrowed matrix of them.

use half::{bf16, f16};

/// The type that a weight is stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE 754 single precision, 4 bytes.
    F32,
    /// The upper half of an f32: 8 bits of exponent, 7 of fraction.
    Bf16,
    /// IEEE 754 half precision: 5 bits of exponent, 10 of fraction.
    F16,
    /// Quantised blocks.
    Blocks(Blocks),
}

impl Dtype {
    /// How many elements stand together, and in how many bytes: one, but in quantised blocks.
    pub const fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::Bf16 | Self::F16 => (1, 2),
            Self::Blocks(blocks) => (blocks.numbers(), blocks.bytes()),
        }
    }
}

/// A type of quantised blocks, by its name in GGUF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blocks {
    /// 4 bits and a scale.
    Q4_0,
    /// 4 bits, a scale and a minimum.
    Q4_1,
    /// 5 bits and a scale.
    Q5_0,
    /// 5 bits, a scale and a minimum.
    Q5_1,
    /// 8 bits and a scale.
    Q8_0,
    /// 4 bits, eight scales and minima.
    Q4K,
    /// 5 bits, eight scales and minima.
    Q5K,
    /// 6 bits, sixteen scales.
    Q6K,
}

impl Blocks {
    /// Every type.
    pub const ALL: [Self; 8] =
        [Self::Q4_0, Self::Q4_1, Self::Q5_0, Self::Q5_1, Self::Q8_0, Self::Q4K, Self::Q5K, Self::Q6K];

    /// How many numbers a block holds.
    pub const fn numbers(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// In how many bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }
}

/// A borrowed weight matrix `[out, in]`, row-major; the product it takes part in knows its shape.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// f32 elements.
    F32(&'a [f32]),
    /// bf16 elements.
    Bf16(&'a [bf16]),
    /// f16 elements.
    F16(&'a [f16]),
    /// Quantised blocks; a row is a whole number of them.
    Blocks(Blocks, &'a [u8]),
}

impl Rows<'_> {
    /// Number of elements, `out · in`.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::Bf16(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::Blocks(blocks, bytes) => bytes.len() / blocks.bytes() * blocks.numbers(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::Bf16(_) => Dtype::Bf16,
            Self::F16(_) => Dtype::F16,
            Self::Blocks(blocks, _) => Dtype::Blocks(*blocks),
        }
    }
}
