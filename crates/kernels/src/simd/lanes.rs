//! The vocabulary itself: what a vector can do, and how stored elements become its lanes.

use half::{bf16, f16};

#[cfg(target_arch = "x86_64")]
use super::amx::TileRegisters;
use super::operands::{Left, Out, Right};
use crate::rows::Rows;

/// What is compiled once per instruction set. `run` must be `#[inline(always)]`, and so must all it calls.
pub(crate) trait Kernel {
    type Output;
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// The most lanes of any instruction set.
pub(crate) const MOST_LANES: usize = 16;

/// Vectors of `LANES` f32. A value of an implementing type exists only where the machine has the instruction set (it
/// is made in `run` alone), so that arithmetic is safe; loads and stores trust their pointers.
///
/// Where a lane is NaN, `max` and `min` give `b`.
pub(crate) trait Simd: Copy {
    type V: Copy;
    /// `LANES` integers of 32 bits.
    type I: Copy;
    const LANES: usize;
    /// Rows of `x` in one register tile of a product, beside `TILE_VECTORS` vectors of outputs: as the registers allow.
    const TILE_ROWS: usize;
    /// Whether a ramp is a table: then numbers are looked up as fast as their q are joined from bits.
    const TABLES: bool = false;
    /// Whether `mul_add_pairs` is one instruction.
    const PAIRS: bool = false;
    /// The same as `TILE_ROWS`, in pairs of bf16.
    const PAIR_ROWS: usize = Self::TILE_ROWS;

    fn splat(self, value: f32) -> Self::V;
    /// The same of a value in memory, and surely from there: that takes no shuffle, of which machines do few at a time.
    #[inline(always)]
    fn broadcast(self, value: &f32) -> Self::V {
        // SAFETY: the same address.
        self.splat(unsafe { *unseen(value) })
    }
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c; rounded once where the instruction set fuses.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The nearest integer, for |a| < 2²².
    fn round(self, a: Self::V) -> Self::V;
    /// a·2ⁿ for integers |n| ≤ 252, rounded once where the result is subnormal.
    fn scale(self, a: Self::V, n: Self::V) -> Self::V;
    /// `then` where a < b, else `other`.
    fn if_less(self, a: Self::V, b: Self::V, then: Self::V, other: Self::V) -> Self::V;
    /// |magnitude| with the sign of `sign`.
    fn copysign(self, magnitude: Self::V, sign: Self::V) -> Self::V;
    /// The even and the odd ones of the elements of `a` and then `b`.
    fn unzip(self, a: Self::V, b: Self::V) -> (Self::V, Self::V);
    /// The sum of the lanes, halves added to halves.
    fn sum(self, a: Self::V) -> f32;

    /// The even and the odd ones of the bf16 that fill `pairs`: a bf16 is the upper half of an f32, so none moves.
    fn widen_pairs(self, pairs: Self::V) -> (Self::V, Self::V);
    /// sum + a₀·b₀ + a₁·b₁ for the pair of bf16 in each lane.
    #[inline(always)]
    fn mul_add_pairs(self, a: Self::V, b: Self::V, sum: Self::V) -> Self::V {
        widen_and_mul_add(self, a, b, sum)
    }
    /// `2 · LANES` elements, each rounded to the nearest bf16, ties to even.
    ///
    /// # Safety
    /// They can be read.
    #[inline(always)]
    unsafe fn load_rounded(self, from: *const f32) -> Self::V {
        // SAFETY: the caller's contract.
        unsafe { round_each(self, from) }
    }

    /// See [`Units::ready`](crate::register::Units::ready).
    #[inline(always)]
    fn ready(self, _rows: usize) -> Ready {
        Ready::Always
    }
    /// See [`Units::tile`](crate::register::Units::tile).
    ///
    /// # Safety
    /// As there.
    unsafe fn tile_of_pairs<const N: usize>(self, shape: (usize, usize), left: Left, right: Right, out: Out);

