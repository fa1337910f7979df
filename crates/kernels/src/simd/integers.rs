//! Four integers in plain Rust, which compilers map to whatever the machine has: for instruction sets whose own integers
//! would bring nothing more.

/// Four lanes.
pub(super) type I = [i32; 4];

/// The integer methods of [`Simd`](super::Simd), over [`I`].
macro_rules! plain {
    () => {
        #[inline(always)]
        unsafe fn load_u8(self, from: *const u8) -> integers::I {
            // SAFETY: the caller's contract.
            unsafe { from.cast::<[u8; 4]>().read() }.map(i32::from)
        }
        #[inline(always)]
        unsafe fn load_i8(self, from: *const u8) -> integers::I {
            // SAFETY: the caller's contract.
            unsafe { from.cast::<[i8; 4]>().read() }.map(i32::from)
        }
        #[inline(always)]
        fn splat_int(self, value: i32) -> integers::I {
            [value; 4]
        }
        #[inline(always)]
        fn and(self, a: integers::I, b: integers::I) -> integers::I {
            std::array::from_fn(|i| a[i] & b[i])
        }
        #[inline(always)]
        fn or(self, a: integers::I, b: integers::I) -> integers::I {
            std::array::from_fn(|i| a[i] | b[i])
        }
        #[inline(always)]
        fn shift_left<const BITS: u32>(self, a: integers::I) -> integers::I {
            a.map(|a| a << BITS)
        }
        #[inline(always)]
        fn shift_right(self, a: integers::I, bits: u32) -> integers::I {
            a.map(|a| (a as u32 >> bits) as i32)
        }
        #[inline(always)]
        fn times_bytes(self, factor: f32, bytes: u64) -> [f32; 8] {
            bytes.to_le_bytes().map(|byte| factor * f32::from(byte as i8))
        }
        #[inline(always)]
        fn halves(self, bits: [u64; 2]) -> [f32; 8] {
            std::array::from_fn(|i| integers::widen((bits[i / 4] >> (16 * (i % 4))) as u16))
        }
    };
}

pub(super) use plain;

/// An f16 as f32, without a branch: the exponent is moved by a product, which gives subnormals their value too;
/// infinity and NaN get their exponent back.
#[inline(always)]
pub(crate) fn widen(half: u16) -> f32 {
    const REBIAS: f32 = f32::from_bits((254 - 15) << 23);
    let magnitude = (f32::from_bits(u32::from(half & 0x7fff) << 13) * REBIAS).to_bits();
    let special = if half & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(magnitude | special | u32::from(half & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn every_f16_widens_as_in_half() {
        for bits in 0..=u16::MAX {
            let (ours, reference) = (widen(bits), f16::from_bits(bits).to_f32());
            assert!(
                ours.to_bits() == reference.to_bits() || ours.is_nan() && reference.is_nan(),
                "{bits:#06x}"
            );
        }
    }
}
