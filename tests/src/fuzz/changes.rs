//! Changes to inputs, drawn from a seed: the same seed, the same changes.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Numbers at whose sides programs err.
const NUMBERS: [u64; 12] =
    [0, 1, 127, 128, 255, 256, 65_535, 1 << 24, (1 << 31) - 1, 1 << 32, (1 << 63) - 1, u64::MAX];
/// The same for texts.
const DIGITS: [&str; 10] = [
    "0",
    "-1",
    "1e400",
    "1e-400",
    "0.1",
    "2147483648",
    "9223372036854775807",
    "18446744073709551616",
    "",
    "00",
];
/// Inputs grow no longer than this.
const LONGEST: usize = 1 << 16;

/// A source of changed inputs.
#[derive(Debug)]
pub struct Changes {
    seeds: Vec<Vec<u8>>,
    rng: ChaCha8Rng,
}

impl Changes {
    /// Changes of these inputs.
    ///
    /// # Panics
    /// Where there is no input.
    #[must_use]
    pub fn new(seeds: Vec<Vec<u8>>, seed: u64) -> Changes {
        assert!(!seeds.is_empty(), "there must be an input to change");
        Changes { seeds, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The next input: one of the seeds after one to eight changes.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut bytes = self.seed();
        for _ in 0..1 << self.rng.random_range(0..4) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.rng.random_range(0..self.seeds.len());
        self.seeds[at].clone()
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.rng.random_range(0..=bytes.len());
        let end = (at + self.rng.random_range(0..32)).min(bytes.len());
        match self.rng.random_range(0..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = self.rng.random(),
            2 => self.number(bytes, at),
            3 => self.digits(bytes, at),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let again = bytes[at..end].to_vec();
                let times = 1 << self.rng.random_range(0..8);
                bytes.splice(at..at, again.repeat(times));
            }
            6 => {
                let other = self.seed();
                let from = self.rng.random_range(0..=other.len());
                let to = (from + self.rng.random_range(0..64)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ => bytes.truncate(at),
        }
    }

    /// A number in place of one to eight bytes.
    fn number(&mut self, bytes: &mut [u8], at: usize) {
        let number = NUMBERS[self.rng.random_range(0..NUMBERS.len())].to_le_bytes();
        let width = 1 << self.rng.random_range(0..4);
        for (byte, new) in bytes[at..].iter_mut().zip(&number[..width]) {
            *byte = *new;
        }
    }

    /// Digits in place of the next digits.
    fn digits(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|skip| at + skip) else {
            return;
        };
        let end = bytes[start..].iter().position(|byte| !byte.is_ascii_digit());
        let end = end.map_or(bytes.len(), |length| start + length);
        let digits = DIGITS[self.rng.random_range(0..DIGITS.len())];
        bytes.splice(start..end, digits.bytes());
    }
}
