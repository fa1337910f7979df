//! AVX-512: sixteen lanes.

use std::arch::x86_64::*;
use std::mem::transmute;

use half::{bf16, f16};

use super::amx;
use super::lanes::{self, Kernel, MOST_LANES, Ready, Simd};
use super::operands::{Left, Out, Right};
use crate::register::{self, Pairs};

/// Made only in [`run`], with `PAIRS` of bf16 in [`run_pairs`], and with `TILES` of them in [`run_tiles`], so only where
/// the machine has the features: this is what makes each call below sound.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const PAIRS: bool, const TILES: bool>(());

pub(super) fn detected() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && super::avx2::detected()
}

/// Runs `kernel` with the features switched on.
///
/// # Safety
/// The machine must have them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512::<false, false>(()))
}

pub(super) fn pairs_detected() -> bool {
    detected() && is_x86_feature_detected!("avx512bf16")
}

/// As [`run`], with products of bf16 pairs.
///
/// # Safety
/// The machine must have them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
pub(super) unsafe fn run_pairs<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512::<true, false>(()))
}

/// As [`run_pairs`], with products of tiles of them.
///
/// # Safety
/// The machine must have them, and the system allow them: [`amx::detected`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
pub(super) unsafe fn run_tiles<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512::<true, true>(()))
}

/// An intrinsic on registers.
macro_rules! call {
    ($intrinsic:ident $(::<$constant:tt>)? ($($argument:expr),*)) => {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe { $intrinsic $(::<$constant>)? ($($argument),*) }
    };
}

impl<const PAIRS: bool, const TILES: bool> Simd for Avx512<PAIRS, TILES> {
    type V = __m512;
    type I = __m512i;
    const LANES: usize = 16;
    const TILE_ROWS: usize = 12;
    const TABLES: bool = true;
    const PAIRS: bool = PAIRS;
    const PAIR_ROWS: usize = if TILES { amx::ROWS } else { Self::TILE_ROWS };

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        call!(_mm512_set1_ps(value))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        call!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        call!(_mm512_roundscale_ps::<8>(a))
    }
    #[inline(always)]
    fn scale(self, a: __m512, n: __m512) -> __m512 {
        call!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn if_less(self, a: __m512, b: __m512, then: __m512, other: __m512) -> __m512 {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), other, then) }
    }
    #[inline(always)]
    fn copysign(self, magnitude: __m512, sign: __m512) -> __m512 {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            let mask = _mm512_set1_ps(-0.0);
            _mm512_or_ps(_mm512_andnot_ps(mask, magnitude), _mm512_and_ps(mask, sign))
        }
    }
    #[inline(always)]
    fn unzip(self, a: __m512, b: __m512) -> (__m512, __m512) {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_or_si512(even, _mm512_set1_epi32(1));
            (_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b))
        }
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        call!(_mm512_reduce_add_ps(a))
    }
    #[inline(always)]
    fn widen_pairs(self, pairs: __m512) -> (__m512, __m512) {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            let pairs = _mm512_castps_si512(pairs);
            let odd = _mm512_and_si512(pairs, _mm512_set1_epi32(-0x1_0000));
            (_mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs)), _mm512_castsi512_ps(odd))
        }
    }
    #[inline(always)]
    fn mul_add_pairs(self, a: __m512, b: __m512, sum: __m512) -> __m512 {
        if PAIRS {
            // SAFETY: `Avx512<true, _>` exists only where the machine has the feature; all these types are 512 bits.
            return unsafe {
                _mm512_dpbf16_ps(sum, transmute::<__m512, __m512bh>(a), transmute::<__m512, __m512bh>(b))
            };
        }
        lanes::widen_and_mul_add(self, a, b, sum)
    }
    #[inline(always)]
    unsafe fn load_rounded(self, from: *const f32) -> __m512 {
        if PAIRS {
            // SAFETY: the caller's contract; `Avx512<true, _>` exists only where the machine has the feature.
            return unsafe {
                let pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from.add(16)), _mm512_loadu_ps(from));
                transmute::<__m512bh, __m512>(pairs)
            };
        }
        // SAFETY: the caller's contract.
        unsafe { lanes::round_each(self, from) }
    }
    #[inline(always)]
    fn ready(self, rows: usize) -> Ready {
        if TILES {
            // SAFETY: `Avx512<_, true>` exists only where tiles were detected.
            return Ready::Tiles(unsafe { amx::TileRegisters::configure(rows) });
        }
        Ready::Always
    }
    #[inline(always)]
    unsafe fn tile_of_pairs<const N: usize>(
        self,
        (rows, depth): (usize, usize),
        left: Left,
        right: Right,
        out: Out,
    ) {
        // SAFETY: the caller's contract; `Avx512<_, true>` exists only where tiles were detected.
        unsafe {
            if TILES {
                amx::tile::<N>((rows, depth), left, right, out);
            } else {
                register::tile::<Self, Pairs, N>(self, (rows, depth), left, right, out);
            }
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
    unsafe fn load_u8(self, from: *const u8) -> __m512i {
        call!(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())))
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const u8) -> __m512i {
        call!(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())))
    }
    #[inline(always)]
    fn splat_int(self, value: i32) -> __m512i {
        call!(_mm512_set1_epi32(value))
    }
    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        call!(_mm512_and_si512(a, b))
    }
    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        call!(_mm512_or_si512(a, b))
    }
    #[inline(always)]
    fn shift_left<const BITS: u32>(self, a: __m512i) -> __m512i {
        call!(_mm512_sll_epi32(a, _mm_cvtsi32_si128(BITS as i32)))
    }
    #[inline(always)]
    fn shift_right(self, a: __m512i, bits: u32) -> __m512i {
        call!(_mm512_srl_epi32(a, _mm_cvtsi32_si128(bits as i32)))
    }
    #[inline(always)]
    fn spread(self, bits: u32, place: u32) -> __m512i {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            let lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let turn = _mm512_add_epi32(lane, _mm512_set1_epi32(place as i32 - 4));
            _mm512_rorv_epi32(_mm512_set1_epi32(bits as i32), turn)
        }
    }
    #[inline(always)]
    fn times_bytes(self, factor: f32, bytes: u64) -> [f32; 8] {
        super::avx2::times_bytes(factor, bytes)
    }
    #[inline(always)]
    fn halves(self, bits: [u64; 2]) -> [f32; 8] {
        super::avx2::halves(bits)
    }
    #[inline(always)]
    fn nibbles(self, bytes: __m512i) -> [__m512i; 2] {
        // A look-up takes four bits, whatever stands above them.
        [bytes, self.shift_right(bytes, 4)]
    }
    #[inline(always)]
    fn ramp(self, step: &f32, first: &f32) -> [__m512; 2] {
        let [low, high] = self.upward();
        let (step, first) = (self.broadcast(step), self.broadcast(first));
        [self.mul_add(low, step, first), self.mul_add(high, step, first)]
    }
    #[inline(always)]
    fn ramp_around(self, zero: f32, step: &f32) -> [__m512; 2] {
        let (step, zero) = (self.broadcast(step), self.splat(zero));
        let [low, high] = self.upward();
        [self.mul(self.sub(low, zero), step), self.mul(self.sub(high, zero), step)]
    }
    #[inline(always)]
    fn at_four(self, ramp: [__m512; 2], q: __m512i) -> __m512 {
        call!(_mm512_permutexvar_ps(q, ramp[0]))
    }
    #[inline(always)]
    fn at_five(self, ramp: [__m512; 2], q: __m512i, fifth: __m512i) -> __m512 {
        // SAFETY: `self` exists only where the machine has the feature.
        unsafe {
            // 0xd8: where the third is set the second, else the first.
            let five = _mm512_ternarylogic_epi32::<0xd8>(q, fifth, _mm512_set1_epi32(16));
            _mm512_permutex2var_ps(ramp[0], five, ramp[1])
        }
    }
    #[inline(always)]
    fn to_float(self, a: __m512i) -> __m512 {
        call!(_mm512_cvtepi32_ps(a))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        call!(_mm512_loadu_ps(from))
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const bf16) -> __m512 {
        // SAFETY: the caller's contract; `self` exists only where the machine has the feature.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const f16) -> __m512 {
        // SAFETY: the caller's contract; `self` exists only where the machine has the feature.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m512) {
        call!(_mm512_storeu_ps(to, value));
    }
    #[inline(always)]
    unsafe fn store_transposed(self, rows: &[__m512; MOST_LANES], to: *mut f32, stride: usize) {
        // SAFETY: the caller's contract; `self` exists only where the machine has the feature.
        unsafe { store_transposed(rows, to, stride) };
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> __m512 {
        call!(_mm512_maskz_loadu_ps(first(count), from))
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, value: __m512, count: usize) {
        call!(_mm512_mask_storeu_ps(to, first(count), value));
    }
}

