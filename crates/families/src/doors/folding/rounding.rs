//! Numbers in f64, rounded once to the type that is stored, and how far that moved them.
//!
//! A type of sixteen bits keeps the leading bits of an f64's fraction, so that rounding to nearest, ties to even, is one sum
//! over its bits: below the last bit kept stands ½ − 2⁻⁵², or ½ where the last bit kept is odd. What is too small or too large
//! for that, or no number, is left to `half`.

use camelid_checkpoint::Dtype;
use half::{bf16, f16};

/// So many numbers are looked at side by side.
const LANES: usize = 8;

/// How far what is stored lies from what was computed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rounding {
    /// The largest |Δ|.
    pub most: f64,
    /// The largest |x|.
    pub largest: f64,
}

impl Rounding {
    /// The largest |Δ| over the largest |x|.
    #[must_use]
    pub fn relative(&self) -> f64 {
        if self.largest > 0.0 { self.most / self.largest } else { 0.0 }
    }

    /// Of two together.
    pub(super) fn and(self, other: Rounding) -> Rounding {
        Rounding { most: self.most.max(other.most), largest: self.largest.max(other.largest) }
    }
}

/// Writes the bytes of numbers in a type that holds single numbers; `out` has room for exactly these.
pub(super) fn round(numbers: &[f64], dtype: Dtype, out: &mut [u8]) -> Rounding {
    if dtype == Dtype::F64 {
        return each(numbers, out, |x| (x.to_le_bytes(), x));
    }
    if dtype == Dtype::Bf16 {
        return short::<bf16, 45, { 1023 - 127 }>(numbers, out);
    }
    if dtype == Dtype::F16 {
        return short::<f16, 42, { 1023 - 15 }>(numbers, out);
    }
    each(numbers, out, |x| ((x as f32).to_le_bytes(), f64::from(x as f32)))
}

/// A type of sixteen bits: `DROPPED` bits of an f64's fraction have no room in it, and its exponents are `BIAS` less.
trait Short<const DROPPED: u32, const BIAS: u64> {
    /// The least and the largest |x| of which the leading bits are kept as they are.
    const NORMAL: (f64, f64);

    /// Any number: its bits, and what they are worth.
    fn any(x: f64) -> (u16, f64);

    /// The bits of a normal number, or of zero, and what they are worth.
    #[inline]
    fn leading(x: f64) -> (u16, f64) {
        let bits = x.to_bits();
        let half = (1_u64 << (DROPPED - 1)) - 1 + ((bits >> DROPPED) & 1);
        let kept = bits.wrapping_add(half) >> DROPPED;
        let magnitude = (kept & (u64::MAX >> (DROPPED + 1))).wrapping_sub(BIAS << (52 - DROPPED)) & 0x7fff;
        let magnitude = if x == 0.0 { 0 } else { magnitude };
        ((((bits >> 48) & 0x8000) | magnitude) as u16, f64::from_bits(kept << DROPPED))
    }

    /// Whether it is normal, or zero.
    #[inline]
    fn is_normal(x: f64) -> bool {
        (x == 0.0) | ((x.abs() >= Self::NORMAL.0) & (x.abs() <= Self::NORMAL.1))
    }
}

impl Short<45, { 1023 - 127 }> for bf16 {
    const NORMAL: (f64, f64) = (f32::MIN_POSITIVE as f64, 3.0e38);

    fn any(x: f64) -> (u16, f64) {
        nearest(x, bf16::from_f64(x).to_bits(), |bits| bf16::from_bits(bits).to_f64())
    }
}

impl Short<42, { 1023 - 15 }> for f16 {
    const NORMAL: (f64, f64) = (6.103_515_625e-5, 65504.0);

    fn any(x: f64) -> (u16, f64) {
        nearest(x, f16::from_f64(x).to_bits(), |bits| f16::from_bits(bits).to_f64())
    }
}

/// The nearest to x of a guess and its neighbours, of two the even one: `half` looks at the upper half of an f64's bits alone,
/// and takes what lies just above the middle for the middle.
fn nearest(x: f64, guess: u16, worth: fn(u16) -> f64) -> (u16, f64) {
    let same_sign = |bits: &u16| bits & 0x8000 == guess & 0x8000 && worth(*bits).is_finite();
    let far = |bits: u16| (worth(bits) - x).abs();
    let mut beside = [guess.wrapping_sub(1), guess.wrapping_add(1)].into_iter().filter(same_sign);
    let closer = |bits: &u16| far(*bits) < far(guess) || far(*bits) == far(guess) && bits & 1 < guess & 1;
    let bits = match worth(guess).is_finite() {
        true => beside.find(closer).unwrap_or(guess),
        false => guess,
    };
    (bits, worth(bits))
}

