//! AMX: registers of 16 rows by 64 bytes, and one instruction that multiplies two of them, 16 × 32 bf16 by 32 × 16.
//!
//! ```text
//!                      right  B₀ [16 units, 16]   B₁
//! left  A₀ [16, 16 units]     C₀₀ [16, 16]        C₀₁        a unit is a pair of bf16, so both operands lie
//!       A₁                    C₁₀                 C₁₁        as they do for vectors
//! ```
//!
//! The compiler knows neither these registers nor their instructions, so a whole tile is one block of assembly.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

use super::operands::{CHUNK, Left, Out, Right, Write};

/// Rows of a register.
const REGISTER_ROWS: usize = 16;

/// Rows of a tile: two registers, as there are two of the right operand; the four products fill the rest.
pub(super) const ROWS: usize = 2 * REGISTER_ROWS;

/// Whether the machine has the instructions and the system saves their registers, which it does on demand only.
pub(super) fn detected() -> bool {
    static DETECTED: OnceLock<bool> = OnceLock::new();
    *DETECTED.get_or_init(|| has_instructions() && system_allows())
}

fn has_instructions() -> bool {
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    const AMX_INT8: u32 = 1 << 25;
    const ALL: u32 = AMX_BF16 | AMX_TILE | AMX_INT8;
    // Leaf 7 can be asked for: `detected` is, after AVX-512 was found there.
    let features = __cpuid_count(7, 0).edx;
    features & ALL == ALL
}

#[cfg(target_os = "linux")]
fn system_allows() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers, and changes nothing but what this process may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn system_allows() -> bool {
    false
}

/// The registers of this thread, configured; released when dropped, so that the system need not save them.
pub(crate) struct TileRegisters(());

/// What `ldtilecfg` reads: the shape of each register.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl TileRegisters {
    /// For tiles of `rows` rows, at most [`ROWS`].
    ///
    /// # Safety
    /// Tiles were detected.
    #[inline(always)]
    pub(super) unsafe fn configure(rows: usize) -> Self {
        // SAFETY: the caller's contract.
        unsafe { Self::configure_for(rows, 64) }
    }

    /// The same where a row of the left operand has `depth` bytes: at most 64, and in whole units of four.
    ///
    /// # Safety
    /// Tiles were detected.
    #[inline(always)]
    pub(crate) unsafe fn configure_for(rows: usize, depth: usize) -> Self {
        debug_assert!((1..=ROWS).contains(&rows) && depth <= 64);
        let (first, second) = (rows.min(REGISTER_ROWS), rows.saturating_sub(REGISTER_ROWS));
        let mut config =
            Config { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        let sums = [(first, 64), (first, 64), (second, 64), (second, 64)];
        let operands = [(first, depth), (second, depth), (depth / 4, 64), (depth / 4, 64)];
        for (register, (rows, bytes)) in sums.into_iter().chain(operands).enumerate() {
            config.rows[register] = rows as u8;
            config.row_bytes[register] = if rows > 0 { bytes as u16 } else { 0 };
        }
        // SAFETY: the caller's contract; the configuration is one that the instruction takes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &config, options(nostack, readonly)) };
        Self(())
    }
}

