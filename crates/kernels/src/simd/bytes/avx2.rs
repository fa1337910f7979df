//! Products of bytes with AVX2, in two instructions that widen on the way, or with AVX-VNNI in one.

use std::arch::x86_64::*;
use std::mem::transmute;

use super::{ByteKernel, Bytes};
use crate::simd::{avx2, unseen};

/// Made only in [`run`], and with `VNNI` in [`run_vnni`], so only where the machine has the features: this is what makes
/// each call below sound.
#[derive(Clone, Copy)]
pub(crate) struct Avx2<const VNNI: bool>(());

pub(crate) fn vnni_detected() -> bool {
    avx2::detected() && is_x86_feature_detected!("avxvnni")
}

/// Runs `kernel` with the features switched on.
///
/// # Safety
/// The machine must have them.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn run<K: ByteKernel>(kernel: K) {
    kernel.run(Avx2::<false>(()));
}

/// As [`run`], with products of four neighbours.
///
/// # Safety
/// The machine must have them.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(crate) unsafe fn run_vnni<K: ByteKernel>(kernel: K) {
    kernel.run(Avx2::<true>(()));
}

/// Intrinsics on registers, or on memory that the caller vouches for.
macro_rules! call {
    ($call:expr) => {
        // SAFETY: `self` exists only where the machine has the features; addresses are the caller's contract.
        unsafe { $call }
    };
}

