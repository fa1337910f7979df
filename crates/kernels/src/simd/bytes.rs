//! The vocabulary of products of bytes: 64 weights at a time meet as many activations, in sums of four neighbours.
//!
//! Everything here is exact but what floats do, and that in one order: every instruction set gives the same bits.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
pub(super) mod plain;

/// What is compiled once per instruction set. `run` must be `#[inline(always)]`, and so must all it calls.
pub(crate) trait ByteKernel {
    fn run<M: Bytes>(self, machine: M);
}

/// Vectors of 64 bytes, 16 integers and 16 or 8 floats. A value of an implementing type exists only where the machine has
/// the instruction set; loads and stores trust their pointers.
pub(crate) trait Bytes: Copy {
    /// 64 bytes: weights, or activations.
    type B: Copy;
    /// 16 integers.
    type S: Copy;
    /// 16 floats.
    type F: Copy;
    /// Eight floats.
    type E: Copy;
    /// What [`Bytes::dot_signed`] takes the sum of the activations away for; 0 where it needs none.
    const SIGNED_ZERO: i32;
    /// Tokens of a tile, beside [`Bytes::VECTORS`] times 16 rows of a weight: as the registers allow.
    const TOKENS: usize;
    /// See [`Bytes::TOKENS`].
    const VECTORS: usize;
    /// Whether products of neighbours are summed in 16 bits first, as far as they fit: then [`Bytes::dot_narrow`] and
    /// [`Bytes::widen`] are faster than [`Bytes::dot`].
    const NARROW: bool = false;
    /// Whether a machine that has it may have tiles of AMX.
    const TILES: bool = false;

    /// # Safety
    /// 64 bytes can be read.
    unsafe fn load(self, from: *const u8) -> Self::B;
    /// 32 bytes from each address.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn join(self, low: *const u8, high: *const u8) -> Self::B;
    /// The low halves of 16 bytes, then their high halves; of the one, then of the other address.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn nibbles_of_two(self, low: *const u8, high: *const u8) -> Self::B;
    /// The low halves of 32 bytes, then their high halves.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn nibbles(self, from: *const u8) -> Self::B;
    /// The low half of each byte.
    fn low(self, bytes: Self::B) -> Self::B;
    /// The high half of each byte.
    fn high(self, bytes: Self::B) -> Self::B;
    /// 16 more where the bit is set, the lowest bit first.
    fn with_fifths(self, q: Self::B, bits: u64) -> Self::B;
    /// 16 more where bit `BIT` of one of 32 bytes is set, and in the upper half where bit `BIT + 1` is.
    ///
    /// # Safety
    /// 32 bytes can be read.
    unsafe fn with_planes<const BIT: u32>(self, q: Self::B, from: *const u8) -> Self::B;
    /// 16 times the two bits from `BIT` on of one of 32 bytes more, and in the upper half those from `BIT + 2` on.
    ///
    /// # Safety
    /// 32 bytes can be read.
    unsafe fn with_pairs<const BIT: u32>(self, q: Self::B, from: *const u8) -> Self::B;
    /// q − zero, each.
    fn minus(self, q: Self::B, zero: u8) -> Self::B;
    /// Row `r` of 16 by 16 units of four bytes becomes column `r`, its units `stride` bytes apart.
    ///
    /// # Safety
    /// They can be written.
    unsafe fn store_transposed(self, rows: &[Self::B; 16], to: *mut u8, stride: usize);

    /// Four bytes, again and again.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn splat_four(self, from: *const i8) -> Self::B;
    fn splat_byte(self, value: u8) -> Self::B;
    fn splat_int(self, value: i32) -> Self::S;
    /// # Safety
    /// 16 integers can be read.
    unsafe fn load_ints(self, from: *const i32) -> Self::S;
    /// sums + Σ of four neighbours' q·x, for q from 0 to 63 and x from −128 to 127.
    fn dot(self, sums: Self::S, q: Self::B, x: Self::B) -> Self::S;
    /// 256 times what [`Bytes::dot`] adds.
    #[inline(always)]
    fn dot_256(self, q: Self::B, x: Self::B) -> Self::S {
        self.shift_left(self.dot(self.splat_int(0), q, x), 8)
    }
    /// As [`Bytes::dot`], but in sums of two neighbours in 16 bits where the machine is [`Bytes::NARROW`]: they hold Σ q·x of
    /// two neighbours while that is within 2¹⁵.
    #[inline(always)]
    fn dot_narrow(self, narrow: Self::S, q: Self::B, x: Self::B) -> Self::S {
        self.dot(narrow, q, x)
    }
    /// sums + what [`Bytes::dot_narrow`] has summed.
    #[inline(always)]
    fn widen(self, sums: Self::S, narrow: Self::S) -> Self::S {
        self.sub_int(sums, self.sub_int(self.splat_int(0), narrow))
    }
    /// sums + Σ of four neighbours' (w + SIGNED_ZERO)·x, for signed bytes w, and x from −127 to 127.
    fn dot_signed(self, sums: Self::S, w: Self::B, x: Self::B) -> Self::S;
    fn sub_int(self, a: Self::S, b: Self::S) -> Self::S;
    /// a · 2^bits.
    fn shift_left(self, a: Self::S, bits: u32) -> Self::S;

    fn splat(self, value: f32) -> Self::F;
    /// # Safety
    /// 16 floats can be read.
    unsafe fn load_floats(self, from: *const f32) -> Self::F;
    /// # Safety
    /// 16 floats can be written.
    unsafe fn store_floats(self, to: *mut f32, value: Self::F);
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// a·b + c, rounded once.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn to_float(self, sums: Self::S) -> Self::F;

    /// The eight f16 of these bits, the lowest first.
    fn halves(self, bits: [u64; 2]) -> Self::E;
    /// `factor` times each of eight signed bytes, the lowest first.
    fn times_bytes(self, factor: f32, bytes: u64) -> Self::E;
    /// # Safety
    /// Eight floats can be read.
    unsafe fn load_eight(self, from: *const f32) -> Self::E;
    /// # Safety
    /// Eight floats can be written.
    unsafe fn store_eight(self, to: *mut f32, value: Self::E);
    fn mul_eight(self, a: Self::E, b: Self::E) -> Self::E;
    /// a·b + c, rounded once.
    fn mul_add_eight(self, a: Self::E, b: Self::E, c: Self::E) -> Self::E;
    /// Number `2·N` eight times, then number `2·N + 1`; they are in memory too.
    fn spread_two<const N: usize>(self, eight: Self::E, same: &[f32; 8]) -> Self::F;
    /// Four times each of the four numbers from `4·N` on.
    fn spread_four<const N: usize>(self, eight: Self::E) -> Self::F;
    /// Σ of all: the upper eight to the lower, then `rest`, then halves to halves.
    fn total(self, sums: Self::F, rest: Self::E) -> f32;

    /// Brings the cache line of an address near; it need not be readable.
    #[inline(always)]
    fn prefetch(self, _at: *const u8) {}
}