impl<const PAIRS: bool, const TILES: bool> Avx512<PAIRS, TILES> {
    /// 0 to 15, and 16 to 31.
    #[inline(always)]
    fn upward(self) -> [__m512; 2] {
        let low = call!(_mm512_setr_ps(0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.));
        [low, self.add(low, self.splat(16.0))]
    }
}

/// The mask of the first `count ≤ 16` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    ((1_u32 << count) - 1) as __mmask16
}

/// See [`Simd::store_transposed`].
///
/// # Safety
/// As there; the machine has the instruction set.
#[inline(always)]
pub(super) unsafe fn store_transposed(rows: &[__m512; MOST_LANES], to: *mut f32, stride: usize) {
    // SAFETY: the caller's contract.
    unsafe {
        // Each quarter register holds a 4 × 4 square: transpose these, then gather the quarters.
        let mut quads = [_mm512_setzero_ps(); 16];
        for base in [0, 4, 8, 12] {
            let [a, b, c, d] = [rows[base], rows[base + 1], rows[base + 2], rows[base + 3]];
            let (ab, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (cd, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            quads[base] = _mm512_shuffle_ps::<0x44>(ab, cd);
            quads[base + 1] = _mm512_shuffle_ps::<0xee>(ab, cd);
            quads[base + 2] = _mm512_shuffle_ps::<0x44>(ab_high, cd_high);
            quads[base + 3] = _mm512_shuffle_ps::<0xee>(ab_high, cd_high);
        }
        for lane in 0..4 {
            let [a, b, c, d] = [quads[lane], quads[lane + 4], quads[lane + 8], quads[lane + 12]];
            let (ab, ab_high) = (_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xee>(a, b));
            let (cd, cd_high) = (_mm512_shuffle_f32x4::<0x44>(c, d), _mm512_shuffle_f32x4::<0xee>(c, d));
            _mm512_storeu_ps(to.add(lane * stride), _mm512_shuffle_f32x4::<0x88>(ab, cd));
            _mm512_storeu_ps(to.add((lane + 4) * stride), _mm512_shuffle_f32x4::<0xdd>(ab, cd));
            _mm512_storeu_ps(to.add((lane + 8) * stride), _mm512_shuffle_f32x4::<0x88>(ab_high, cd_high));
            _mm512_storeu_ps(to.add((lane + 12) * stride), _mm512_shuffle_f32x4::<0xdd>(ab_high, cd_high));
        }
    }
}