impl<const VNNI: bool> Bytes for Avx2<VNNI> {
    type B = [__m256i; 2];
    type S = [__m256i; 2];
    type F = [__m256; 2];
    type E = __m256;
    const SIGNED_ZERO: i32 = if VNNI { 128 } else { 0 };
    const TOKENS: usize = if VNNI { 6 } else { 4 };
    const VECTORS: usize = 1;
    const NARROW: bool = !VNNI;

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> [__m256i; 2] {
        call!([_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())])
    }
    #[inline(always)]
    unsafe fn join(self, low: *const u8, high: *const u8) -> [__m256i; 2] {
        call!([_mm256_loadu_si256(low.cast()), _mm256_loadu_si256(high.cast())])
    }
    #[inline(always)]
    unsafe fn nibbles_of_two(self, low: *const u8, high: *const u8) -> [__m256i; 2] {
        call!([both_halves(low), both_halves(high)])
    }
    #[inline(always)]
    unsafe fn nibbles(self, from: *const u8) -> [__m256i; 2] {
        call!({
            let (both, mask) = (_mm256_loadu_si256(from.cast()), _mm256_set1_epi8(15));
            [_mm256_and_si256(both, mask), _mm256_and_si256(_mm256_srli_epi16::<4>(both), mask)]
        })
    }
    #[inline(always)]
    fn low(self, bytes: [__m256i; 2]) -> [__m256i; 2] {
        let mask = call!(_mm256_set1_epi8(15));
        call!([_mm256_and_si256(bytes[0], mask), _mm256_and_si256(bytes[1], mask)])
    }
    #[inline(always)]
    fn high(self, [low, high]: [__m256i; 2]) -> [__m256i; 2] {
        self.low(call!([_mm256_srli_epi16::<4>(low), _mm256_srli_epi16::<4>(high)]))
    }
    #[inline(always)]
    fn with_fifths(self, q: [__m256i; 2], bits: u64) -> [__m256i; 2] {
        let [low, high] = call!([fifths(bits as u32), fifths((bits >> 32) as u32)]);
        call!([_mm256_or_si256(q[0], low), _mm256_or_si256(q[1], high)])
    }
    #[inline(always)]
    unsafe fn with_planes<const BIT: u32>(self, q: [__m256i; 2], from: *const u8) -> [__m256i; 2] {
        call!({
            let bits = _mm256_loadu_si256(from.cast());
            let own = [moved(bits, BIT, 16), moved(bits, BIT + 1, 16)];
            [_mm256_or_si256(q[0], own[0]), _mm256_or_si256(q[1], own[1])]
        })
    }
    #[inline(always)]
    unsafe fn with_pairs<const BIT: u32>(self, q: [__m256i; 2], from: *const u8) -> [__m256i; 2] {
        call!({
            let bits = _mm256_loadu_si256(from.cast());
            let own = [moved(bits, BIT, 0x30), moved(bits, BIT + 2, 0x30)];
            [_mm256_or_si256(q[0], own[0]), _mm256_or_si256(q[1], own[1])]
        })
    }
    #[inline(always)]
    fn minus(self, q: [__m256i; 2], zero: u8) -> [__m256i; 2] {
        let zero = self.splat_byte(zero);
        call!([_mm256_sub_epi8(q[0], zero[0]), _mm256_sub_epi8(q[1], zero[1])])
    }
    #[inline(always)]
    unsafe fn store_transposed(self, rows: &[[__m256i; 2]; 16], to: *mut u8, stride: usize) {
        for (first, half) in [(0, 0), (0, 1), (8, 0), (8, 1)] {
            let mut square = [call!(_mm256_setzero_ps()); 16];
            for (place, row) in square.iter_mut().zip(&rows[first..first + 8]) {
                *place = call!(_mm256_castsi256_ps(row[half]));
            }
            call!(avx2::store_transposed(&square, to.add(8 * half * stride + 4 * first).cast(), stride / 4));
        }
    }
    #[inline(always)]
    unsafe fn splat_four(self, from: *const i8) -> [__m256i; 2] {
        call!([_mm256_set1_epi32(from.cast::<i32>().read_unaligned()); 2])
    }
    #[inline(always)]
    fn splat_byte(self, value: u8) -> [__m256i; 2] {
        call!([_mm256_set1_epi8(value as i8); 2])
    }
    #[inline(always)]
    fn splat_int(self, value: i32) -> [__m256i; 2] {
        call!([_mm256_set1_epi32(value); 2])
    }
    #[inline(always)]
    unsafe fn load_ints(self, from: *const i32) -> [__m256i; 2] {
        call!([_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())])
    }
    #[inline(always)]
    fn dot(self, sums: [__m256i; 2], q: [__m256i; 2], x: [__m256i; 2]) -> [__m256i; 2] {
        [self.dot_half(sums[0], q[0], x[0]), self.dot_half(sums[1], q[1], x[1])]
    }
    #[inline(always)]
    fn dot_256(self, q: [__m256i; 2], x: [__m256i; 2]) -> [__m256i; 2] {
        if VNNI {
            return self.shift_left(self.dot(self.splat_int(0), q, x), 8);
        }
        call!({
            let factor = _mm256_set1_epi16(256);
            [
                _mm256_madd_epi16(_mm256_maddubs_epi16(q[0], x[0]), factor),
                _mm256_madd_epi16(_mm256_maddubs_epi16(q[1], x[1]), factor),
            ]
        })
    }
    #[inline(always)]
    fn dot_narrow(self, narrow: [__m256i; 2], q: [__m256i; 2], x: [__m256i; 2]) -> [__m256i; 2] {
        if VNNI {
            return self.dot(narrow, q, x);
        }
        call!([
            _mm256_add_epi16(narrow[0], _mm256_maddubs_epi16(q[0], x[0])),
            _mm256_add_epi16(narrow[1], _mm256_maddubs_epi16(q[1], x[1])),
        ])
    }
    #[inline(always)]
    fn widen(self, sums: [__m256i; 2], narrow: [__m256i; 2]) -> [__m256i; 2] {
        call!(if VNNI {
            [_mm256_add_epi32(sums[0], narrow[0]), _mm256_add_epi32(sums[1], narrow[1])]
        } else {
            let ones = _mm256_set1_epi16(1);
            [
                _mm256_add_epi32(sums[0], _mm256_madd_epi16(narrow[0], ones)),
                _mm256_add_epi32(sums[1], _mm256_madd_epi16(narrow[1], ones)),
            ]
        })
    }
    #[inline(always)]
    fn dot_signed(self, sums: [__m256i; 2], w: [__m256i; 2], x: [__m256i; 2]) -> [__m256i; 2] {
        [self.signed_half(sums[0], w[0], x[0]), self.signed_half(sums[1], w[1], x[1])]
    }
    #[inline(always)]
    fn shift_left(self, a: [__m256i; 2], bits: u32) -> [__m256i; 2] {
        let bits = call!(_mm_cvtsi32_si128(bits as i32));
        call!([_mm256_sll_epi32(a[0], bits), _mm256_sll_epi32(a[1], bits)])
    }
    #[inline(always)]
    fn sub_int(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        call!([_mm256_sub_epi32(a[0], b[0]), _mm256_sub_epi32(a[1], b[1])])
    }
    #[inline(always)]
    fn splat(self, value: f32) -> [__m256; 2] {
        call!([_mm256_set1_ps(value); 2])
    }
    #[inline(always)]
    unsafe fn load_floats(self, from: *const f32) -> [__m256; 2] {
        call!([_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))])
    }
    #[inline(always)]
    unsafe fn store_floats(self, to: *mut f32, value: [__m256; 2]) {
        call!({
            _mm256_storeu_ps(to, value[0]);
            _mm256_storeu_ps(to.add(8), value[1]);
        });
    }
    #[inline(always)]
    fn mul(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        call!([_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn mul_add(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        call!([_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])])
    }
    #[inline(always)]
    fn to_float(self, sums: [__m256i; 2]) -> [__m256; 2] {
        call!([_mm256_cvtepi32_ps(sums[0]), _mm256_cvtepi32_ps(sums[1])])
    }
    #[inline(always)]
    fn halves(self, bits: [u64; 2]) -> __m256 {
        call!(transmute::<[f32; 8], __m256>(avx2::halves(bits)))
    }
    #[inline(always)]
    fn times_bytes(self, factor: f32, bytes: u64) -> __m256 {
        call!(transmute::<[f32; 8], __m256>(avx2::times_bytes(factor, bytes)))
    }
    #[inline(always)]
    unsafe fn load_eight(self, from: *const f32) -> __m256 {
        call!(_mm256_loadu_ps(from))
    }
    #[inline(always)]
    unsafe fn store_eight(self, to: *mut f32, value: __m256) {
        call!(_mm256_storeu_ps(to, value));
    }
    #[inline(always)]
    fn mul_eight(self, a: __m256, b: __m256) -> __m256 {
        call!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn mul_add_eight(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        call!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn spread_two<const N: usize>(self, _: __m256, same: &[f32; 8]) -> [__m256; 2] {
        // From memory, surely: a shuffle across lanes takes two instructions on some machines.
        let at = unseen(same);
        call!([_mm256_broadcast_ss(&(*at)[2 * N]), _mm256_broadcast_ss(&(*at)[2 * N + 1])])
    }
    #[inline(always)]
    fn spread_four<const N: usize>(self, eight: __m256) -> [__m256; 2] {
        let [a, b, c, d] = [4 * N as i32, 4 * N as i32 + 1, 4 * N as i32 + 2, 4 * N as i32 + 3];
        call!([
            _mm256_permutevar8x32_ps(eight, _mm256_setr_epi32(a, a, a, a, b, b, b, b)),
            _mm256_permutevar8x32_ps(eight, _mm256_setr_epi32(c, c, c, c, d, d, d, d)),
        ])
    }
    #[inline(always)]
    fn total(self, sums: [__m256; 2], rest: __m256) -> f32 {
        call!(total(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), rest)))
    }
    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        call!(_mm_prefetch::<{ _MM_HINT_T0 }>(at.cast()));
    }
}

