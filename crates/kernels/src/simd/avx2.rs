//! AVX2, FMA and F16C: eight lanes.

use std::arch::x86_64::*;
use std::mem::transmute;

use half::{bf16, f16};

use super::lanes::{Kernel, MOST_LANES, Simd};
use super::operands::{Left, Out, Right};
use crate::register::{self, Pairs};

/// Made only in [`run`], so only where the machine has the features: this is what makes each call below sound.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

pub(super) fn detected() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

/// Runs `kernel` with the features switched on.
///
/// # Safety
/// The machine must have them.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// An intrinsic on registers.
macro_rules! call {
    ($intrinsic:ident $(::<$constant:tt>)? ($($argument:expr),*)) => {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe { $intrinsic $(::<$constant>)? ($($argument),*) }
    };
}

impl Simd for Avx2 {
    type V = __m256;
    type I = __m256i;
    const LANES: usize = 8;
    const TILE_ROWS: usize = 6;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        call!(_mm256_set1_ps(value))
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        call!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        call!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        call!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        call!(_mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        call!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        call!(_mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        call!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn round(self, a: __m256) -> __m256 {
        call!(_mm256_round_ps::<8>(a))
    }
    #[inline(always)]
    fn scale(self, a: __m256, n: __m256) -> __m256 {
        // In two steps, since 2ⁿ itself may be no f32.
        let half = self.round(self.mul(n, self.splat(0.5)));
        self.mul(self.mul(a, self.pow2(half)), self.pow2(self.sub(n, half)))
    }
    #[inline(always)]
    fn if_less(self, a: __m256, b: __m256, then: __m256, other: __m256) -> __m256 {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe { _mm256_blendv_ps(other, then, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) }
    }
    #[inline(always)]
    fn copysign(self, magnitude: __m256, sign: __m256) -> __m256 {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            let mask = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_andnot_ps(mask, magnitude), _mm256_and_ps(mask, sign))
        }
    }
    #[inline(always)]
    fn unzip(self, a: __m256, b: __m256) -> (__m256, __m256) {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            // Within halves first; then the middle quarters change places.
            let (even, odd) = (_mm256_shuffle_ps::<0x88>(a, b), _mm256_shuffle_ps::<0xdd>(a, b));
            let even = _mm256_permute4x64_pd::<0xd8>(_mm256_castps_pd(even));
            let odd = _mm256_permute4x64_pd::<0xd8>(_mm256_castps_pd(odd));
            (_mm256_castpd_ps(even), _mm256_castpd_ps(odd))
        }
    }
    #[inline(always)]
    fn sum(self, a: __m256) -> f32 {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        call!(_mm_prefetch::<{ _MM_HINT_T1 }>(at.cast()));
    }
    #[inline(always)]
    fn prefetch_first(self, at: *const u8) {
        call!(_mm_prefetch::<{ _MM_HINT_T0 }>(at.cast()));
    }
    #[inline(always)]
    unsafe fn load_u8(self, from: *const u8) -> __m256i {
        call!(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())))
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const u8) -> __m256i {
        call!(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())))
    }
    #[inline(always)]
    fn splat_int(self, value: i32) -> __m256i {
        call!(_mm256_set1_epi32(value))
    }
    #[inline(always)]
    fn and(self, a: __m256i, b: __m256i) -> __m256i {
        call!(_mm256_and_si256(a, b))
    }
    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        call!(_mm256_or_si256(a, b))
    }
    #[inline(always)]
    fn shift_left<const BITS: u32>(self, a: __m256i) -> __m256i {
        call!(_mm256_sll_epi32(a, _mm_cvtsi32_si128(BITS as i32)))
    }
    #[inline(always)]
    fn shift_right(self, a: __m256i, bits: u32) -> __m256i {
        call!(_mm256_srl_epi32(a, _mm_cvtsi32_si128(bits as i32)))
    }
    #[inline(always)]
    fn times_bytes(self, factor: f32, bytes: u64) -> [f32; 8] {
        times_bytes(factor, bytes)
    }
    #[inline(always)]
    fn fifths(self, bits: u32) -> [u8; 32] {
        // SAFETY: `self` exists only where the machine has the feature; an array of 256 bits.
        unsafe {
            let own = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
            let byte =
                _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
            let bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits as i32), byte);
            let set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, own), own);
            transmute::<__m256i, [u8; 32]>(_mm256_and_si256(set, _mm256_set1_epi8(16)))
        }
    }
    #[inline(always)]
    fn halves(self, bits: [u64; 2]) -> [f32; 8] {
        halves(bits)
    }
    #[inline(always)]
    fn to_float(self, a: __m256i) -> __m256 {
        call!(_mm256_cvtepi32_ps(a))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        call!(_mm256_loadu_ps(from))
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const bf16) -> __m256 {
        // SAFETY: the caller's contract; `self` exists only where the machine has the feature.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
        }
    }
    #[inline(always)]
    fn widen_pairs(self, pairs: __m256) -> (__m256, __m256) {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            let pairs = _mm256_castps_si256(pairs);
            let odd = _mm256_and_si256(pairs, _mm256_set1_epi32(-0x1_0000));
            (_mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)), _mm256_castsi256_ps(odd))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const f16) -> __m256 {
        // SAFETY: the caller's contract; `self` exists only where the machine has the feature.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m256) {
        call!(_mm256_storeu_ps(to, value));
    }
    #[inline(always)]
    unsafe fn store_transposed(self, rows: &[__m256; MOST_LANES], to: *mut f32, stride: usize) {
        // SAFETY: the caller's contract; `self` exists only where the machine has the feature.
        unsafe { store_transposed(rows, to, stride) };
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

/// See [`Simd::times_bytes`]. Only called where the machine has AVX2. In 256 bits even where there are more: what is written
/// in longer vectors can't be read in pieces at once.
#[inline(always)]
pub(super) fn times_bytes(factor: f32, bytes: u64) -> [f32; 8] {
    // SAFETY: the caller's promise; an array of 256 bits.
    unsafe {
        let numbers = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bytes as i64)));
        transmute::<__m256, [f32; 8]>(_mm256_mul_ps(_mm256_set1_ps(factor), numbers))
    }
}

