//! The innermost product: a tile of a few rows of the left operand by [`VECTORS`] vectors of outputs, held in registers
//! over the whole depth.
//!
//! ```text
//!          right  [depth, VECTORS·LANES]        left element (r, d) is broadcast and multiplied with
//! left     ┌──────────┐                         right row d; a unit d is one f32, or a pair of bf16
//! [R, depth]│ out [R, VECTORS·LANES] │
//! ```

use std::marker::PhantomData;

use half::bf16;

use crate::simd::{CHUNK, Element, Left, MOST_LANES, Out, Ready, Right, Simd, Write};

/// Vectors of outputs side by side in a tile of up to `TILE_ROWS` rows.
pub(crate) const VECTORS: usize = 2;

/// What one step of depth is: how weights and activations become 32-bit units, and how units multiply.
///
/// Methods are unsafe as those of [`Simd`] are: pointers must be valid.
pub(crate) trait Units<S: Simd>: Copy {
    /// The type that weights are stored in.
    type Weight: Element;
    /// Elements per unit.
    const WIDTH: usize;
    /// Rows of a tile of [`VECTORS`] vectors of outputs, at most.
    const ROWS: usize = S::TILE_ROWS;

    /// To be kept while tiles of so many rows, at most [`Units::ROWS`], are computed.
    #[inline(always)]
    fn ready(_: S, _rows: usize) -> Ready {
        Ready::Always
    }

    /// out ← (or +=) left · right for `rows` rows, at most [`Units::ROWS`], and `N` vectors of outputs, at most
    /// [`VECTORS`].
    ///
    /// # Safety
    /// Left and right can be read in `rows` rows and `depth` units, and out can be written; [`Units::ready`] was called
    /// for as many rows, and what it gave is still there.
    #[inline(always)]
    unsafe fn tile<const N: usize>(
        simd: S,
        (rows, depth): (usize, usize),
        left: Left,
        right: Right,
        out: Out,
    ) {
        // SAFETY: the caller's contract.
        unsafe { tile::<S, Self, N>(simd, (rows, depth), left, right, out) }
    }

    /// `LANES` units of weights.
    ///
    /// # Safety
    /// `LANES · WIDTH` elements can be read.
    unsafe fn load(simd: S, from: *const Self::Weight) -> S::V;
    /// The units of the first `count` elements, the others 0.
    ///
    /// # Safety
    /// `count ≤ LANES · WIDTH` elements can be read.
    unsafe fn load_first(simd: S, from: *const Self::Weight, count: usize) -> S::V;
    /// `LANES` units of activations.
    ///
    /// # Safety
    /// `LANES · WIDTH` elements can be read.
    unsafe fn activations(simd: S, from: *const f32) -> S::V;
    /// One unit in every lane.
    ///
    /// # Safety
    /// One element can be read.
    unsafe fn broadcast(simd: S, from: *const f32) -> S::V;
    /// weight · activation + sum
    fn mul_add(simd: S, weight: S::V, activation: S::V, sum: S::V) -> S::V;
}

/// One element at a time, widened to f32.
#[derive(Clone, Copy)]
pub(crate) struct Single<E>(PhantomData<E>);

impl<S: Simd, E: Element> Units<S> for Single<E> {
    type Weight = E;
    const WIDTH: usize = 1;

    #[inline(always)]
    unsafe fn load(simd: S, from: *const E) -> S::V {
        // SAFETY: the caller's contract.
        unsafe { E::load(simd, from) }
    }
    #[inline(always)]
    unsafe fn load_first(simd: S, from: *const E, count: usize) -> S::V {
        // SAFETY: the caller's contract.
        unsafe { E::load_first(simd, from, count) }
    }
    #[inline(always)]
    unsafe fn activations(simd: S, from: *const f32) -> S::V {
        // SAFETY: the caller's contract.
        unsafe { simd.load(from) }
    }
    #[inline(always)]
    unsafe fn broadcast(simd: S, from: *const f32) -> S::V {
        // SAFETY: the caller's contract.
        simd.splat(unsafe { *from })
    }
    #[inline(always)]
    fn mul_add(simd: S, weight: S::V, activation: S::V, sum: S::V) -> S::V {
        simd.mul_add(weight, activation, sum)
    }
}

/// Two neighbours in depth, rounded to bf16: 32 bits, moved about as those of an f32.
#[derive(Clone, Copy)]
pub(crate) struct Pairs;

impl<S: Simd> Units<S> for Pairs {
    type Weight = bf16;
    const WIDTH: usize = 2;
    const ROWS: usize = S::PAIR_ROWS;

