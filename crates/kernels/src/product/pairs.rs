//! Many tokens in bf16: pairs of elements are multiplied and added at once where the machine does so; elsewhere the
//! activations are rounded and the product runs in f32.

use half::bf16;

use crate::Backend;
#[cfg(target_arch = "x86_64")]
use crate::Isa;

use super::{Region, many};

/// The products of a region whose weights are all bf16, its activations rounded to bf16.
pub(super) fn multiply(backend: &Backend, region: Region<'_>) {
    #[cfg(target_arch = "x86_64")]
    if backend.isa() == Isa::Avx512Bf16 {
        return native::multiply(backend, region);
    }
    let rounded: Vec<f32> = region.x.iter().map(|&x| bf16::from_f32(x).to_f32()).collect();
    many::multiply(backend, Region { x: &rounded, ..region });
}

#[cfg(target_arch = "x86_64")]
mod native {
    use std::arch::x86_64::*;
    use std::mem::transmute;
    use std::ops::Range;

    use half::bf16;

    use crate::register::Units;
    use crate::simd::Avx512;
    use crate::{Backend, Rows};

    use super::super::many::{self, Packed};
    use super::super::{Job, Region};

    /// Two neighbours in depth in one unit. Used only beneath [`pack`] and [`compute`].
    #[derive(Clone, Copy)]
    struct Pairs;

    impl Units<Avx512> for Pairs {
        type Weight = bf16;
        const WIDTH: usize = 2;

        #[inline(always)]
        unsafe fn load(_: Avx512, from: *const bf16) -> __m512 {
            // SAFETY: the caller's contract.
            unsafe { _mm512_loadu_ps(from.cast()) }
        }
        #[inline(always)]
        unsafe fn load_first(_: Avx512, from: *const bf16, count: usize) -> __m512 {
            let mut filled = [bf16::ZERO; 32];
            // SAFETY: the caller's contract; `filled` has the size of a vector.
            unsafe {
                std::ptr::copy_nonoverlapping(from, filled.as_mut_ptr(), count);
                _mm512_loadu_ps(filled.as_ptr().cast())
            }
        }
        #[inline(always)]
        unsafe fn activations(_: Avx512, from: *const f32) -> __m512 {
            // SAFETY: the caller's contract.
            unsafe {
                let pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from.add(16)), _mm512_loadu_ps(from));
                transmute::<__m512bh, __m512>(pairs)
            }
        }
        #[inline(always)]
        unsafe fn broadcast(_: Avx512, from: *const f32) -> __m512 {
            // SAFETY: the caller's contract. Moved as an integer: a pair may look like a NaN.
            unsafe { _mm512_castsi512_ps(_mm512_set1_epi32(*from.cast::<i32>())) }
        }
        #[inline(always)]
        unsafe fn mul_add(_: Avx512, weight: __m512, activation: __m512, sum: __m512) -> __m512 {
            // SAFETY: the caller's contract; both types are 512 bits.
            unsafe {
                let weight = transmute::<__m512, __m512bh>(weight);
                let activation = transmute::<__m512, __m512bh>(activation);
                _mm512_dpbf16_ps(sum, weight, activation)
            }
        }
    }

    pub(super) fn multiply(backend: &Backend, region: Region<'_>) {
        // SAFETY: this backend's machine multiplies pairs (see `super::multiply`); parts are distinct.
        let pack = |packed, part| unsafe { pack(region, packed, part) };
        // SAFETY: as above.
        let compute = |packed, job: &Job<'_>, rows| unsafe { compute(backend, (region, packed), job, rows) };
        // Whole blocks: rounding the activations errs more than a long sum.
        many::in_parts(backend, region, (<Pairs as Units<Avx512>>::WIDTH, many::BLOCK), pack, compute);
    }

    /// # Safety
    /// The machine has the features, and no other thread packs this part.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    unsafe fn pack(region: Region<'_>, packed: Packed, part: usize) {
        // SAFETY: the caller's contract.
        unsafe { many::pack_part::<Avx512, Pairs>(Avx512::assume(), region, packed, part) }
    }

    /// # Safety
    /// The machine has the features, and no other thread writes the results of `rows`.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    unsafe fn compute(backend: &Backend, operands: (Region<'_>, Packed), job: &Job<'_>, rows: Range<usize>) {
        let Rows::Bf16(weight) = job.weight else { unreachable!("only bf16 weights are multiplied in bf16") };
        let out = (&job.out, job.rows);
        // SAFETY: the caller's contract.
        unsafe {
            many::multiply_part::<Avx512, Pairs>(Avx512::assume(), backend, operands, weight, out, rows);
        }
    }
}
