//! NEON: four lanes. f16 goes through the portable widening.

use std::arch::aarch64::*;

use half::{bf16, f16};

use super::integers;
use super::lanes::{Kernel, MOST_LANES, Simd};
use super::operands::{Left, Out, Right};
use super::portable::Portable;
use crate::register::{self, Pairs};

/// aarch64 always has NEON: this is what makes each call below sound.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

/// Runs `kernel` with the feature switched on.
///
/// # Safety
/// None to keep on aarch64; the form is the other instruction sets'.
#[target_feature(enable = "neon")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Neon(()))
}

/// An intrinsic on registers.
macro_rules! call {
    ($intrinsic:ident $(::<$constant:tt>)? ($($argument:expr),*)) => {
        // SAFETY: aarch64 has NEON.
        unsafe { $intrinsic $(::<$constant>)? ($($argument),*) }
    };
}

impl Simd for Neon {
    type V = float32x4_t;
    type I = integers::I;
    const LANES: usize = 4;
    const TILE_ROWS: usize = 10;

    #[inline(always)]
    fn splat(self, value: f32) -> float32x4_t {
        call!(vdupq_n_f32(value))
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        call!(vaddq_f32(a, b))
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        call!(vsubq_f32(a, b))
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        call!(vmulq_f32(a, b))
    }
    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        call!(vdivq_f32(a, b))
    }
    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        self.if_less(b, a, a, b)
    }
    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        self.if_less(a, b, a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        call!(vfmaq_f32(c, a, b))
    }
    #[inline(always)]
    fn round(self, a: float32x4_t) -> float32x4_t {
        call!(vrndnq_f32(a))
    }
    #[inline(always)]
    fn scale(self, a: float32x4_t, n: float32x4_t) -> float32x4_t {
        // In two steps, since 2ⁿ itself may be no f32.
        let half = self.round(self.mul(n, self.splat(0.5)));
        self.mul(self.mul(a, self.pow2(half)), self.pow2(self.sub(n, half)))
    }
    #[inline(always)]
    fn if_less(self, a: float32x4_t, b: float32x4_t, then: float32x4_t, other: float32x4_t) -> float32x4_t {
        call!(vbslq_f32(vcltq_f32(a, b), then, other))
    }
    #[inline(always)]
    fn copysign(self, magnitude: float32x4_t, sign: float32x4_t) -> float32x4_t {
        call!(vbslq_f32(vdupq_n_u32(1 << 31), sign, magnitude))
    }
    #[inline(always)]
    fn unzip(self, a: float32x4_t, b: float32x4_t) -> (float32x4_t, float32x4_t) {
        (call!(vuzp1q_f32(a, b)), call!(vuzp2q_f32(a, b)))
    }
    #[inline(always)]
    fn sum(self, a: float32x4_t) -> f32 {
        call!(vaddvq_f32(a))
    }
    integers::plain!();
    #[inline(always)]
    fn to_float(self, a: integers::I) -> float32x4_t {
        // SAFETY: an array of as many lanes.
        unsafe { self.load(a.map(|a| a as f32).as_ptr()) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        call!(vld1q_f32(from))
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const bf16) -> float32x4_t {
        // SAFETY: the caller's contract; aarch64 has NEON.
        unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(from.cast()))) }
    }
    #[inline(always)]
    fn widen_pairs(self, pairs: float32x4_t) -> (float32x4_t, float32x4_t) {
        // SAFETY: aarch64 has NEON.
        unsafe {
            let pairs = vreinterpretq_u32_f32(pairs);
            let odd = vandq_u32(pairs, vdupq_n_u32(0xffff_0000));
            (vreinterpretq_f32_u32(vshlq_n_u32::<16>(pairs)), vreinterpretq_f32_u32(odd))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const f16) -> float32x4_t {
        // SAFETY: the caller's contract.
        unsafe { self.load(Portable.load_f16(from).as_ptr()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: float32x4_t) {
        call!(vst1q_f32(to, value));
    }
    #[inline(always)]
    unsafe fn store_transposed(self, rows: &[float32x4_t; MOST_LANES], to: *mut f32, stride: usize) {
        // SAFETY: the caller's contract; aarch64 has NEON.
        unsafe {
            let (ac, ac_high) = (vzip1q_f32(rows[0], rows[2]), vzip2q_f32(rows[0], rows[2]));
            let (bd, bd_high) = (vzip1q_f32(rows[1], rows[3]), vzip2q_f32(rows[1], rows[3]));
            vst1q_f32(to, vzip1q_f32(ac, bd));
            vst1q_f32(to.add(stride), vzip2q_f32(ac, bd));
            vst1q_f32(to.add(2 * stride), vzip1q_f32(ac_high, bd_high));
            vst1q_f32(to.add(3 * stride), vzip2q_f32(ac_high, bd_high));
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

impl Neon {
    /// 2ⁿ for integers −126 ≤ n ≤ 127.
    #[inline(always)]
    fn pow2(self, n: float32x4_t) -> float32x4_t {
        // SAFETY: aarch64 has NEON.
        unsafe { vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)))) }
    }
}