fn short<T: Short<D, B>, const D: u32, const B: u64>(numbers: &[f64], out: &mut [u8]) -> Rounding {
    let (groups, rest) = numbers.as_chunks::<LANES>();
    let (places, _) = out.as_chunks_mut::<{ 2 * LANES }>();
    let (mut most, mut largest) = ([0.0; LANES], [0.0; LANES]);
    let mut odd = Rounding::default();
    for (group, place) in groups.iter().zip(places) {
        // Without a way out, so that all are looked at side by side.
        if !group.iter().fold(true, |normal, x| normal & T::is_normal(*x)) {
            odd = odd.and(one_by_one::<T, D, B>(group, place));
            continue;
        }
        let (mut bits, mut worth) = ([0_u16; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            (bits[lane], worth[lane]) = T::leading(group[lane]);
        }
        for lane in 0..LANES {
            most[lane] = larger(most[lane], (worth[lane] - group[lane]).abs());
            largest[lane] = larger(largest[lane], group[lane].abs());
        }
        for (place, bits) in place.as_chunks_mut::<2>().0.iter_mut().zip(bits) {
            *place = bits.to_le_bytes();
        }
    }
    let rest = one_by_one::<T, D, B>(rest, &mut out[groups.len() * LANES * 2..]);
    together(most, largest).and(odd).and(rest)
}

fn one_by_one<T: Short<D, B>, const D: u32, const B: u64>(numbers: &[f64], out: &mut [u8]) -> Rounding {
    each(numbers, out, |x| {
        let (bits, worth) = T::any(x);
        (bits.to_le_bytes(), worth)
    })
}

fn each<const N: usize>(numbers: &[f64], out: &mut [u8], stored: impl Fn(f64) -> ([u8; N], f64)) -> Rounding {
    let (places, _) = out.as_chunks_mut::<N>();
    let (mut most, mut largest) = ([0.0; LANES], [0.0; LANES]);
    for (numbers, places) in numbers.chunks(LANES).zip(places.chunks_mut(LANES)) {
        for (lane, (&x, place)) in numbers.iter().zip(places).enumerate() {
            let (bytes, worth) = stored(x);
            *place = bytes;
            most[lane] = larger(most[lane], (worth - x).abs());
            largest[lane] = larger(largest[lane], x.abs());
        }
    }
    together(most, largest)
}

fn together(most: [f64; LANES], largest: [f64; LANES]) -> Rounding {
    let lanes = most.into_iter().zip(largest).map(|(most, largest)| Rounding { most, largest });
    lanes.fold(Rounding::default(), Rounding::and)
}

/// The larger; what is no number is none. Unlike `f64::max` it is one instruction.
#[inline]
fn larger(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_stored_is_the_nearest_and_of_two_the_even(raw in prop::collection::vec(any_f64(), 0..40)) {
            let of_bf16: fn(u16) -> f64 = |bits| bf16::from_bits(bits).to_f64();
            let of_f16: fn(u16) -> f64 = |bits| f16::from_bits(bits).to_f64();
            for (dtype, worth) in [(Dtype::Bf16, of_bf16), (Dtype::F16, of_f16)] {
                let mut out = vec![0; raw.len() * 2];
                let rounding = round(&raw, dtype, &mut out);
                let (mut most, mut largest) = (0.0_f64, 0.0_f64);
                for (x, bytes) in raw.iter().zip(out.as_chunks::<2>().0) {
                    let bits = u16::from_le_bytes(*bytes);
                    let far = |bits: u16| (worth(bits) - x).abs();
                    most = most.max(far(bits));
                    largest = largest.max(x.abs());
                    prop_assert_eq!(x.is_sign_negative(), bits & 0x8000 != 0);
                    for other in [bits.wrapping_sub(1), bits.wrapping_add(1)] {
                        let counts = other & 0x8000 == bits & 0x8000 && worth(other).is_finite();
                        if counts && worth(bits).is_finite() {
                            prop_assert!(far(bits) < far(other) || far(bits) == far(other) && bits & 1 == 0, "{x:e} in {dtype}");
                        }
                    }
                }
                prop_assert_eq!(rounding, Rounding { most, largest });
            }
        }
    }

    #[test]
    fn other_types_are_cast() {
        let numbers = [1.0, -0.1, 1e300, 1e-300, 0.0];
        let mut out = [0; 40];
        assert_eq!(round(&numbers, Dtype::F64, &mut out), Rounding { most: 0.0, largest: 1e300 });
        round(&numbers[..2], Dtype::F32, &mut out[..8]);
        assert_eq!(out[4..8], (-0.1_f32).to_le_bytes());
    }

    /// Numbers of every size, those between two of a short type among them.
    fn any_f64() -> impl Strategy<Value = f64> {
        prop_oneof![
            -2.0..2.0_f64,
            any::<f32>().prop_map(f64::from).prop_filter("a number", |x| x.is_finite()),
            (any::<u16>(), 0..3_u64).prop_map(between).prop_filter("a number", |x| x.is_finite()),
            (-160..160_i32, 1.0..2.0_f64).prop_map(|(power, x)| x * 2.0_f64.powi(power)),
            Just(0.0),
            Just(-0.0),
        ]
    }

    /// Half way between a bf16 and the next, or a little beside.
    fn between((bits, beside): (u16, u64)) -> f64 {
        let x = bf16::from_bits(bits).to_f64().to_bits();
        f64::from_bits((x | 1 << 44).wrapping_add(beside).wrapping_sub(1))
    }
}