    /// `LANES` bytes, each from 0 to 255.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn load_u8(self, from: *const u8) -> Self::I;
    /// `LANES` bytes, each from −128 to 127.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn load_i8(self, from: *const u8) -> Self::I;
    fn splat_int(self, value: i32) -> Self::I;
    fn and(self, a: Self::I, b: Self::I) -> Self::I;
    fn or(self, a: Self::I, b: Self::I) -> Self::I;
    /// a · 2^BITS.
    fn shift_left<const BITS: u32>(self, a: Self::I) -> Self::I;
    /// The bits of a, `bits` places lower, zeros above; fewer than 32.
    fn shift_right(self, a: Self::I, bits: u32) -> Self::I;
    /// Bit `place + i` of `bits` at bit 4 of lane i, for `place` a multiple of `LANES`; other bits are of no meaning.
    #[inline(always)]
    fn spread(self, bits: u32, place: u32) -> Self::I {
        let fifths = self.fifths(bits);
        // SAFETY: within the array.
        unsafe { self.load_u8(fifths.as_ptr().add(place as usize)) }
    }
    /// 16 where the bit is set, else 0, the lowest bit first.
    #[inline(always)]
    fn fifths(self, bits: u32) -> [u8; 32] {
        std::array::from_fn(|place| ((bits >> place & 1) << 4) as u8)
    }
    /// The eight f16 of these bits, the lowest first, as f32.
    fn halves(self, bits: [u64; 2]) -> [f32; 8];
    /// `factor` times each of eight signed bytes, the lowest first.
    fn times_bytes(self, factor: f32, bytes: u64) -> [f32; 8];
    /// Each integer as f32; exact for |a| ≤ 2²⁴.
    fn to_float(self, a: Self::I) -> Self::V;

    /// The low and the high four bits of bytes, as [`Simd::at_four`] takes them.
    #[inline(always)]
    fn nibbles(self, bytes: Self::I) -> [Self::I; 2] {
        [self.and(bytes, self.splat_int(15)), self.shift_right(bytes, 4)]
    }
    /// q·step + first for q from 0 to 31, at hand: as a table, where the machine looks up lanes in registers.
    #[inline(always)]
    fn ramp(self, step: &f32, first: &f32) -> [Self::V; 2] {
        [self.broadcast(step), self.broadcast(first)]
    }
    /// (q − zero)·step, where both −zero·step and each of them are exact.
    #[inline(always)]
    fn ramp_around(self, zero: f32, step: &f32) -> [Self::V; 2] {
        let step = self.broadcast(step);
        [step, self.mul(self.splat(-zero), step)]
    }
    /// The ramp's number for each q of [`Simd::nibbles`]; rounded once where the product is exact.
    #[inline(always)]
    fn at_four(self, [step, first]: [Self::V; 2], q: Self::I) -> Self::V {
        self.mul_add(self.to_float(q), step, first)
    }
    /// The same where q has a fifth bit: bit 4 of `fifth`, whose other bits are of no meaning.
    #[inline(always)]
    fn at_five(self, ramp: [Self::V; 2], q: Self::I, fifth: Self::I) -> Self::V {
        self.at_four(ramp, self.or(q, self.and(fifth, self.splat_int(16))))
    }

    /// Brings the cache line of an address into the second-level cache; it need not be readable.
    #[inline(always)]
    fn prefetch(self, _at: *const u8) {}
    /// The same, into the first-level cache too.
    #[inline(always)]
    fn prefetch_first(self, _at: *const u8) {}

    /// # Safety
    /// `LANES` elements can be read.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// # Safety
    /// `LANES` elements can be read.
    unsafe fn load_bf16(self, from: *const bf16) -> Self::V;
    /// # Safety
    /// `LANES` elements can be read.
    unsafe fn load_f16(self, from: *const f16) -> Self::V;
    /// # Safety
    /// `LANES` elements can be written.
    unsafe fn store(self, to: *mut f32, value: Self::V);