/// The eight f16 of these bits, as f32. Only called where the machine has F16C.
#[inline(always)]
pub(super) fn halves(bits: [u64; 2]) -> [f32; 8] {
    // SAFETY: the caller's promise; arrays of 128 and of 256 bits.
    unsafe { transmute::<__m256, [f32; 8]>(_mm256_cvtph_ps(transmute::<[u64; 2], __m128i>(bits))) }
}

impl Avx2 {
    /// 2ⁿ for integers −126 ≤ n ≤ 127.
    #[inline(always)]
    fn pow2(self, n: __m256) -> __m256 {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
    }
}

/// See [`Simd::store_transposed`].
///
/// # Safety
/// As there; the machine has the instruction set.
#[inline(always)]
pub(super) unsafe fn store_transposed(rows: &[__m256; MOST_LANES], to: *mut f32, stride: usize) {
    // SAFETY: the caller's contract.
    unsafe {
        // Each half register holds a 4 × 4 square: transpose these, then pair the halves.
        let mut quads = [_mm256_setzero_ps(); 8];
        for base in [0, 4] {
            let [a, b, c, d] = [rows[base], rows[base + 1], rows[base + 2], rows[base + 3]];
            let (ab, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            quads[base] = _mm256_shuffle_ps::<0x44>(ab, cd);
            quads[base + 1] = _mm256_shuffle_ps::<0xee>(ab, cd);
            quads[base + 2] = _mm256_shuffle_ps::<0x44>(ab_high, cd_high);
            quads[base + 3] = _mm256_shuffle_ps::<0xee>(ab_high, cd_high);
        }
        for lane in 0..4 {
            let (low, high) = (quads[lane], quads[lane + 4]);
            _mm256_storeu_ps(to.add(lane * stride), _mm256_permute2f128_ps::<0x20>(low, high));
            _mm256_storeu_ps(to.add((lane + 4) * stride), _mm256_permute2f128_ps::<0x31>(low, high));
        }
    }
}
