//! Many tokens in bf16: pairs of elements are multiplied and added at once where the machine does so; elsewhere the
//! activations are rounded and the product runs in f32.

use half::bf16;

use crate::{Backend, Isa};

use super::{Region, many};

/// The products of a region whose weights are all bf16, its activations rounded to bf16.
pub(super) fn multiply(backend: &Backend, region: Region<'_>) {
    if backend.isa() == Isa::Avx512Bf16 {
        return many::multiply_pairs(backend, region);
    }
    let rounded: Vec<f32> = region.x.iter().map(|&x| bf16::from_f32(x).to_f32()).collect();
    many::multiply(backend, Region { x: &rounded, ..region });
}