impl Drop for TileRegisters {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: there are tile registers, or there would be no `self`.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// One tile: see [`crate::register::Units::tile`]. Each chunk's products are summed by themselves, in order, the first
/// halves of the pairs apart from the second ones; then the chunks. Subnormal numbers count as 0.
///
/// # Safety
/// As there; [`TileRegisters`] are configured for `rows` rows, and the depth is in whole chunks.
#[inline(always)]
pub(super) unsafe fn tile<const N: usize>((rows, depth): (usize, usize), left: Left, right: Right, out: Out) {
    debug_assert!(depth.is_multiple_of(CHUNK));
    // SAFETY: the caller's contract.
    unsafe {
        if rows > REGISTER_ROWS {
            multiply::<2, N>(depth / CHUNK, left, right, out);
        } else {
            multiply::<1, N>(depth / CHUNK, left, right, out);
        }
    }
}

/// `R` registers of the left operand by `N` of the right one.
///
/// # Safety
/// As [`tile`], with rows for `R` registers.
#[inline(always)]
unsafe fn multiply<const R: usize, const N: usize>(chunks: usize, left: Left, right: Right, out: Out) {
    let [left_row, left_chunk, right_row, out_row] =
        [left.row, left.chunk, right.stride, out.stride].map(|units| units * size_of::<f32>());
    let second = |at: *const u8, row: usize| at.wrapping_add(REGISTER_ROWS * row);
    // SAFETY: the caller's contract: the registers are configured, and memory is read and written as the tile says.
    unsafe {
        asm!(
            "test {add}, {add}", "jnz 2f",
            "tilezero tmm0",
            ".if {n} == 2", "tilezero tmm1", ".endif",
            ".if {r} == 2", "tilezero tmm2", ".endif",
            ".if {r} * {n} == 4", "tilezero tmm3", ".endif",
            "jmp 3f",
            "2:",
            "tileloadd tmm0, [{out} + {out_row}]",
            ".if {n} == 2", "tileloadd tmm1, [{out} + {out_row} + 64]", ".endif",
            ".if {r} == 2", "tileloadd tmm2, [{out_1} + {out_row}]", ".endif",
            ".if {r} * {n} == 4", "tileloadd tmm3, [{out_1} + {out_row} + 64]", ".endif",
            "3:",
            "test {chunks}, {chunks}", "jz 5f",
            "4:",
            "tileloadd tmm4, [{left} + {left_row}]",
            "tileloadd tmm6, [{right} + {right_row}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            ".if {n} == 2",
            "tileloadd tmm7, [{right} + {right_row} + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            ".endif",
            ".if {r} == 2",
            "tileloadd tmm5, [{left_1} + {left_row}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "add {left_1}, {left_chunk}",
            ".endif",
            ".if {r} * {n} == 4", "tdpbf16ps tmm3, tmm5, tmm7", ".endif",
            "add {left}, {left_chunk}",
            "add {right}, {right_chunk}",
            "dec {chunks}", "jnz 4b",
            "5:",
            "tilestored [{out} + {out_row}], tmm0",
            ".if {n} == 2", "tilestored [{out} + {out_row} + 64], tmm1", ".endif",
            ".if {r} == 2", "tilestored [{out_1} + {out_row}], tmm2", ".endif",
            ".if {r} * {n} == 4", "tilestored [{out_1} + {out_row} + 64], tmm3", ".endif",
            r = const R,
            n = const N,
            add = in(reg) usize::from(out.write == Write::Add),
            chunks = inout(reg) chunks => _,
            left = inout(reg) left.at => _,
            left_1 = inout(reg) second(left.at.cast(), left_row) => _,
            left_row = in(reg) left_row,
            left_chunk = in(reg) left_chunk,
            right = inout(reg) right.at => _,
            right_row = in(reg) right_row,
            right_chunk = in(reg) REGISTER_ROWS * right_row,
            out = in(reg) out.at,
            out_1 = in(reg) second(out.at.cast_const().cast(), out_row),
            out_row = in(reg) out_row,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// out ← left · right for signed bytes: up to 32 rows of the left operand, of as many bytes as the registers are
/// [configured](TileRegisters::configure_for) for, by 32 columns. A row of the right operand has four bytes of each column,
/// and one of `out` 32 sums; 128 bytes both.
///
/// # Safety
/// The registers are configured for `rows`; left and right can be read, and `out` be written.
#[inline(always)]
pub(crate) unsafe fn multiply_bytes(
    rows: usize,
    (left, left_row): (*const i8, usize),
    right: *const u8,
    out: *mut i32,
) {
    // SAFETY: the caller's contract.
    unsafe {
        if rows > REGISTER_ROWS {
            bytes_of::<2>((left, left_row), right, out);
        } else {
            bytes_of::<1>((left, left_row), right, out);
        }
    }
}

/// `R` registers of the left operand.
///
/// # Safety
/// As [`multiply_bytes`], with rows for `R` registers.
#[inline(always)]
unsafe fn bytes_of<const R: usize>((left, left_row): (*const i8, usize), right: *const u8, out: *mut i32) {
    // SAFETY: the caller's contract: the registers are configured, and memory is read and written as they say.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            ".if {r} == 2", "tilezero tmm2", "tilezero tmm3", ".endif",
            "tileloadd tmm4, [{left} + {left_row}]",
            "tileloadd tmm6, [{right} + {row}]",
            "tdpbssd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{right} + {row} + 64]",
            "tdpbssd tmm1, tmm4, tmm7",
            ".if {r} == 2",
            "tileloadd tmm5, [{left_1} + {left_row}]",
            "tdpbssd tmm2, tmm5, tmm6",
            "tdpbssd tmm3, tmm5, tmm7",
            ".endif",
            "tilestored [{out} + {row}], tmm0",
            "tilestored [{out} + {row} + 64], tmm1",
            ".if {r} == 2",
            "tilestored [{out_1} + {row}], tmm2",
            "tilestored [{out_1} + {row} + 64], tmm3",
            ".endif",
            r = const R,
            left = in(reg) left,
            left_1 = in(reg) left.wrapping_add(REGISTER_ROWS * left_row),
            left_row = in(reg) left_row,
            right = in(reg) right,
            out = in(reg) out,
            out_1 = in(reg) out.wrapping_add(REGISTER_ROWS * 32),
            row = in(reg) 128_usize,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
