//! The numbers of a result, chunk by chunk: moved as bytes where they only move, else computed in f64 and rounded once.
//!
//! What moves in one piece is a share of the source's bytes. Everything else is gathered in a buffer, whose parts the threads
//! fill side by side: rows that were put into another order, rows that are computed, zeros.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use camelid_checkpoint::{Checkpoint, Dtype, Error, Tensor};
use camelid_kernels::Backend;

use crate::doors::folding::numbers::{Rows, Source};
use crate::doors::folding::recipe::{Numbers, Piece, Rearranged};
pub use crate::doors::folding::rounding::Rounding;
use crate::doors::folding::rounding::round;

/// So many bytes move at a time, about.
const MOVED: usize = 1 << 22;
/// Fewer than these are gathered with what follows.
const FEW: usize = 1 << 18;
/// So many bytes are gathered or computed at a time, about.
const GATHERED: usize = 1 << 20;
/// So many of them are one thread's part, about.
const PART: usize = 1 << 16;

/// A tensor of the result, on its way.
#[derive(Debug)]
pub struct Stream<'a> {
    checkpoint: &'a Checkpoint,
    source: Source<'a>,
    backend: &'a Backend,
    pieces: std::slice::Iter<'a, Piece>,
    dtype: Dtype,
    /// Numbers in a row, and the bytes that they take.
    row: usize,
    row_bytes: usize,
    /// What is left of the piece at hand: the piece, and the first row that was not given yet.
    at: Option<(&'a Piece, usize)>,
    /// What was rounded so far.
    pub rounding: Rounding,
}

/// What one thread fills.
struct Part<'a> {
    rows: Vec<Rows>,
    out: &'a mut [u8],
}

impl Rearranged {
    /// Its numbers in a type that holds single numbers, or as they are stored, in order.
    #[must_use]
    pub fn stream<'a>(
        &'a self,
        checkpoint: &'a Checkpoint,
        dtype: Dtype,
        backend: &'a Backend,
    ) -> Stream<'a> {
        let row: usize = self.shape.get(1..).unwrap_or_default().iter().product();
        let (numbers, bytes) = dtype.block();
        Stream {
            checkpoint,
            source: Source::new(checkpoint),
            backend,
            pieces: self.pieces.iter(),
            dtype,
            row,
            row_bytes: row * bytes / numbers,
            at: None,
            rounding: Rounding::default(),
        }
    }
}

/// The tensors of a result, in memory: for models that fit there twice.
///
/// # Errors
/// A tensor of the source can't be read.
pub fn in_memory(
    tensors: &[Rearranged],
    checkpoint: &Checkpoint,
    dtype: Dtype,
) -> Result<Vec<Tensor>, Error> {
    let backend = Backend::serial();
    let whole = |tensor: &Rearranged| {
        let mut bytes = Vec::new();
        for piece in tensor.stream(checkpoint, dtype, &backend) {
            bytes.extend_from_slice(&piece?);
        }
        Tensor::from_bytes(&tensor.name, dtype, &tensor.shape, bytes.into())
    };
    tensors.iter().map(whole).collect()
}

impl Iterator for Stream<'_> {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (piece, start) = self.piece()?;
        let moved = self.fitting(piece, start, MOVED);
        if moved * self.row_bytes >= FEW && self.moves(piece) {
            return Some(self.next_rows(piece, start, moved).and_then(|rows| match rows.stored() {
                Some(tensor) => tensor.bytes(),
                None => Ok(vec![0; moved * self.row_bytes].into()),
            }));
        }
        self.at = Some((piece, start));
        Some(self.filled())
    }
}

impl<'a> Stream<'a> {
    /// The piece at hand, or the next, and its first row that was not given yet.
    fn piece(&mut self) -> Option<(&'a Piece, usize)> {
        self.at.take().or_else(|| Some((self.pieces.next()?, 0)))
    }

    /// How many of a piece's rows take about so many bytes, one at least.
    fn fitting(&self, piece: &Piece, start: usize, bytes: usize) -> usize {
        // A row that is made of many numbers, be it a single one in the end, counts as these.
        let row = self.row_bytes.max(2 * self.source.width(piece));
        (piece.rows() - start).min((bytes / row).max(1))
    }

    /// Whether a piece's rows are stored as they are.
    fn moves(&self, piece: &Piece) -> bool {
        let same = |tensor: &Tensor| tensor.dtype() == self.dtype;
        let stored = match &piece.from {
            Numbers::Zeros(_) => true,
            Numbers::Rows { tensor, rows: _ } => self.checkpoint.tensor(tensor).is_some_and(same),
        };
        stored && piece.steps.is_empty()
    }

    /// The next rows of a piece.
    fn next_rows(&mut self, piece: &'a Piece, start: usize, count: usize) -> Result<Rows, Error> {
        self.at = (start + count < piece.rows()).then_some((piece, start + count));
        self.source.rows(piece, start..start + count, self.row)
    }

    /// The next rows, of as many pieces as it takes, gathered and computed.
    fn filled(&mut self) -> Result<Bytes, Error> {
        let (mut groups, mut total) = (vec![(Vec::new(), 0)], 0);
        while total < GATHERED {
            let Some((piece, start)) = self.piece() else { break };
            let count = self.fitting(piece, start, PART);
            let rows = self.next_rows(piece, start, count)?;
            let bytes = count * self.row_bytes;
            if groups.last().is_none_or(|(_, held)| *held >= PART) {
                groups.push((Vec::new(), 0));
            }
            if let Some((group, held)) = groups.last_mut() {
                group.push(rows);
                *held += bytes;
            }
            total += bytes;
        }
        let mut out = vec![0; total];
        let mut left = out.as_mut_slice();
        let mut parts = Vec::new();
        for (rows, bytes) in groups {
            let (own, after) = std::mem::take(&mut left).split_at_mut(bytes);
            parts.push(Part { rows, out: own });
            left = after;
        }
        let found = Mutex::new(Ok(self.rounding));
        self.backend.run_each(&mut parts, |_, part| {
            let rounding = part.fill(self.dtype, self.row);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match (&mut *found, rounding) {
                (Ok(known), Ok(rounding)) => *known = known.and(rounding),
                (Ok(_), Err(error)) => *found = Err(error),
                (Err(_), _) => {}
            }
        });
        self.rounding = found.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        Ok(out.into())
    }
}

impl Part<'_> {
    /// Writes its rows, each number rounded once.
    fn fill(&mut self, dtype: Dtype, row: usize) -> Result<Rounding, Error> {
        let mut left = &mut *self.out;
        let mut rounding = Rounding::default();
        let (numbers, bytes) = dtype.block();
        for rows in &self.rows {
            let (own, after) = left.split_at_mut(rows.count() * row * bytes / numbers);
            left = after;
            match rows.stored() {
                Some(tensor) if tensor.dtype() == dtype => own.copy_from_slice(&tensor.bytes()?),
                None if rows.are_zeros() => {}
                Some(_) | None => rounding = rounding.and(round(&rows.numbers()?, dtype, own)),
            }
        }
        Ok(rounding)
    }
}
