//! A tile: some tokens by a panel of rows, over the whole depth. Integers stay in registers over a run, floats beside them in
//! the first-level cache.

use crate::simd::{Bytes, rounds};

use super::activations::{RUN, Token};
use super::format::Format;
use super::pack::Panel;

/// Tokens of any tile, and rows, at most.
pub(super) const MOST_TOKENS: usize = 32;
pub(super) const MOST_ROWS: usize = 32;

/// Sums of a tile: `[token][row]`, no vector of them in two cache lines.
#[repr(C, align(64))]
pub(super) struct Sums(pub(super) [[f32; MOST_ROWS]; MOST_TOKENS]);

impl Sums {
    pub(super) fn zeros() -> Self {
        Self([[0.0; MOST_ROWS]; MOST_TOKENS])
    }
}

/// Tokens of a smaller tile, for what is left.
const LEFT: usize = 4;

/// sums ← tokens · panel, for at most `TOKENS` tokens and `16 · VECTORS` rows. Each sum runs over the runs in order; the
/// offset of a run comes after its scale. Where a tile has room for more tokens, the last one is computed again there.
///
/// # Safety
/// The panel is packed, with the signs of its blocks.
#[inline(always)]
pub(super) unsafe fn tile<M: Bytes, F: Format>(m: M, x: &[Token<'_>], panel: Panel, sums: &mut Sums) {
    let sums = &mut sums.0[..];
    // SAFETY: the caller's contract.
    unsafe {
        match M::TOKENS {
            12 if x.len() > 2 * LEFT => tile_of::<M, F, 12>(m, &filled(x), panel, sums),
            6 => tile_of::<M, F, 6>(m, &filled(x), panel, sums),
            _ => {
                for (x, sums) in x.chunks(LEFT).zip(sums.chunks_mut(LEFT)) {
                    tile_of::<M, F, LEFT>(m, &filled(x), panel, sums);
                }
            }
        }
    }
}

fn filled<'a, const T: usize>(x: &[Token<'a>]) -> [Token<'a>; T] {
    std::array::from_fn(|t| x[t.min(x.len() - 1)])
}

