//! Many tokens: rows of a weight are packed, a part's into a buffer that stays in the second-level cache, and meet the
//! tokens tile by tile.

use std::marker::PhantomData;
use std::ops::Range;

use crate::product::many::part_rows;
use crate::product::region::{Job, Region};
#[cfg(target_arch = "x86_64")]
use crate::simd::amx::TileRegisters;
use crate::simd::{ByteKernel, Bytes};
use crate::{Backend, Isa, Rows};

use super::activations::{Rounded, Token};
use super::format::{Format, with_format};
use super::pack::{Panel, pack};
use super::tile::{MOST_ROWS, MOST_TOKENS, Sums, tile};
#[cfg(target_arch = "x86_64")]
use super::tiles;

pub(super) fn multiply(backend: &Backend, region: Region<'_>, x: Rounded<'_>) {
    let step = part_rows(backend.threads(), &region);
    backend.run(region.parts(step), |part| {
        let (job, rows) = region.locate(part, step);
        let Rows::Blocks(blocks, weight) = job.weights[0] else { return };
        let part = Part { backend, region, x, job, rows, weight };
        with_format!(blocks, F => backend.call_bytes(Tiles::<F> { part, format: PhantomData }));
    });
}

/// All tokens by some rows of a weight.
pub(super) struct Part<'a> {
    pub(super) backend: &'a Backend,
    pub(super) region: Region<'a>,
    pub(super) x: Rounded<'a>,
    pub(super) job: &'a Job<'a>,
    pub(super) rows: Range<usize>,
    pub(super) weight: &'a [u8],
}

struct Tiles<'a, F> {
    part: Part<'a>,
    format: PhantomData<F>,
}

impl<F: Format> ByteKernel for Tiles<'_, F> {
    #[inline(always)]
    fn run<M: Bytes>(self, m: M) {
        let part = self.part;
        let width = 16 * M::VECTORS;
        let tiles = M::TILES && part.backend.isa() == Isa::Amx;
        let places = Panel::places(width, part.x.runs());
        let mut buffer = part.backend.scratch().buffer(places * part.rows.len().div_ceil(width));
        let panels = part.panels(buffer.as_mut_ptr(), width);
        // No closures here: one that is not inlined would lose the instruction set.
        for (rows, panel) in panels.clone() {
            // SAFETY: there is room for each panel.
            unsafe {
                if M::TILES && tiles {
                    pack::<M, F, true>(m, part.rows_of::<F>(), rows, panel);
                } else {
                    pack::<M, F, false>(m, part.rows_of::<F>(), rows, panel);
                }
            }
        }
        #[cfg(target_arch = "x86_64")]
        if M::TILES && tiles {
            return part.tiles::<M, F>(m, &panels);
        }
        let mut sums = Sums::zeros();
        for first in (0..part.region.tokens).step_by(M::TOKENS) {
            let count = M::TOKENS.min(part.region.tokens - first);
            let x: [Token<'_>; MOST_TOKENS] = std::array::from_fn(|t| part.x.token(first + t.min(count - 1)));
            for (rows, panel) in panels.clone() {
                // SAFETY: it is packed.
                unsafe { tile::<M, F>(m, &x[..count], panel, &mut sums) };
                part.write(first..first + count, rows, &sums);
            }
        }
    }
}

impl Part<'_> {
    /// The weight's bytes, and how many a row has.
    pub(super) fn rows_of<F: Format>(&self) -> (&[u8], usize) {
        (self.weight, self.region.cols / F::BLOCKS.numbers() * F::BLOCKS.bytes())
    }

    /// The panels of the part's rows, each with its rows.
    pub(super) fn panels(
        &self,
        at: *mut f32,
        width: usize,
    ) -> impl Iterator<Item = (Range<usize>, Panel)> + Clone + use<> {
        let (rows, runs) = (self.rows.clone(), self.x.runs());
        rows.clone().step_by(width).enumerate().map(move |(index, first)| {
            let at = at.wrapping_add(index * Panel::places(width, runs));
            (first..rows.end.min(first + width), Panel { at, width, runs })
        })
    }

    /// All tokens by packed panels, in tiles of AMX, which there must be.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn tiles<M: Bytes, F: Format>(
        &self,
        m: M,
        panels: &(impl Iterator<Item = (Range<usize>, Panel)> + Clone),
    ) {
        let mut sums = Sums::zeros();
        let mut products = tiles::Products::pair();
        for first in (0..self.region.tokens).step_by(MOST_TOKENS) {
            let count = MOST_TOKENS.min(self.region.tokens - first);
            // SAFETY: the backend's instruction set was found available.
            let _ready = unsafe { TileRegisters::configure_for(count, tiles::unit::<F>()) };
            for (rows, panel) in panels.clone() {
                // SAFETY: configured for this; the panel is packed, and as wide as VNNI makes it.
                unsafe { tiles::tile::<M, F>(m, (self.x, first, count), panel, (&mut products, &mut sums)) };
                self.write(first..first + count, rows, &sums);
            }
        }
    }

    /// Writes the sums of some tokens and rows to their places.
    pub(super) fn write(&self, tokens: Range<usize>, rows: Range<usize>, sums: &Sums) {
        for (token, sums) in tokens.zip(&sums.0) {
            let at = token * self.job.rows + rows.start;
            // SAFETY: each result is this part's own, and there is room for each token and row.
            unsafe {
                let to = self.job.out.get().add(at);
                match rows.len() {
                    // A copy of a known length is no call.
                    MOST_ROWS => to.cast::<[f32; MOST_ROWS]>().write_unaligned(*sums),
                    rows => std::ptr::copy_nonoverlapping(sums.as_ptr(), to, rows),
                }
            }
        }
    }
}