    /// `to[lane · stride + row]` ← row `row`'s lane `lane`: writes the square of `rows` transposed.
    ///
    /// # Safety
    /// `to` can be written at all these places; the first `LANES` of `rows` are taken.
    unsafe fn store_transposed(self, rows: &[Self::V; MOST_LANES], to: *mut f32, stride: usize);

    /// The first `count` lanes from memory, the others 0.
    ///
    /// # Safety
    /// `count ≤ LANES` elements can be read.
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> Self::V {
        let mut lanes = [0.0; MOST_LANES];
        // SAFETY: the caller's contract; `lanes` has room for any vector.
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            self.load(lanes.as_ptr())
        }
    }

    /// Writes the first `count` lanes.
    ///
    /// # Safety
    /// `count ≤ LANES` elements can be written.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, value: Self::V, count: usize) {
        let mut lanes = [0.0; MOST_LANES];
        // SAFETY: the caller's contract; `lanes` has room for any vector.
        unsafe {
            self.store(lanes.as_mut_ptr(), value);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
        }
    }
}

/// The same address, of which compilers don't see that it is: else they load neighbours together, and shuffle them.
#[inline(always)]
pub(crate) fn unseen<T>(at: *const T) -> *const T {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut at = at;
        // SAFETY: a comment.
        unsafe { std::arch::asm!("/* {} */", inout(reg) at, options(readonly, nostack, preserves_flags)) };
        at
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    at
}

/// The same number, of which compilers don't see that it is: a loop of so many rounds stays a loop. Written out, they
/// add in another order, for which they keep more at hand than there are registers.
#[inline(always)]
pub(crate) fn rounds(count: usize) -> usize {
    unseen(std::ptr::without_provenance::<u8>(count)).addr()
}

/// What must be there while tiles are computed.
pub(crate) enum Ready {
    /// Nothing: vector registers are always at hand.
    Always,
    /// The tile registers, configured.
    #[cfg(target_arch = "x86_64")]
    Tiles(TileRegisters),
}

/// [`Simd::mul_add_pairs`] where the machine has no such instruction.
#[inline(always)]
pub(super) fn widen_and_mul_add<S: Simd>(simd: S, a: S::V, b: S::V, sum: S::V) -> S::V {
    let ((a0, a1), (b0, b1)) = (simd.widen_pairs(a), simd.widen_pairs(b));
    simd.mul_add(a1, b1, simd.mul_add(a0, b0, sum))
}

/// [`Simd::load_rounded`] where the machine has no such instruction.
///
/// # Safety
/// `2 · LANES` elements can be read.
#[inline(always)]
pub(super) unsafe fn round_each<S: Simd>(simd: S, from: *const f32) -> S::V {
    let mut rounded = [bf16::ZERO; 2 * MOST_LANES];
    for (place, rounded) in rounded.iter_mut().enumerate().take(2 * S::LANES) {
        // SAFETY: the caller's contract.
        *rounded = bf16::from_f32(unsafe { *from.add(place) });
    }
    // SAFETY: `rounded` has the size of the longest vector.
    unsafe { simd.load(rounded.as_ptr().cast()) }
}

/// An element as stored, loaded as f32 lanes.
pub(crate) trait Element: Copy + Send + Sync + 'static {
    const ZERO: Self;
    /// The elements of a matrix; none where they are of another type.
    fn of(rows: Rows<'_>) -> &[Self];

    /// # Safety
    /// `LANES` elements can be read.
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> S::V;

    /// The even and the odd ones of `2 · LANES` elements.
    ///
    /// # Safety
    /// `2 · LANES` elements can be read.
    #[inline(always)]
    unsafe fn load_pairs<S: Simd>(simd: S, from: *const Self) -> (S::V, S::V) {
        // SAFETY: the caller's contract.
        unsafe { simd.unzip(Self::load(simd, from), Self::load(simd, from.add(S::LANES))) }
    }

    /// The first `count` lanes from memory, the others 0.
    ///
    /// # Safety
    /// `count ≤ LANES` elements can be read.
    #[inline(always)]
    unsafe fn load_first<S: Simd>(simd: S, from: *const Self, count: usize) -> S::V {
        let mut lanes = [Self::ZERO; MOST_LANES];
        // SAFETY: the caller's contract; `lanes` has room for any vector.
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            Self::load(simd, lanes.as_ptr())
        }
    }
}

