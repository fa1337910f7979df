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
//!
//! Few tokens are multiplied so in the exact form too, where that is faster: with x in 24 bits (see [`digits`]).

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::SyncPtr;
    use crate::product::region::Job;

    /// Of two tokens by three rows of `cols` numbers.
    fn product(isa: Isa, blocks: Blocks, cols: usize) -> Vec<u32> {
        let backend = Backend::serial().with_isa(isa).expect("it is available");
        let size = blocks.bytes();
        // Any bytes are blocks, but for scales that are not finite.
        let low = |at: usize| (at * 7919 % 251) as u8;
        let bytes: Vec<u8> = (0..3 * cols / blocks.numbers() * size)
            .map(|at| if matches!(at % size, 1 | 3) { low(at) & 0x3b } else { low(at) })
            .collect();
        let x: Vec<f32> = (0..2 * cols).map(|i| (i * 31 % 997) as f32 / 498.5 - 1.0).collect();
        let mut out = vec![0.0; 6];
        let weights = [Rows::Blocks(blocks, &bytes)];
        let job = Job { weights: &weights, rows: 3, out: SyncPtr(out.as_mut_ptr()), combine: None };
        multiply_in_digits(&backend, Region { x: &x, tokens: 2, cols, jobs: &[job] });
        assert!(out.iter().all(|y| y.is_finite() && *y != 0.0), "{isa:?} {blocks:?} {out:?}");
        out.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn digits_give_the_bits_of_the_portable_form_on_every_instruction_set() {
        use Blocks::{Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K};
        for (blocks, cols) in [Q4_0, Q4_1, Q5_0, Q5_1]
            .map(|b| [(b, 32), (b, 448), (b, 512)])
            .as_flattened()
            .iter()
            .chain(&[(Q4K, 512), (Q5K, 256)])
        {
            let portable = product(Isa::Portable, *blocks, *cols);
            for isa in Isa::available() {
                assert_eq!(product(isa, *blocks, *cols), portable, "{isa:?} {blocks:?} {cols}");
            }
        }
    }
}
