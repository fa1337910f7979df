//! What a format of blocks is.

use std::ops::Range;

use crate::rows::Blocks;
use crate::simd::Simd;

/// Numbers of a group: some blocks whose scales are made together.
pub(crate) const GROUP: usize = 256;

/// How the numbers of a group are unpacked.
pub(crate) trait Format {
    /// The type that it is of.
    const BLOCKS: Blocks;
    /// Numbers that are unpacked together: they share bytes.
    const STEP: usize;
    /// What numbers are multiplied by, or added to.
    type Scales;

    /// Bytes of a whole group.
    const BYTES: usize = GROUP / Self::BLOCKS.numbers() * Self::BLOCKS.bytes();

    /// The scales of the first `count` blocks of a group, at most [`GROUP`] numbers.
    ///
    /// # Safety
    /// These blocks can be read.
    unsafe fn scales<S: Simd>(simd: S, group: *const u8, count: usize) -> Self::Scales;

    /// Unpacks the numbers `N · STEP ..` of a group and hands them to `each`, each once.
    ///
    /// # Safety
    /// The block that has that step can be read; `scales` are of its group, the block among them.
    unsafe fn step<S: Simd, const N: usize>(
        simd: S,
        group: *const u8,
        scales: &Self::Scales,
        each: &mut impl Each<S>,
    );
}

/// Some steps of a group. Written out, since places that are known as it is compiled keep sums in registers.
///
/// # Safety
/// As of [`Format::step`], for each of them.
#[inline(always)]
pub(crate) unsafe fn steps<S: Simd, F: Format>(
    simd: S,
    group: *const u8,
    scales: &F::Scales,
    steps: Range<usize>,
    each: &mut impl Each<S>,
) {
    const { assert!(GROUP / F::STEP <= 8) };
    macro_rules! steps {
        ($($n:literal)*) => {
            $(if $n * F::STEP < GROUP && steps.start <= $n && $n < steps.end {
                // SAFETY: the caller's contract.
                unsafe { F::step::<S, $n>(simd, group, scales, each) };
            })*
        };
    }
    steps!(0 1 2 3 4 5 6 7);
}

/// What is done with numbers as they are unpacked. No closure: one that is not inlined would lose the instruction set.
/// Methods must be `#[inline(always)]`.
pub(crate) trait Each<S: Simd> {
    /// Takes a vector of numbers, whose first stands at `place` of its group.
    fn take(&mut self, simd: S, place: usize, numbers: S::V);

    /// Takes `COUNT` numbers, each the product of a signed byte and of `scale`, which is exact.
    ///
    /// # Safety
    /// `COUNT` bytes can be read; it is a multiple of `LANES`.
    unsafe fn take_bytes<const COUNT: usize>(&mut self, simd: S, place: usize, bytes: *const u8, scale: &f32);
}

/// The f16 at an address, in bits.
///
/// # Safety
/// Two bytes can be read.
#[inline(always)]
pub(super) unsafe fn half(at: *const u8) -> u16 {
    // SAFETY: the caller's contract.
    u16::from_le_bytes(unsafe { at.cast::<[u8; 2]>().read() })
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