impl Element for f32 {
    const ZERO: Self = 0.0;
    fn of(rows: Rows<'_>) -> &[Self] {
        if let Rows::F32(values) = rows { values } else { &[] }
    }
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> S::V {
        // SAFETY: the caller's contract.
        unsafe { simd.load(from) }
    }
}

impl Element for bf16 {
    const ZERO: Self = Self::ZERO;
    fn of(rows: Rows<'_>) -> &[Self] {
        if let Rows::Bf16(values) = rows { values } else { &[] }
    }
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> S::V {
        // SAFETY: the caller's contract.
        unsafe { simd.load_bf16(from) }
    }
    #[inline(always)]
    unsafe fn load_pairs<S: Simd>(simd: S, from: *const Self) -> (S::V, S::V) {
        // SAFETY: the caller's contract.
        simd.widen_pairs(unsafe { simd.load(from.cast()) })
    }
}

impl Element for f16 {
    const ZERO: Self = Self::ZERO;
    fn of(rows: Rows<'_>) -> &[Self] {
        if let Rows::F16(values) = rows { values } else { &[] }
    }
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> S::V {
        // SAFETY: the caller's contract.
        unsafe { simd.load_f16(from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Isa;

    /// Holds what moves elements to their definitions, lane by lane; the tests of the public functions hold arithmetic.
    struct Moves;

    impl Kernel for Moves {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let values: [f32; 2 * MOST_LANES] = std::array::from_fn(|i| i as f32 - 7.5);
            let lanes = |v: S::V| {
                let mut lanes = [0.0; MOST_LANES];
                // SAFETY: `lanes` has room for any vector.
                unsafe { simd.store(lanes.as_mut_ptr(), v) };
                lanes[..S::LANES].to_vec()
            };
            let every_other =
                |from: usize| values[..2 * S::LANES].iter().skip(from).step_by(2).copied().collect();
            let expected: [Vec<f32>; 2] = [every_other(0), every_other(1)];
            // SAFETY: the arrays have at least two vectors; the square has MOST_LANES columns of MOST_LANES.
            unsafe {
                let pair = |(even, odd)| [lanes(even), lanes(odd)];
                assert_eq!(pair(f32::load_pairs(simd, values.as_ptr())), expected);
                assert_eq!(pair(bf16::load_pairs(simd, values.map(bf16::from_f32).as_ptr())), expected);
                assert_eq!(pair(f16::load_pairs(simd, values.map(f16::from_f32).as_ptr())), expected);
                for count in 0..=S::LANES {
                    let first = lanes(f32::load_first(simd, values.as_ptr(), count));
                    assert_eq!(first[..count], values[..count]);
                    assert!(first[count..].iter().all(|&lane| lane == 0.0));
                    let mut to = [9.0; MOST_LANES];
                    simd.store_first(to.as_mut_ptr(), simd.load(values.as_ptr()), count);
                    assert_eq!(to[..count], values[..count]);
                    assert!(to[count..].iter().all(|&lane| lane == 9.0));
                }
                let mut square = [simd.splat(0.0); MOST_LANES];
                for (row, v) in square.iter_mut().enumerate() {
                    *v = simd.add(simd.load(values.as_ptr()), simd.splat(100.0 * row as f32));
                }
                let mut to = [[0.0; MOST_LANES]; MOST_LANES];
                simd.store_transposed(&square, to.as_mut_ptr().cast(), MOST_LANES);
                for (lane, column) in to[..S::LANES].iter().enumerate() {
                    let expected = |row| values[lane] + 100.0 * row as f32;
                    assert_eq!(column[..S::LANES], (0..S::LANES).map(expected).collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_moves_elements_as_defined() {
        for isa in Isa::available() {
            // SAFETY: it is available.
            unsafe { isa.run(Moves) };
        }
    }
}