/// # Safety
/// As [`tile`], of `T` tokens.
#[inline(always)]
unsafe fn tile_of<M: Bytes, F: Format, const T: usize>(
    m: M,
    x: &[Token<'_>; T],
    panel: Panel,
    sums: &mut [[f32; MOST_ROWS]],
) {
    sums[..T].fill([0.0; MOST_ROWS]);
    for run in 0..panel.runs {
        // SAFETY: the caller's contract.
        unsafe {
            if M::VECTORS == 2 {
                self::run::<M, F, T, 2>(m, (x, run), panel, sums);
            } else {
                self::run::<M, F, T, 1>(m, (x, run), panel, sums);
            }
        }
    }
}

/// Adds the products of a run of 32.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn run<M: Bytes, F: Format, const T: usize, const V: usize>(
    m: M,
    (x, run): (&[Token<'_>; T], usize),
    panel: Panel,
    sums: &mut [[f32; MOST_ROWS]],
) {
    // SAFETY: the caller's contract.
    unsafe {
        if F::SIXTEENS {
            let products = products::<M, F, T, V, 4>(m, (x, run, 0), panel);
            scaled::<M, T, V>(m, (x, run), &products, panel.scales(2 * run), sums);
            let products = products_of_second::<M, F, T, V>(m, (x, run), panel);
            scaled::<M, T, V>(m, (x, run), &products, panel.scales(2 * run + 1), sums);
        } else {
            let products = products::<M, F, T, V, 8>(m, (x, run, 0), panel);
            scaled::<M, T, V>(m, (x, run), &products, panel.scales(run), sums);
        }
        if F::OFFSETS {
            for vector in 0..V {
                let offset = m.load_floats(panel.offsets(run).add(16 * vector));
                for (x, sums) in x.iter().zip(sums.iter_mut()) {
                    let at = sums.as_mut_ptr().add(16 * vector);
                    let sum = m.mul_add(offset, m.splat(x.sums[run]), m.load_floats(at));
                    m.store_floats(at, sum);
                }
            }
        }
    }
}

/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn products_of_second<M: Bytes, F: Format, const T: usize, const V: usize>(
    m: M,
    (x, run): (&[Token<'_>; T], usize),
    panel: Panel,
) -> [[M::S; V]; T] {
    // SAFETY: the caller's contract.
    unsafe { products::<M, F, T, V, 4>(m, (x, run, 4), panel) }
}

/// Σ (q − zero)·r over `QUADS` times four numbers of a run, from four times `first` on.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn products<M: Bytes, F: Format, const T: usize, const V: usize, const QUADS: usize>(
    m: M,
    (x, run, first): (&[Token<'_>; T], usize, usize),
    panel: Panel,
) -> [[M::S; V]; T] {
    let zero = if F::SIGNED { M::SIGNED_ZERO } else { i32::from(F::ZERO) };
    let mut products = [[m.splat_int(0); V]; T];
    if zero > 0 {
        for (x, products) in x.iter().zip(&mut products) {
            let wholes = &x.wholes[2 * run..2 * run + 2];
            let whole = if QUADS == 8 { wholes[0] + wholes[1] } else { wholes[first / 4] };
            *products = [m.splat_int(-zero * whole); V];
        }
    }
    let at = x.map(|x| x.bytes[run * RUN..(run + 1) * RUN].as_ptr());
    let end = first + QUADS;
    if M::NARROW && !F::SIGNED {
        for part in (first..end).step_by(F::NARROW.min(QUADS)) {
            let mut narrow = [[m.splat_int(0); V]; T];
            for quad in part..rounds(part + F::NARROW.min(QUADS)) {
                // SAFETY: the caller's contract.
                unsafe { add::<M, F, T, V, true>(m, (&at, panel), (run, quad), &mut narrow) };
            }
            for (product, narrow) in products.iter_mut().flatten().zip(narrow.into_iter().flatten()) {
                *product = m.widen(*product, narrow);
            }
        }
        return products;
    }
    for quad in first..if M::NARROW { rounds(end) } else { end } {
        // SAFETY: the caller's contract.
        unsafe { add::<M, F, T, V, false>(m, (&at, panel), (run, quad), &mut products) };
    }
    products
}

/// Adds the products of four numbers; `NARROW` in sums that are.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn add<M: Bytes, F: Format, const T: usize, const V: usize, const NARROW: bool>(
    m: M,
    (at, panel): (&[*const i8; T], Panel),
    (run, quad): (usize, usize),
    products: &mut [[M::S; V]; T],
) {
    // SAFETY: the caller's contract.
    unsafe {
        let from = panel.quads(run).add(quad * 4 * panel.width);
        let mut q = [m.splat_byte(0); V];
        for (vector, q) in q.iter_mut().enumerate() {
            *q = m.load(from.add(64 * vector));
        }
        for (at, products) in at.iter().zip(products) {
            let x = m.splat_four(at.add(4 * quad));
            for (product, &q) in products.iter_mut().zip(&q) {
                *product = if NARROW {
                    m.dot_narrow(*product, q, x)
                } else if F::SIGNED {
                    m.dot_signed(*product, q, x)
                } else {
                    m.dot(*product, q, x)
                };
            }
        }
    }
}

/// Adds products times the scales of both sides.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn scaled<M: Bytes, const T: usize, const V: usize>(
    m: M,
    (x, run): (&[Token<'_>; T], usize),
    products: &[[M::S; V]; T],
    scales: *const f32,
    sums: &mut [[f32; MOST_ROWS]],
) {
    for vector in 0..V {
        // SAFETY: the caller's contract; sums have a place for each row.
        unsafe {
            let scale = m.load_floats(scales.add(16 * vector));
            for ((x, products), sums) in x.iter().zip(products).zip(sums.iter_mut()) {
                let at = sums.as_mut_ptr().add(16 * vector);
                let both = m.mul(scale, m.splat(x.scales[run]));
                m.store_floats(at, m.mul_add(m.to_float(products[vector]), both, m.load_floats(at)));
            }
        }
    }
}
