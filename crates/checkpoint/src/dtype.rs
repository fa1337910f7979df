//! The types that tensors are stored in.

use std::fmt;

/// How the numbers of a tensor are stored, little endian all. The quantised types are GGUF's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE binary64.
    F64,
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// The upper half of a binary32.
    Bf16,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 16 bits.
    I16,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 64 bits.
    U64,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 8 bits.
    U8,
    /// One byte, 0 or 1.
    Bool,
    /// Blocks of 128, 1 bit and a scale.
    Q1_0,
    /// Blocks of 64, 2 bits and a scale.
    Q2_0,
    /// Blocks of 32, 4 bits and a scale.
    Q4_0,
    /// Blocks of 32, 4 bits, a scale and a minimum.
    Q4_1,
    /// Blocks of 32, 5 bits and a scale.
    Q5_0,
    /// Blocks of 32, 5 bits, a scale and a minimum.
    Q5_1,
    /// Blocks of 32, 8 bits and a scale.
    Q8_0,
    /// Blocks of 256, 2 bits, sixteen scales and minima.
    Q2K,
    /// Blocks of 256, 3 bits, sixteen scales.
    Q3K,
    /// Blocks of 256, 4 bits, eight scales and minima.
    Q4K,
    /// Blocks of 256, 5 bits, eight scales and minima.
    Q5K,
    /// Blocks of 256, 6 bits, sixteen scales.
    Q6K,
    /// Blocks of 32, 4 bits that choose one of sixteen values, and a scale.
    Iq4Nl,
    /// Blocks of 256, 4 bits that choose one of sixteen values, eight scales.
    Iq4Xs,
    /// Blocks of 32, 4 bits of floating point and an exponent.
    Mxfp4,
    /// Blocks of 64, 4 bits of floating point and four scales.
    Nvfp4,
    /// Blocks of 256, points of a grid, 2 bits a number, eight scales.
    Iq2Xxs,
    /// Blocks of 256, points of a grid, 2 bits a number, sixteen scales.
    Iq2Xs,
    /// Blocks of 256, points of a grid, 2.5 bits a number, sixteen scales.
    Iq2S,
    /// Blocks of 256, points of a grid, 3 bits a number, eight scales.
    Iq3Xxs,
    /// Blocks of 256, points of a grid, 3.5 bits a number, eight scales.
    Iq3S,
    /// Blocks of 256, points of a grid, 1.5 bits a number, eight scales.
    Iq1S,
    /// Blocks of 256, points of a grid, 1.75 bits a number, sixteen scales.
    Iq1M,
    /// Blocks of 256, five numbers of three values in a byte, and a scale.
    Tq1_0,
    /// Blocks of 256, 2 bits of three values and a scale.
    Tq2_0,
}

impl Dtype {
    /// How many numbers one block holds, and in how many bytes: (1, size of one) unless quantised.
    pub fn block(self) -> (usize, usize) {
        match self {
            Dtype::F64 | Dtype::I64 | Dtype::U64 => (1, 8),
            Dtype::F32 | Dtype::I32 | Dtype::U32 => (1, 4),
            Dtype::F16 | Dtype::Bf16 | Dtype::I16 | Dtype::U16 => (1, 2),
            Dtype::I8 | Dtype::U8 | Dtype::Bool => (1, 1),
            Dtype::Q1_0 => (128, 18),
            Dtype::Q2_0 => (64, 18),
            Dtype::Q4_0 => (32, 18),
            Dtype::Q4_1 => (32, 20),
            Dtype::Q5_0 => (32, 22),
            Dtype::Q5_1 => (32, 24),
            Dtype::Q8_0 => (32, 34),
            Dtype::Q2K => (256, 84),
            Dtype::Q3K => (256, 110),
            Dtype::Q4K => (256, 144),
            Dtype::Q5K => (256, 176),
            Dtype::Q6K => (256, 210),
            Dtype::Iq4Nl => (32, 18),
            Dtype::Iq4Xs => (256, 136),
            Dtype::Mxfp4 => (32, 17),
            Dtype::Nvfp4 => (64, 36),
            Dtype::Iq2Xxs => (256, 66),
            Dtype::Iq2Xs => (256, 74),
            Dtype::Iq2S => (256, 82),
            Dtype::Iq3Xxs => (256, 98),
            Dtype::Iq3S => (256, 110),
            Dtype::Iq1S => (256, 50),
            Dtype::Iq1M => (256, 56),
            Dtype::Tq1_0 => (256, 54),
            Dtype::Tq2_0 => (256, 66),
        }
    }

    /// Whether numbers stand in blocks that share a scale.
    pub fn is_quantised(self) -> bool {
        self.block().0 > 1
    }

    /// How many bytes a tensor of this shape has: none on overflow, or where a row is no whole number of blocks.
    ///
    /// ```
    /// # use camelid_checkpoint::Dtype;
    /// assert_eq!(Dtype::Bf16.byte_len(&[3, 4]), Some(24));
    /// assert_eq!(Dtype::F32.byte_len(&[1 << 40, 1 << 40]), None);
    /// ```
    pub fn byte_len(self, shape: &[usize]) -> Option<usize> {
        let (numbers, bytes) = self.block();
        let row = shape.last().copied().unwrap_or(1);
        if !row.is_multiple_of(numbers) {
            return None;
        }
        let total = shape.iter().try_fold(1_usize, |product, &extent| product.checked_mul(extent))?;
        (total / numbers).checked_mul(bytes)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Dtype::F64 => "F64",
            Dtype::F32 => "F32",
            Dtype::F16 => "F16",
            Dtype::Bf16 => "BF16",
            Dtype::I64 => "I64",
            Dtype::I32 => "I32",
            Dtype::I16 => "I16",
            Dtype::I8 => "I8",
            Dtype::U64 => "U64",
            Dtype::U32 => "U32",
            Dtype::U16 => "U16",
            Dtype::U8 => "U8",
            Dtype::Bool => "BOOL",
            Dtype::Q1_0 => "Q1_0",
            Dtype::Q2_0 => "Q2_0",
            Dtype::Q4_0 => "Q4_0",
            Dtype::Q4_1 => "Q4_1",
            Dtype::Q5_0 => "Q5_0",
            Dtype::Q5_1 => "Q5_1",
            Dtype::Q8_0 => "Q8_0",
            Dtype::Q2K => "Q2_K",
            Dtype::Q3K => "Q3_K",
            Dtype::Q4K => "Q4_K",
            Dtype::Q5K => "Q5_K",
            Dtype::Q6K => "Q6_K",
            Dtype::Iq4Nl => "IQ4_NL",
            Dtype::Iq4Xs => "IQ4_XS",
            Dtype::Mxfp4 => "MXFP4",
            Dtype::Nvfp4 => "NVFP4",
            Dtype::Iq2Xxs => "IQ2_XXS",
            Dtype::Iq2Xs => "IQ2_XS",
            Dtype::Iq2S => "IQ2_S",
            Dtype::Iq3Xxs => "IQ3_XXS",
            Dtype::Iq3S => "IQ3_S",
            Dtype::Iq1S => "IQ1_S",
            Dtype::Iq1M => "IQ1_M",
            Dtype::Tq1_0 => "TQ1_0",
            Dtype::Tq2_0 => "TQ2_0",
        })
    }
}
