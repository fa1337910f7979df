//! Quantised blocks to numbers, as ggml's reference does it: the same operations in f32, in the same order.
//!
//! A block holds 32 to 256 numbers that run along the last axis of a tensor. One file per kind of block:
//!
//! | file | types | a number is |
//! | --- | --- | --- |
//! | `small` | Q1_0, Q2_0, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 | its q times the block's scale, in the _1 types plus the block's minimum |
//! | `float` | IQ4_NL, IQ4_XS, MXFP4, NVFP4 | one of sixteen values, times a scale |
//! | `k` | Q2_K to Q6_K | its q times the scale of its run of 16 or 32, less the run's minimum |
//! | `ternary` | TQ1_0, TQ2_0 | −1, 0 or 1 (2 where the bits say so), times the block's scale |
//! | `grid` | IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S | one of four or eight of a grid's point, a sign, times a scale |
//!
//! Reference: ggml, `dequantize_row_*` in `ggml-quants.c`, and its Python package `gguf`, whose numbers the tests compare.

mod bits;
mod float;
mod grid;
mod k;
mod small;
mod ternary;

pub(crate) use float::{iq4_nl, iq4_xs, mxfp4, nvfp4};
pub(crate) use grid::{iq1_m, iq1_s, iq2_s, iq2_xs, iq2_xxs, iq3_s, iq3_xxs};
pub(crate) use k::{q2_k, q3_k, q4_k, q5_k, q6_k};
pub(crate) use small::{q1_0, q2_0, q4_0, q4_1, q5_0, q5_1, q8_0};
pub(crate) use ternary::{tq1_0, tq2_0};
