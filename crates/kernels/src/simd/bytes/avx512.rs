//! Products of bytes with AVX512-VNNI: one instruction multiplies 64 bytes by 64 and adds four neighbours each.

use std::arch::x86_64::*;
use std::mem::transmute;

use super::{ByteKernel, Bytes};
use crate::simd::{avx2, avx512};

/// Made only in [`run`], so only where the machine has the features: this is what makes each call below sound.
#[derive(Clone, Copy)]
pub(crate) struct Vnni(());

pub(crate) fn detected() -> bool {
    avx512::detected() && is_x86_feature_detected!("avx512vnni")
}

/// Runs `kernel` with the features switched on.
///
/// # Safety
/// The machine must have them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) unsafe fn run<K: ByteKernel>(kernel: K) {
    kernel.run(Vnni(()));
}

/// Intrinsics on registers, or on memory that the caller vouches for.
macro_rules! call {
    ($call:expr) => {
        // SAFETY: `self` exists only where the machine has the features; addresses are the caller's contract.
        unsafe { $call }
    };
}

impl Bytes for Vnni {
    type B = __m512i;
    type S = __m512i;
    type F = __m512;
    type E = __m256;
    const SIGNED_ZERO: i32 = 128;
    const TOKENS: usize = 12;
    const VECTORS: usize = 2;
    const TILES: bool = true;

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> __m512i {
        call!(_mm512_loadu_si512(from.cast()))
    }
    #[inline(always)]
    unsafe fn join(self, low: *const u8, high: *const u8) -> __m512i {
        call!({
            let low = _mm512_castsi256_si512(_mm256_loadu_si256(low.cast()));
            _mm512_inserti64x4::<1>(low, _mm256_loadu_si256(high.cast()))
        })
    }
    #[inline(always)]
    unsafe fn nibbles_of_two(self, low: *const u8, high: *const u8) -> __m512i {
        call!({
            let low = _mm512_broadcast_i64x2(_mm_loadu_si128(low.cast()));
            let both = _mm512_mask_broadcast_i64x2(low, 0xf0, _mm_loadu_si128(high.cast()));
            let down = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
            _mm512_and_si512(_mm512_srlv_epi64(both, down), _mm512_set1_epi8(15))
        })
    }
    #[inline(always)]
    unsafe fn nibbles(self, from: *const u8) -> __m512i {
        call!({
            let both = _mm512_broadcast_i64x4(_mm256_loadu_si256(from.cast()));
            let down = _mm512_setr_epi64(0, 0, 0, 0, 4, 4, 4, 4);
            _mm512_and_si512(_mm512_srlv_epi64(both, down), _mm512_set1_epi8(15))
        })
    }
    #[inline(always)]
    fn low(self, bytes: __m512i) -> __m512i {
        call!(_mm512_and_si512(bytes, _mm512_set1_epi8(15)))
    }
    #[inline(always)]
    fn high(self, bytes: __m512i) -> __m512i {
        call!(_mm512_and_si512(_mm512_srli_epi64::<4>(bytes), _mm512_set1_epi8(15)))
    }
    #[inline(always)]
    fn with_fifths(self, q: __m512i, bits: u64) -> __m512i {
        call!(_mm512_mask_add_epi8(q, bits, q, _mm512_set1_epi8(16)))
    }
    #[inline(always)]
    unsafe fn with_planes<const BIT: u32>(self, q: __m512i, from: *const u8) -> __m512i {
        call!({
            let bits = _mm512_broadcast_i64x4(_mm256_loadu_si256(from.cast()));
            let [low, high] = [1_u8 << BIT, 2_u8 << BIT].map(|bit| _mm256_set1_epi8(bit as i8));
            let own = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
            self.with_fifths(q, _mm512_test_epi8_mask(bits, own))
        })
    }
    #[inline(always)]
    unsafe fn with_pairs<const BIT: u32>(self, q: __m512i, from: *const u8) -> __m512i {
        call!({
            let bits = _mm512_broadcast_i64x4(_mm256_loadu_si256(from.cast()));
            let (low, high) = (i64::from(BIT), i64::from(BIT) + 2);
            let down = _mm512_setr_epi64(low, low, low, low, high, high, high, high);
            let pairs = _mm512_slli_epi64::<4>(_mm512_srlv_epi64(bits, down));
            // 0xf8: the first, or both others.
            _mm512_ternarylogic_epi64::<0xf8>(q, pairs, _mm512_set1_epi8(0x30))
        })
    }
    #[inline(always)]
    fn minus(self, q: __m512i, zero: u8) -> __m512i {
        call!(_mm512_sub_epi8(q, _mm512_set1_epi8(zero as i8)))
    }
    #[inline(always)]
    unsafe fn store_transposed(self, rows: &[__m512i; 16], to: *mut u8, stride: usize) {
        // SAFETY: both types are 512 bits; else the caller's contract.
        let rows = unsafe { transmute::<&[__m512i; 16], &[__m512; 16]>(rows) };
        call!(avx512::store_transposed(rows, to.cast(), stride / 4));
    }
    #[inline(always)]
    unsafe fn splat_four(self, from: *const i8) -> __m512i {
        call!(_mm512_set1_epi32(from.cast::<i32>().read_unaligned()))
    }
    #[inline(always)]
    fn splat_byte(self, value: u8) -> __m512i {
        call!(_mm512_set1_epi8(value as i8))
    }
    #[inline(always)]
    fn splat_int(self, value: i32) -> __m512i {
        call!(_mm512_set1_epi32(value))
    }
    #[inline(always)]
    unsafe fn load_ints(self, from: *const i32) -> __m512i {
        call!(_mm512_loadu_si512(from.cast()))
    }
    #[inline(always)]
    fn dot(self, sums: __m512i, q: __m512i, x: __m512i) -> __m512i {
        call!(_mm512_dpbusd_epi32(sums, q, x))
    }
    #[inline(always)]
    fn dot_signed(self, sums: __m512i, w: __m512i, x: __m512i) -> __m512i {
        // w + 128, which has no sign.
        call!(_mm512_dpbusd_epi32(sums, _mm512_xor_si512(w, _mm512_set1_epi8(-128)), x))
    }
    #[inline(always)]
    fn shift_left(self, a: __m512i, bits: u32) -> __m512i {
        call!(_mm512_sll_epi32(a, _mm_cvtsi32_si128(bits as i32)))
    }
    #[inline(always)]
    fn sub_int(self, a: __m512i, b: __m512i) -> __m512i {
        call!(_mm512_sub_epi32(a, b))
    }
    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        call!(_mm512_set1_ps(value))
    }
    #[inline(always)]
    unsafe fn load_floats(self, from: *const f32) -> __m512 {
        call!(_mm512_loadu_ps(from))
    }
    #[inline(always)]
    unsafe fn store_floats(self, to: *mut f32, value: __m512) {
        call!(_mm512_storeu_ps(to, value));
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        call!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn to_float(self, sums: __m512i) -> __m512 {
        call!(_mm512_cvtepi32_ps(sums))
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
    fn spread_two<const N: usize>(self, eight: __m256, _: &[f32; 8]) -> __m512 {
        let (a, b) = (2 * N as i32, 2 * N as i32 + 1);
        call!({
            let from = _mm512_setr_epi32(a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b);
            _mm512_permutexvar_ps(from, _mm512_castps256_ps512(eight))
        })
    }
    #[inline(always)]
    fn spread_four<const N: usize>(self, eight: __m256) -> __m512 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| 4 * N as i32 + i);
        call!({
            let from = _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d);
            _mm512_permutexvar_ps(from, _mm512_castps256_ps512(eight))
        })
    }
    #[inline(always)]
    fn total(self, sums: __m512, rest: __m256) -> f32 {
        call!({
            let (low, high) = (_mm512_castps512_ps256(sums), _mm512_extractf32x8_ps::<1>(sums));
            super::avx2::total(_mm256_add_ps(_mm256_add_ps(low, high), rest))
        })
    }
    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        call!(_mm_prefetch::<{ _MM_HINT_T0 }>(at.cast()));
    }
}