impl<const VNNI: bool> Avx2<VNNI> {
    /// sums + Σ of four neighbours' w·x for signed w, or with `VNNI` of w + 128.
    #[inline(always)]
    fn signed_half(self, sums: __m256i, w: __m256i, x: __m256i) -> __m256i {
        if VNNI {
            return self.dot_half(sums, call!(_mm256_xor_si256(w, _mm256_set1_epi8(-128))), x);
        }
        // |w| times x with the sign of w; two products of 128 and 127 are within 16 bits.
        let (size, x) = call!((_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)));
        self.dot_half(sums, size, x)
    }

    /// sums + Σ of four neighbours' q·x; without `VNNI`, two products must be within 16 bits.
    #[inline(always)]
    fn dot_half(self, sums: __m256i, q: __m256i, x: __m256i) -> __m256i {
        call!(if VNNI {
            _mm256_dpbusd_avx_epi32(sums, q, x)
        } else {
            let pairs = _mm256_maddubs_epi16(q, x);
            _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        })
    }
}

/// The low halves of 16 bytes, then their high halves.
///
/// # Safety
/// The machine has AVX2, and they can be read.
#[inline(always)]
unsafe fn both_halves(from: *const u8) -> __m256i {
    // SAFETY: the caller's contract.
    unsafe {
        let twice = _mm256_broadcastsi128_si256(_mm_loadu_si128(from.cast()));
        let both = _mm256_srlv_epi64(twice, _mm256_setr_epi64x(0, 0, 4, 4));
        _mm256_and_si256(both, _mm256_set1_epi8(15))
    }
}

/// Bit `bit` of each byte to its bit 4, and those above it beside it; of which the mask's are kept.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn moved(bytes: __m256i, bit: u32, mask: i8) -> __m256i {
    // SAFETY: the caller's contract.
    unsafe {
        let down = _mm256_srl_epi16(bytes, _mm_cvtsi32_si128(bit as i32));
        _mm256_and_si256(_mm256_slli_epi16::<4>(down), _mm256_set1_epi8(mask))
    }
}

/// 16 where the bit is set, else 0, the lowest bit first.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn fifths(bits: u32) -> __m256i {
    // SAFETY: the caller's contract.
    unsafe {
        let own = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
        let bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits as i32), own);
        let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
        let set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
        _mm256_and_si256(set, _mm256_set1_epi8(16))
    }
}

/// Σ of eight lanes, halves to halves.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
pub(super) unsafe fn total(lanes: __m256) -> f32 {
    // SAFETY: the caller's contract.
    unsafe {
        let four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }
}
