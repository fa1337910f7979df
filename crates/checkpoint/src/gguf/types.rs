//! ggml's numbers for its types.

use std::fmt;

use crate::Dtype;

/// A type as the file numbers it, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GgmlType(pub(crate) u32);

/// Number, ggml's name, and ours where it is read.
const TYPES: [(u32, &str, Option<Dtype>); 41] = [
    (0, "F32", Some(Dtype::F32)),
    (1, "F16", Some(Dtype::F16)),
    (2, "Q4_0", Some(Dtype::Q4_0)),
    (3, "Q4_1", Some(Dtype::Q4_1)),
    (6, "Q5_0", Some(Dtype::Q5_0)),
    (7, "Q5_1", Some(Dtype::Q5_1)),
    (8, "Q8_0", Some(Dtype::Q8_0)),
    (9, "Q8_1", None),
    (10, "Q2_K", Some(Dtype::Q2K)),
    (11, "Q3_K", Some(Dtype::Q3K)),
    (12, "Q4_K", Some(Dtype::Q4K)),
    (13, "Q5_K", Some(Dtype::Q5K)),
    (14, "Q6_K", Some(Dtype::Q6K)),
    (15, "Q8_K", None),
    (16, "IQ2_XXS", Some(Dtype::Iq2Xxs)),
    (17, "IQ2_XS", Some(Dtype::Iq2Xs)),
    (18, "IQ3_XXS", Some(Dtype::Iq3Xxs)),
    (19, "IQ1_S", Some(Dtype::Iq1S)),
    (20, "IQ4_NL", Some(Dtype::Iq4Nl)),
    (21, "IQ3_S", Some(Dtype::Iq3S)),
    (22, "IQ2_S", Some(Dtype::Iq2S)),
    (23, "IQ4_XS", Some(Dtype::Iq4Xs)),
    (24, "I8", Some(Dtype::I8)),
    (25, "I16", Some(Dtype::I16)),
    (26, "I32", Some(Dtype::I32)),
    (27, "I64", Some(Dtype::I64)),
    (28, "F64", Some(Dtype::F64)),
    (29, "IQ1_M", Some(Dtype::Iq1M)),
    (30, "BF16", Some(Dtype::Bf16)),
    (31, "Q4_0_4_4", None),
    (32, "Q4_0_4_8", None),
    (33, "Q4_0_8_8", None),
    (34, "TQ1_0", Some(Dtype::Tq1_0)),
    (35, "TQ2_0", Some(Dtype::Tq2_0)),
    (36, "IQ4_NL_4_4", None),
    (37, "IQ4_NL_4_8", None),
    (38, "IQ4_NL_8_8", None),
    (39, "MXFP4", Some(Dtype::Mxfp4)),
    (40, "NVFP4", Some(Dtype::Nvfp4)),
    (41, "Q1_0", Some(Dtype::Q1_0)),
    (42, "Q2_0", Some(Dtype::Q2_0)),
];

impl GgmlType {
    pub(crate) fn dtype(self) -> Option<Dtype> {
        TYPES.iter().find(|row| row.0 == self.0).and_then(|row| row.2)
    }

    /// The number of a type of ours.
    pub(crate) fn of(dtype: Dtype) -> Option<GgmlType> {
        TYPES.iter().find(|row| row.2 == Some(dtype)).map(|row| GgmlType(row.0))
    }

    /// The names of the types that are read, for messages.
    pub(crate) fn read() -> String {
        TYPES.iter().filter(|row| row.2.is_some()).map(|row| row.1).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TYPES.iter().find(|row| row.0 == self.0) {
            Some(row) => write!(f, "{} ({})", row.1, self.0),
            None => write!(f, "number {}", self.0),
        }
    }
}

/// The types that ggml numbers, by name, and how each is read; none for those that are not.
///
/// ```
/// # use camelid_checkpoint::{Dtype, gguf};
/// assert!(gguf::types().any(|(name, dtype)| name == "Q4_K" && dtype == Some(Dtype::Q4K)));
/// ```
pub fn types() -> impl Iterator<Item = (&'static str, Option<Dtype>)> {
    TYPES.iter().map(|&(_, name, dtype)| (name, dtype))
}
