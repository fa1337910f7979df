//! Blocks as bytes: q as they are, side by side in the order of the activations, and the scales of a group.

use crate::blocks::GROUP;
use crate::rows::Blocks;
use crate::simd::Bytes;

/// The most bytes of a group.
pub(super) const MOST_BYTES: usize = 8 * 34;

/// How a group of 256 numbers is taken apart. A number is scale·(q − [`Format::ZERO`]) + offset.
pub(super) trait Format {
    /// The type that it is of.
    const BLOCKS: Blocks;
    /// What q stands for zero; 0 where q has a sign.
    const ZERO: u8;
    /// Whether q has a sign; else it is below 64.
    const SIGNED: bool = false;
    /// The largest q, where it has no sign.
    const MOST: usize;
    /// Whether there are offsets.
    const OFFSETS: bool = false;
    /// Whether each 16 numbers have a scale, and not each 32.
    const SIXTEENS: bool = false;

    /// Four numbers at a time of which as many are summed in 16 bits: of two neighbours, with activations of 127.
    const NARROW: usize = i16::MAX as usize / (2 * 127 * Self::MOST);

    /// Bytes of a whole group.
    const BYTES: usize = GROUP / Self::BLOCKS.numbers() * Self::BLOCKS.bytes();

    /// The scales of the first `count` blocks of a group; those of others are 0, or any where a block is a group.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn scales<M: Bytes>(machine: M, group: *const u8, count: usize) -> Scales<M>;

    /// The q of its numbers from `64·N` on.
    ///
    /// # Safety
    /// It can be read.
    unsafe fn line<M: Bytes, const N: usize>(machine: M, group: *const u8) -> M::B;
}

/// Eight scales of 32 numbers each, or sixteen of 16; and eight offsets, where there are any.
pub(super) struct Scales<M: Bytes> {
    pub(super) scale: [M::E; 2],
    pub(super) offset: M::E,
}

/// The f16 at byte `at` of each of the first `count` of eight blocks, else 0.
///
/// # Safety
/// They can be read, of `bytes` each.
#[inline(always)]
unsafe fn halves<M: Bytes>(machine: M, group: *const u8, (bytes, at): (usize, usize), count: usize) -> M::E {
    let mut quads = [0_u64; 2];
    for (side, quad) in quads.iter_mut().enumerate() {
        for nth in 0..4 {
            let block = side * 4 + nth;
            if count == 8 || block < count {
                // SAFETY: the caller's contract.
                let bits = unsafe { group.add(block * bytes + at).cast::<[u8; 2]>().read() };
                *quad |= u64::from(u16::from_le_bytes(bits)) << (16 * nth);
            }
        }
    }
    machine.halves(quads)
}

/// The 32 bits at an address.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn word(at: *const u8) -> u32 {
    // SAFETY: the caller's contract.
    u32::from_le_bytes(unsafe { at.cast::<[u8; 4]>().read() })
}

/// A format of blocks of 32: where its minimum is, if it has one, and how two blocks at their addresses become bytes.
macro_rules! small {
    ($name:ident, zero $zero:literal, most $most:literal, signed $signed:literal, offsets $offsets:literal at $at:literal,
        |$machine:ident, $low:ident, $high:ident| $line:expr) => {
        pub(super) struct $name;

        impl Format for $name {
            const BLOCKS: Blocks = Blocks::$name;
            const ZERO: u8 = $zero;
            const SIGNED: bool = $signed;
            const MOST: usize = $most;
            const OFFSETS: bool = $offsets;
            #[inline(always)]
            unsafe fn scales<M: Bytes>(machine: M, group: *const u8, count: usize) -> Scales<M> {
                let bytes = Self::BLOCKS.bytes();
                // SAFETY: the caller's contract.
                unsafe {
                    let scale = halves(machine, group, (bytes, 0), count);
                    let offset = if $offsets { halves(machine, group, (bytes, $at), count) } else { scale };
                    Scales { scale: [scale; 2], offset }
                }
            }
            #[inline(always)]
            unsafe fn line<M: Bytes, const N: usize>($machine: M, group: *const u8) -> M::B {
                // SAFETY: the caller's contract.
                unsafe {
                    let $low = group.add(2 * N * Self::BLOCKS.bytes());
                    let $high = $low.add(Self::BLOCKS.bytes());
                    $line
                }
            }
        }
    };
}

small!(Q4_0, zero 8, most 15, signed false, offsets false at 0, |m, a, b| m.nibbles_of_two(a.add(2), b.add(2)));
small!(Q4_1, zero 0, most 15, signed false, offsets true at 2, |m, a, b| m.nibbles_of_two(a.add(4), b.add(4)));
small!(Q5_0, zero 16, most 31, signed false, offsets false at 0, |m, a, b| {
    m.with_fifths(m.nibbles_of_two(a.add(6), b.add(6)), fifths(a.add(2), b.add(2)))
});
small!(Q5_1, zero 0, most 31, signed false, offsets true at 2, |m, a, b| {
    m.with_fifths(m.nibbles_of_two(a.add(8), b.add(8)), fifths(a.add(4), b.add(4)))
});
small!(Q8_0, zero 0, most 128, signed true, offsets false at 0, |m, a, b| m.join(a.add(2), b.add(2)));

