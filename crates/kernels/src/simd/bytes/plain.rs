//! Products of bytes in plain Rust: what the other forms are held to, bit by bit.

use std::array::from_fn;

use super::super::integers::widen;
use super::Bytes;

/// On every machine.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Bytes for Plain {
    type B = [u8; 64];
    type S = [i32; 16];
    type F = [f32; 16];
    type E = [f32; 8];
    const SIGNED_ZERO: i32 = 0;
    const TOKENS: usize = 4;
    const VECTORS: usize = 1;

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> [u8; 64] {
        // SAFETY: the caller's contract.
        unsafe { from.cast::<[u8; 64]>().read() }
    }
    #[inline(always)]
    unsafe fn join(self, low: *const u8, high: *const u8) -> [u8; 64] {
        // SAFETY: the caller's contract.
        let [low, high] = unsafe { [&*low.cast::<[u8; 32]>(), &*high.cast::<[u8; 32]>()] };
        from_fn(|i| if i < 32 { low[i] } else { high[i - 32] })
    }
    #[inline(always)]
    unsafe fn nibbles_of_two(self, low: *const u8, high: *const u8) -> [u8; 64] {
        // SAFETY: the caller's contract.
        let bytes = unsafe { [&*low.cast::<[u8; 16]>(), &*high.cast::<[u8; 16]>()] };
        from_fn(|i| bytes[i / 32][i % 16] >> (i / 16 % 2 * 4) & 15)
    }
    #[inline(always)]
    unsafe fn nibbles(self, from: *const u8) -> [u8; 64] {
        // SAFETY: the caller's contract.
        let bytes = unsafe { &*from.cast::<[u8; 32]>() };
        from_fn(|i| bytes[i % 32] >> (i / 32 * 4) & 15)
    }
    #[inline(always)]
    fn low(self, bytes: [u8; 64]) -> [u8; 64] {
        bytes.map(|byte| byte & 15)
    }
    #[inline(always)]
    fn high(self, bytes: [u8; 64]) -> [u8; 64] {
        bytes.map(|byte| byte >> 4)
    }
    #[inline(always)]
    fn with_fifths(self, q: [u8; 64], bits: u64) -> [u8; 64] {
        from_fn(|i| q[i] | ((bits >> i & 1) << 4) as u8)
    }
    #[inline(always)]
    unsafe fn with_planes<const BIT: u32>(self, q: [u8; 64], from: *const u8) -> [u8; 64] {
        // SAFETY: the caller's contract.
        let bytes = unsafe { &*from.cast::<[u8; 32]>() };
        from_fn(|i| q[i] | (bytes[i % 32] >> (BIT as usize + i / 32) & 1) << 4)
    }
    #[inline(always)]
    unsafe fn with_pairs<const BIT: u32>(self, q: [u8; 64], from: *const u8) -> [u8; 64] {
        // SAFETY: the caller's contract.
        let bytes = unsafe { &*from.cast::<[u8; 32]>() };
        from_fn(|i| q[i] | (bytes[i % 32] >> (BIT as usize + i / 32 * 2) & 3) << 4)
    }
    #[inline(always)]
    fn minus(self, q: [u8; 64], zero: u8) -> [u8; 64] {
        q.map(|q| q.wrapping_sub(zero))
    }
    #[inline(always)]
    unsafe fn store_transposed(self, rows: &[[u8; 64]; 16], to: *mut u8, stride: usize) {
        for unit in 0..16 {
            for (row, bytes) in rows.iter().enumerate() {
                let four = from_fn::<u8, 4, _>(|i| bytes[4 * unit + i]);
                // SAFETY: the caller's contract.
                unsafe { to.add(unit * stride + 4 * row).cast::<[u8; 4]>().write(four) };
            }
        }
    }
    #[inline(always)]
    unsafe fn splat_four(self, from: *const i8) -> [u8; 64] {
        // SAFETY: the caller's contract.
        let four = unsafe { from.cast::<[u8; 4]>().read() };
        from_fn(|i| four[i % 4])
    }
    #[inline(always)]
    fn splat_byte(self, value: u8) -> [u8; 64] {
        [value; 64]
    }
    #[inline(always)]
    fn splat_int(self, value: i32) -> [i32; 16] {
        [value; 16]
    }
    #[inline(always)]
    unsafe fn load_ints(self, from: *const i32) -> [i32; 16] {
        // SAFETY: the caller's contract.
        unsafe { from.cast::<[i32; 16]>().read() }
    }
    #[inline(always)]
    fn dot(self, sums: [i32; 16], q: [u8; 64], x: [u8; 64]) -> [i32; 16] {
        let product = |i: usize| i32::from(q[i]) * i32::from(x[i] as i8);
        from_fn(|s| sums[s] + (4 * s..4 * s + 4).map(product).sum::<i32>())
    }
    #[inline(always)]
    fn dot_signed(self, sums: [i32; 16], w: [u8; 64], x: [u8; 64]) -> [i32; 16] {
        let product = |i: usize| i32::from(w[i] as i8) * i32::from(x[i] as i8);
        from_fn(|s| sums[s] + (4 * s..4 * s + 4).map(product).sum::<i32>())
    }
    #[inline(always)]
    fn shift_left(self, a: [i32; 16], bits: u32) -> [i32; 16] {
        a.map(|a| a << bits)
    }
    #[inline(always)]
    fn sub_int(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 16] {
        [value; 16]
    }
    #[inline(always)]
    unsafe fn load_floats(self, from: *const f32) -> [f32; 16] {
        // SAFETY: the caller's contract.
        unsafe { from.cast::<[f32; 16]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_floats(self, to: *mut f32, value: [f32; 16]) {
        // SAFETY: the caller's contract.
        unsafe { to.cast::<[f32; 16]>().write_unaligned(value) }
    }
    #[inline(always)]
    fn mul(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
        from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    fn to_float(self, sums: [i32; 16]) -> [f32; 16] {
        sums.map(|sum| sum as f32)
    }
    #[inline(always)]
    fn halves(self, bits: [u64; 2]) -> [f32; 8] {
        from_fn(|i| widen((bits[i / 4] >> (16 * (i % 4))) as u16))
    }
    #[inline(always)]
    fn times_bytes(self, factor: f32, bytes: u64) -> [f32; 8] {
        bytes.to_le_bytes().map(|byte| factor * f32::from(byte as i8))
    }
    #[inline(always)]
    unsafe fn load_eight(self, from: *const f32) -> [f32; 8] {
        // SAFETY: the caller's contract.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_eight(self, to: *mut f32, value: [f32; 8]) {
        // SAFETY: the caller's contract.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(value) }
    }
    #[inline(always)]
    fn mul_eight(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn mul_add_eight(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    fn spread_two<const N: usize>(self, eight: [f32; 8], _: &[f32; 8]) -> [f32; 16] {
        from_fn(|i| eight[2 * N + i / 8])
    }
    #[inline(always)]
    fn spread_four<const N: usize>(self, eight: [f32; 8]) -> [f32; 16] {
        from_fn(|i| eight[4 * N + i / 4])
    }
    #[inline(always)]
    fn total(self, sums: [f32; 16], rest: [f32; 8]) -> f32 {
        let e: [f32; 8] = from_fn(|i| (sums[i] + sums[i + 8]) + rest[i]);
        let four: [f32; 4] = from_fn(|i| e[i] + e[i + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }
}