    #[inline(always)]
    fn ready(simd: S, rows: usize) -> Ready {
        simd.ready(rows)
    }
    #[inline(always)]
    unsafe fn tile<const N: usize>(
        simd: S,
        (rows, depth): (usize, usize),
        left: Left,
        right: Right,
        out: Out,
    ) {
        // SAFETY: the caller's contract.
        unsafe { simd.tile_of_pairs::<N>((rows, depth), left, right, out) }
    }
    #[inline(always)]
    unsafe fn load(simd: S, from: *const bf16) -> S::V {
        // SAFETY: the caller's contract.
        unsafe { simd.load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn load_first(simd: S, from: *const bf16, count: usize) -> S::V {
        let mut filled = [bf16::ZERO; 2 * MOST_LANES];
        // SAFETY: the caller's contract; `filled` has the size of the longest vector.
        unsafe {
            std::ptr::copy_nonoverlapping(from, filled.as_mut_ptr(), count);
            simd.load(filled.as_ptr().cast())
        }
    }
    #[inline(always)]
    unsafe fn activations(simd: S, from: *const f32) -> S::V {
        // SAFETY: the caller's contract.
        unsafe { simd.load_rounded(from) }
    }
    #[inline(always)]
    unsafe fn broadcast(simd: S, from: *const f32) -> S::V {
        // SAFETY: the caller's contract; a pair that was not packed may lie at any even address.
        simd.splat(unsafe { from.read_unaligned() })
    }
    #[inline(always)]
    fn mul_add(simd: S, weight: S::V, activation: S::V, sum: S::V) -> S::V {
        simd.mul_add_pairs(weight, activation, sum)
    }
}

/// out ← (or +=) left · right for `rows` rows and `N` vectors of outputs, of which `rows · N ≤ TILE_ROWS · VECTORS`.
///
/// # Safety
/// Left and right can be read in `rows` rows and `depth` units, and out can be written.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd, U: Units<S>, const N: usize>(
    simd: S,
    (rows, depth): (usize, usize),
    left: Left,
    right: Right,
    out: Out,
) {
    macro_rules! with_rows {
        ($($rows:literal)*) => {
            match rows {
                // SAFETY: the caller's contract.
                $($rows if $rows * N <= S::TILE_ROWS * VECTORS => unsafe { tile_of::<S, U, N, $rows>(simd, depth, left, right, out) },)*
                _ => debug_assert_eq!(rows, 0, "a tile of {N} vectors has no room for so many rows"),
            }
        };
    }
    with_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// # Safety
/// As [`tile`], with `R` rows.
#[inline(always)]
unsafe fn tile_of<S: Simd, U: Units<S>, const N: usize, const R: usize>(
    simd: S,
    depth: usize,
    left: Left,
    right: Right,
    out: Out,
) {
    let mut sums = [[simd.splat(0.0); N]; R];
    let (mut chunk, mut row) = (left.at, right.at);
    let mut remaining = depth;
    // SAFETY: the caller's contract.
    unsafe {
        while remaining > 0 {
            let units = remaining.min(CHUNK);
            for unit in 0..units {
                let mut weights = [simd.splat(0.0); N];
                for (vector, weight) in weights.iter_mut().enumerate() {
                    *weight = simd.load(row.add(vector * S::LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let activation = U::broadcast(simd, chunk.add(r * left.row + unit));
                    for (sum, &weight) in sums.iter_mut().zip(&weights) {
                        *sum = U::mul_add(simd, weight, activation, *sum);
                    }
                }
                row = row.wrapping_add(right.stride); // The last step may leave the slice.
            }
            chunk = chunk.wrapping_add(left.chunk);
            remaining -= units;
        }
        write(simd, &sums, out);
    }
}

/// Writes a tile. Each loop is so plain that it unrolls: an array indexed by a variable would live in memory.
///
/// # Safety
/// `out` can be written in `R` rows of `N · LANES` elements.
#[inline(always)]
unsafe fn write<S: Simd, const N: usize, const R: usize>(simd: S, sums: &[[S::V; N]; R], out: Out) {
    for (r, sums) in sums.iter().enumerate() {
        for (vector, &sum) in sums.iter().enumerate() {
            // SAFETY: the caller's contract.
            unsafe {
                let at = out.at.add(r * out.stride + vector * S::LANES);
                let sum = if out.write == Write::Add { simd.add(simd.load(at), sum) } else { sum };
                simd.store(at, sum);
            }
        }
    }
}
