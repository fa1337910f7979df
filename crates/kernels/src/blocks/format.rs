//! What a format of blocks is.

use crate::simd::Simd;

/// How the numbers of a block are unpacked.
pub(crate) trait Format {
    /// Numbers of a block.
    const NUMBERS: usize;
    /// Bytes of a block.
    const BYTES: usize;
    /// Numbers that are unpacked together: they share bytes.
    const STEP: usize;
    /// What numbers are multiplied by, or added to.
    type Scales;

    /// # Safety
    /// A block can be read.
    unsafe fn scales<S: Simd>(simd: S, block: *const u8) -> Self::Scales;

    /// Unpacks the numbers `step · STEP ..` of a block and hands them to `each`, each vector once.
    ///
    /// # Safety
    /// The block can be read, and has that step; `scales` are its own.
    unsafe fn step<S: Simd>(
        simd: S,
        block: *const u8,
        scales: &Self::Scales,
        step: usize,
        each: &mut impl Each<S>,
    );
}

/// What is done with numbers as they are unpacked. No closure: one that is not inlined would lose the instruction set.
pub(crate) trait Each<S: Simd> {
    /// Takes a vector of numbers, whose first stands at `place` of its step. Must be `#[inline(always)]`.
    fn take(&mut self, simd: S, place: usize, numbers: S::V);
}

/// The f16 at an address, as f32.
///
/// # Safety
/// Two bytes can be read.
#[inline(always)]
pub(super) unsafe fn half<S: Simd>(simd: S, at: *const u8) -> f32 {
    // SAFETY: the caller's contract.
    simd.half(u16::from_le_bytes(unsafe { at.cast::<[u8; 2]>().read() }))
}

/// The 32 bits at an address.
///
/// # Safety
/// Four bytes can be read.
#[inline(always)]
pub(super) unsafe fn word(at: *const u8) -> u32 {
    // SAFETY: the caller's contract.
    u32::from_le_bytes(unsafe { at.cast::<[u8; 4]>().read() })
}