/// The bits of two words, those of the first below.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn fifths(low: *const u8, high: *const u8) -> u64 {
    // SAFETY: the caller's contract.
    unsafe { u64::from(word(low)) | u64::from(word(high)) << 32 }
}

/// d s and −dmin t of the eight runs of `Q4_K` and `Q5_K`; see [`crate::blocks`] for where s and t are.
///
/// # Safety
/// The first 16 bytes of a block can be read.
#[inline(always)]
unsafe fn run_scales<M: Bytes>(machine: M, block: *const u8) -> Scales<M> {
    // SAFETY: the caller's contract.
    let (both, a, b, c) =
        unsafe { (word(block), word(block.add(4)), word(block.add(8)), word(block.add(12))) };
    let [d, minimum] = [both as u16, (both >> 16) as u16].map(crate::simd::widen);
    let eight = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let s = eight(a & 0x3f3f_3f3f, c & 0x0f0f_0f0f | a >> 2 & 0x3030_3030);
    let t = eight(b & 0x3f3f_3f3f, c >> 4 & 0x0f0f_0f0f | b >> 2 & 0x3030_3030);
    Scales { scale: [machine.times_bytes(d, s); 2], offset: machine.times_bytes(-minimum, t) }
}

/// A format of eight runs of 32.
macro_rules! large {
    ($name:ident, most $most:literal, $low:literal, |$machine:ident, $block:ident, $q:ident| $line:expr) => {
        pub(super) struct $name;

        impl Format for $name {
            const BLOCKS: Blocks = Blocks::$name;
            const ZERO: u8 = 0;
            const MOST: usize = $most;
            const OFFSETS: bool = true;
            #[inline(always)]
            unsafe fn scales<M: Bytes>(machine: M, group: *const u8, _: usize) -> Scales<M> {
                // SAFETY: the caller's contract.
                unsafe { run_scales(machine, group) }
            }
            #[inline(always)]
            unsafe fn line<M: Bytes, const N: usize>($machine: M, $block: *const u8) -> M::B {
                // SAFETY: the caller's contract.
                unsafe {
                    let $q = $machine.nibbles($block.add($low + 32 * N));
                    $line
                }
            }
        }
    };
}

large!(Q4K, most 15, 16, |_m, _block, q| q);
large!(Q5K, most 31, 48, |m, block, q| match N {
    0 => m.with_planes::<0>(q, block.add(16)),
    1 => m.with_planes::<2>(q, block.add(16)),
    2 => m.with_planes::<4>(q, block.add(16)),
    _ => m.with_planes::<6>(q, block.add(16)),
});

pub(super) struct Q6K;

impl Format for Q6K {
    const BLOCKS: Blocks = Blocks::Q6K;
    const ZERO: u8 = 32;
    const MOST: usize = 63;
    const SIXTEENS: bool = true;
    #[inline(always)]
    unsafe fn scales<M: Bytes>(machine: M, block: *const u8, _: usize) -> Scales<M> {
        // SAFETY: the caller's contract.
        let (d, s) = unsafe {
            (block.add(208).cast::<[u8; 2]>().read(), block.add(192).cast::<[[u8; 8]; 2]>().read())
        };
        let d = crate::simd::widen(u16::from_le_bytes(d));
        let [low, high] = s.map(u64::from_le_bytes);
        let scale = [machine.times_bytes(d, low), machine.times_bytes(d, high)];
        Scales { scale, offset: scale[0] }
    }
    #[inline(always)]
    unsafe fn line<M: Bytes, const N: usize>(machine: M, block: *const u8) -> M::B {
        // SAFETY: the caller's contract.
        unsafe {
            let both = machine.load(block.add(N / 2 * 64));
            let pairs = block.add(128 + N / 2 * 32);
            if N.is_multiple_of(2) {
                machine.with_pairs::<0>(machine.low(both), pairs)
            } else {
                machine.with_pairs::<4>(machine.high(both), pairs)
            }
        }
    }
}

/// Evaluates an expression in which a name stands for the [`Format`] of a type of blocks.
macro_rules! with_format {
    ($blocks:expr, $format:ident => $body:expr) => {
        with_format!($blocks, $format => $body; Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4K Q5K Q6K)
    };
    ($blocks:expr, $format:ident => $body:expr; $($name:ident)*) => {
        match $blocks {
            $($crate::rows::Blocks::$name => {
                type $format = $crate::product::rounded::format::$name;
                $body
            })*
        }
    };
}
pub(super) use with_format;
