//! Vectors in plain Rust: four lanes, which compilers map to whatever the machine has.

use std::array::from_fn;

use half::{bf16, f16};

use super::integers;
use super::lanes::{MOST_LANES, Simd};
use super::operands::{Left, Out, Right};
use crate::register::{self, Pairs};

const LANES: usize = 4;

/// From here on an f32 has no fraction left, so that adding it rounds to an integer.
const BIG: f32 = 12_582_912.0;

#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// Four lanes.
type V = [f32; LANES];

impl Simd for Portable {
    type V = V;
    type I = integers::I;
    const LANES: usize = LANES;
    const TILE_ROWS: usize = 4;

    #[inline(always)]
    fn splat(self, value: f32) -> V {
        [value; LANES]
    }
    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        from_fn(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn mul_add(self, a: V, b: V, c: V) -> V {
        from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn round(self, a: V) -> V {
        from_fn(|i| (a[i] + BIG) - BIG)
    }
    #[inline(always)]
    fn scale(self, a: V, n: V) -> V {
        // In two steps, since 2ⁿ itself may be no f32. BIG + n holds the integer n in its lowest bits.
        let half = self.round(n.map(|n| n * 0.5));
        let pow2 = |n: f32| f32::from_bits((n + BIG).to_bits().wrapping_add(127) << 23);
        from_fn(|i| a[i] * pow2(half[i]) * pow2(n[i] - half[i]))
    }
    #[inline(always)]
    fn if_less(self, a: V, b: V, then: V, other: V) -> V {
        from_fn(|i| if a[i] < b[i] { then[i] } else { other[i] })
    }
    #[inline(always)]
    fn copysign(self, magnitude: V, sign: V) -> V {
        from_fn(|i| magnitude[i].copysign(sign[i]))
    }
    #[inline(always)]
    fn unzip(self, a: V, b: V) -> (V, V) {
        ([a[0], a[2], b[0], b[2]], [a[1], a[3], b[1], b[3]])
    }
    #[inline(always)]
    fn sum(self, a: V) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }
    integers::plain!();
    #[inline(always)]
    fn to_float(self, a: integers::I) -> V {
        a.map(|a| a as f32)
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> V {
        // SAFETY: the caller's contract.
        unsafe { from.cast::<V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const bf16) -> V {
        // SAFETY: the caller's contract.
        let bits = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        from_fn(|i| f32::from_bits(u32::from(bits[i]) << 16))
    }
    #[inline(always)]
    fn widen_pairs(self, pairs: V) -> (V, V) {
        let bits = pairs.map(|pair| pair.to_bits().to_le());
        (bits.map(|pair| f32::from_bits(pair << 16)), bits.map(|pair| f32::from_bits(pair & 0xffff_0000)))
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const f16) -> V {
        // SAFETY: the caller's contract.
        let bits = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        from_fn(|i| integers::widen(bits[i]))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: V) {
        // SAFETY: the caller's contract.
        unsafe { to.cast::<V>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn store_transposed(self, rows: &[V; MOST_LANES], to: *mut f32, stride: usize) {
        let [a, b, c, d, ..] = *rows;
        // SAFETY: the caller's contract.
        unsafe {
            self.store(to, [a[0], b[0], c[0], d[0]]);
            self.store(to.add(stride), [a[1], b[1], c[1], d[1]]);
            self.store(to.add(2 * stride), [a[2], b[2], c[2], d[2]]);
            self.store(to.add(3 * stride), [a[3], b[3], c[3], d[3]]);
        }
    }

    #[inline(always)]
    unsafe fn tile_of_pairs<const N: usize>(
        self,
        (rows, depth): (usize, usize),
        left: Left,
        right: Right,
        out: Out,
    ) {
        // SAFETY: the caller's contract.
        unsafe { register::tile::<Self, Pairs, N>(self, (rows, depth), left, right, out) }
    }
}
