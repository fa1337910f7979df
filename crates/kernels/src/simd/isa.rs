//! Which instruction sets there are, which of them this machine has, and how a kernel is run with one.

use super::bytes::{self, ByteKernel};
use super::lanes::Kernel;
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::{amx, avx2, avx512};

/// An instruction set that kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust, on every machine.
    Portable,
    /// aarch64: NEON.
    Neon,
    /// x86-64: AVX2, FMA and F16C.
    Avx2,
    /// As `Avx2`, with products of bytes: AVX-VNNI.
    Avx2Vnni,
    /// x86-64: AVX-512 F, BW, DQ and VL.
    Avx512,
    /// As `Avx512`, with products of bytes: AVX512-VNNI.
    Avx512Vnni,
    /// As `Avx512Vnni`, with products of bf16 pairs.
    Avx512Bf16,
    /// As `Avx512Bf16`, with products of whole tiles of such pairs and of bytes: AMX-BF16 and AMX-INT8, on Linux.
    Amx,
}

impl Isa {
    const ALL: [Self; 8] = [
        Self::Portable,
        Self::Neon,
        Self::Avx2,
        Self::Avx2Vnni,
        Self::Avx512,
        Self::Avx512Vnni,
        Self::Avx512Bf16,
        Self::Amx,
    ];

    /// Every instruction set that this machine runs, slowest first; `Portable` always leads.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// The fastest one that this machine runs.
    pub fn best() -> Self {
        Self::available().into_iter().max().unwrap_or(Self::Portable)
    }

    /// Whether this machine runs it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Vnni => bytes::avx2::vnni_detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => bytes::avx512::detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => bytes::avx512::detected() && avx512::pairs_detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Amx => Self::Avx512Bf16.is_available() && amx::detected(),
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => false,
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx2Vnni | Self::Avx512 | Self::Avx512Vnni | Self::Avx512Bf16 | Self::Amx => {
                false
            }
        }
    }

    /// Whether it multiplies pairs of bf16.
    pub(crate) fn has_pairs(self) -> bool {
        matches!(self, Self::Avx512Bf16 | Self::Amx)
    }

    /// Whether its pairs of bf16 are multiplied faster than as many f32. In vectors they are on AMD's machines, at twice the
    /// rate; on Intel's at half of it, but there tiles have many times the rate. Known by maker and not measured, so that a
    /// result does not hang on what else the machine is doing.
    pub(crate) fn has_fast_pairs(self) -> bool {
        match self {
            Self::Portable | Self::Neon | Self::Avx2 | Self::Avx2Vnni | Self::Avx512 | Self::Avx512Vnni => {
                false
            }
            Self::Avx512Bf16 => !made_by_intel(),
            Self::Amx => true,
        }
    }

    /// The same with vectors of at most 256 bits, which every machine with the longer ones has too.
    pub(crate) fn narrow(self) -> Self {
        match self {
            Self::Portable | Self::Neon | Self::Avx2 | Self::Avx2Vnni => self,
            Self::Avx512 | Self::Avx512Vnni | Self::Avx512Bf16 | Self::Amx => Self::Avx2,
        }
    }

    /// Runs `kernel` with this instruction set.
    ///
    /// # Safety
    /// The machine must have it.
    #[inline]
    pub(crate) unsafe fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable => kernel.run(portable::Portable),
            // SAFETY: the caller's contract, in each arm.
            #[cfg(target_arch = "aarch64")]
            Self::Neon => unsafe { neon::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx2 | Self::Avx2Vnni => unsafe { avx2::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 | Self::Avx512Vnni => unsafe { avx512::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512Bf16 => unsafe { avx512::run_pairs(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Amx => unsafe { avx512::run_tiles(kernel) },
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => kernel.run(portable::Portable),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx2Vnni | Self::Avx512 | Self::Avx512Vnni | Self::Avx512Bf16 | Self::Amx => {
                kernel.run(portable::Portable)
            }
        }
    }

    /// Runs a kernel over bytes with this instruction set.
    ///
    /// # Safety
    /// The machine must have it.
    #[inline]
    pub(crate) unsafe fn run_bytes<K: ByteKernel>(self, kernel: K) {
        match self {
            // What NEON has of its own here, compilers find.
            Self::Portable | Self::Neon => kernel.run(bytes::plain::Plain),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the caller's contract, in each arm; whatever has AVX-512 has AVX2.
            Self::Avx2 | Self::Avx512 => unsafe { bytes::avx2::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx2Vnni => unsafe { bytes::avx2::run_vnni(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512Vnni | Self::Avx512Bf16 | Self::Amx => unsafe { bytes::avx512::run(kernel) },
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx2Vnni | Self::Avx512 | Self::Avx512Vnni | Self::Avx512Bf16 | Self::Amx => {
                kernel.run(bytes::plain::Plain)
            }
        }
    }
}

/// Whether this machine's processor is one of Intel's.
#[cfg(target_arch = "x86_64")]
fn made_by_intel() -> bool {
    static FOUND: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *FOUND.get_or_init(|| {
        let leaf = std::arch::x86_64::__cpuid(0);
        let name = [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes);
        name.as_flattened() == b"GenuineIntel"
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn made_by_intel() -> bool {
    false
}
