//! Products of quantised blocks and of activations that are rounded to bytes: integers, but for one scale each 32.
//!
//! ```text
//! x  ≈ d·r     per 32 of a token: d = max |x| / 127, r = x / d to the nearest integer, ties to even
//! w  = s·(q − z) + m     as blocks hold it; z a constant of the format
//! y  = Σ over runs of 32   (s d) · Σ (q − z) r  +  m · (d Σ r)          (of 16 in Q6_K)
//! ```
//!
//! Sums of a run are exact in 32 bits; what is left is the rounding of x, at most d/2 each, so that
//! |error| ≤ Σ |w| d/2, and that of as many f32 sums as there are runs. Every float is computed in one order, so each
//! instruction set gives the same bits. As in ggml (`quantize_row_q8_0`), but that rounds 256 at a time for `Q*_K`, and
//! keeps d as f16.

mod activations;
mod digits;
mod few;
mod format;
mod many;
mod pack;
mod tile;
#[cfg(target_arch = "x86_64")]
mod tiles;

use super::region::Region;
use crate::rows::Blocks;
use crate::{Backend, Isa, Rows};

use activations::Rounded;
use digits::Digits;

/// Writes every result of jobs whose weights are blocks.
pub(super) fn multiply(backend: &Backend, region: Region<'_>) {
    let layout = activations::Layout::of(region.cols);
    let mut buffer = backend.scratch().buffer(region.tokens * layout.width());
    let x = Rounded::new(backend, region, layout, &mut buffer);
    if backend.are_many(region.tokens) {
        many::multiply(backend, region, x);
    } else {
        few::multiply(backend, region, x);
    }
}

/// Whether few tokens are multiplied in digits by such a weight: where bytes are multiplied so much faster than f32 that
/// three times as many take less time than to widen them. Q of six and eight bits wait for memory rather.
pub(super) fn in_digits(backend: &Backend, weight: Rows<'_>) -> bool {
    use Blocks::{Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K};
    matches!(backend.isa(), Isa::Avx2 | Isa::Avx2Vnni)
        && matches!(weight, Rows::Blocks(Q4_0 | Q4_1 | Q4K | Q5_0 | Q5_1 | Q5K, _))
}

/// Writes every result of jobs of which [`in_digits`] is true, for few tokens: as exact as in f32.
pub(super) fn multiply_in_digits(backend: &Backend, region: Region<'_>) {
    let mut buffer = backend.scratch().buffer(Digits::places(region));
    few::multiply(backend, region, Digits::new(backend, region, &mut buffer));
}
