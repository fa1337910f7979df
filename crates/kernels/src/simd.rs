//! One vocabulary of vectors for every instruction set, so that each kernel is written once.
//!
//! A [`Kernel`] is generic over [`Simd`]; [`Isa::run`] compiles it once per instruction set, inside a function that has
//! the features switched on, and calls the one asked for. Everything beneath is `#[inline(always)]`, so that it takes
//! on these features.

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bytes;
mod integers;
mod isa;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod operands;
mod portable;

pub(crate) use bytes::{ByteKernel, Bytes};
pub(crate) use integers::widen;
pub use isa::Isa;
pub(crate) use lanes::{Element, Kernel, MOST_LANES, Ready, Simd, rounds, unseen};
pub(crate) use operands::{CHUNK, Left, Out, Right, Write};
