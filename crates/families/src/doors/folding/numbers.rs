//! The numbers of rows in f64, after what is done to them.

use std::ops::Range;
use std::sync::Arc;

use camelid_checkpoint::{Checkpoint, Error, Tensor};

use crate::doors::folding::recipe::{Numbers, Piece, Step};

/// So many numbers are looked at at a time where a whole tensor is asked for one vector.
const AT_A_TIME: usize = 1 << 20;

/// Where numbers come from, and the vectors that steps were found to need.
#[derive(Debug)]
pub(super) struct Source<'a> {
    checkpoint: &'a Checkpoint,
    /// The last tensor whose rows do not lie in order, gathered.
    gathered: Option<Tensor>,
    /// By the address of the pieces that each was made of, which the recipe keeps for as long as this lives.
    vectors: Vec<(usize, Arc<[f64]>)>,
}

/// Rows, with all that is needed to compute them.
#[derive(Debug)]
pub(super) struct Rows {
    /// None for zeros.
    tensor: Option<Tensor>,
    count: usize,
    /// Numbers in a row, before any step.
    row: usize,
    steps: Vec<Ready>,
}

/// A [`Step`], with its vector.
#[derive(Debug)]
enum Ready {
    Scale(f64),
    Add(f64),
    Unit,
    Centre,
    Less(Arc<[f64]>),
    Dot(Arc<[f64]>),
    Plus(Box<Rows>),
}

impl<'a> Source<'a> {
    pub(super) fn new(checkpoint: &'a Checkpoint) -> Source<'a> {
        Source { checkpoint, gathered: None, vectors: Vec::new() }
    }

    /// Some rows of a piece, counted from its own first; `row` is how long they are where they are zeros.
    pub(super) fn rows(&mut self, piece: &Piece, range: Range<usize>, row: usize) -> Result<Rows, Error> {
        let steps = piece.steps.iter().map(|step| self.ready(step, &range)).collect::<Result<_, _>>()?;
        let count = range.len();
        let Numbers::Rows { tensor, rows } = &piece.from else {
            return Ok(Rows { tensor: None, count, row, steps });
        };
        let tensor = self.tensor(tensor, rows.start + range.start..rows.start + range.end)?;
        let row = tensor.elements().checked_div(count).unwrap_or_default();
        Ok(Rows { tensor: Some(tensor), count, row, steps })
    }

    /// How many numbers have to be looked at for one row of a piece, one at least.
    pub(super) fn width(&self, piece: &Piece) -> usize {
        let own = match &piece.from {
            Numbers::Zeros(_) => 1,
            Numbers::Rows { tensor, rows: _ } => self
                .checkpoint
                .tensor(tensor)
                .map_or(1, |tensor| tensor.elements() / tensor.shape().first().copied().unwrap_or(1).max(1)),
        };
        let others = piece.steps.iter().filter_map(|step| match step {
            Step::Plus(other) => Some(self.width(other)),
            Step::Scale(_) | Step::Add(_) | Step::Unit | Step::Centre | Step::LessMean(_) | Step::Dot(_) => {
                None
            }
        });
        others.fold(own, usize::max).max(1)
    }

    fn ready(&mut self, step: &Step, range: &Range<usize>) -> Result<Ready, Error> {
        Ok(match step {
            Step::Scale(factor) => Ready::Scale(*factor),
            Step::Add(number) => Ready::Add(*number),
            Step::Unit => Ready::Unit,
            Step::Centre => Ready::Centre,
            Step::LessMean(pieces) => Ready::Less(self.vector(pieces, Source::mean)?),
            Step::Dot(pieces) => Ready::Dot(self.vector(pieces, Source::all)?),
            Step::Plus(piece) => Ready::Plus(Box::new(self.rows(piece, range.clone(), 1)?)),
        })
    }

    /// A vector that is made of pieces, once.
    fn vector(
        &mut self,
        pieces: &Arc<[Piece]>,
        make: fn(&mut Source<'a>, &[Piece]) -> Result<Vec<f64>, Error>,
    ) -> Result<Arc<[f64]>, Error> {
        let place = pieces.as_ptr().addr();
        if let Some((_, vector)) = self.vectors.iter().find(|(known, _)| *known == place) {
            return Ok(Arc::clone(vector));
        }
        let vector: Arc<[f64]> = make(self, pieces)?.into();
        self.vectors.push((place, Arc::clone(&vector)));
        Ok(vector)
    }

    /// All numbers, one after the other.
    fn all(&mut self, pieces: &[Piece]) -> Result<Vec<f64>, Error> {
        let mut all = Vec::new();
        self.each(pieces, |numbers, _| all.extend(numbers))?;
        Ok(all)
    }

    /// The mean of all rows.
    fn mean(&mut self, pieces: &[Piece]) -> Result<Vec<f64>, Error> {
        let (mut sums, mut count): (Vec<f64>, usize) = (Vec::new(), 0);
        self.each(pieces, |numbers, rows| {
            let row = numbers.len() / rows;
            sums.resize(row, 0.0);
            for numbers in numbers.chunks(row.max(1)) {
                sums.iter_mut().zip(numbers).for_each(|(sum, x)| *sum += x);
            }
            count += rows;
        })?;
        sums.iter_mut().for_each(|sum| *sum /= count.max(1) as f64);
        Ok(sums)
    }

    /// Shows the numbers of pieces, of some rows at a time.
    fn each(&mut self, pieces: &[Piece], mut see: impl FnMut(Vec<f64>, usize)) -> Result<(), Error> {
        for piece in pieces {
            let at_a_time = (AT_A_TIME / self.width(piece)).max(1);
            for start in (0..piece.rows()).step_by(at_a_time) {
                let end = piece.rows().min(start + at_a_time);
                see(self.rows(piece, start..end, 1)?.numbers()?, end - start);
            }
        }
        Ok(())
    }

    fn tensor(&mut self, name: &str, range: Range<usize>) -> Result<Tensor, Error> {
        let missing = || Error::Tensor {
            path: self.checkpoint.path().to_owned(),
            tensor: name.to_owned(),
            problem: "it is gone".into(),
        };
        if let Some(gathered) = self.gathered.as_ref().filter(|tensor| tensor.name() == name) {
            return gathered.rows(range);
        }
        let tensor = self.checkpoint.tensor(name).ok_or_else(missing)?;
        match tensor.rows(range.clone()) {
            Ok(rows) => Ok(rows),
            // Its numbers lie in another order in the file.
            Err(_) => {
                let bytes = tensor.bytes()?;
                let gathered = Tensor::from_bytes(name, tensor.dtype(), tensor.shape(), bytes)?;
                self.gathered.insert(gathered).rows(range)
            }
        }
    }
}

impl Rows {
    /// The rows as they are stored, where nothing is done to them; none for zeros.
    pub(super) fn stored(&self) -> Option<&Tensor> {
        self.tensor.as_ref().filter(|_| self.steps.is_empty())
    }

    pub(super) fn are_zeros(&self) -> bool {
        self.tensor.is_none() && self.steps.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Their numbers, in f64.
    pub(super) fn numbers(&self) -> Result<Vec<f64>, Error> {
        let mut numbers = match &self.tensor {
            Some(tensor) => tensor.to_f64()?,
            None => vec![0.0; self.count * self.row],
        };
        let mut row = self.row.max(1);
        for step in &self.steps {
            match step {
                Ready::Scale(factor) => numbers.iter_mut().for_each(|x| *x *= factor),
                Ready::Add(number) => numbers.iter_mut().for_each(|x| *x += number),
                Ready::Unit => numbers.chunks_mut(row).for_each(unit),
                Ready::Centre => numbers.chunks_mut(row).for_each(centre),
                Ready::Less(mean) => {
                    numbers
                        .chunks_mut(row)
                        .for_each(|row| row.iter_mut().zip(&**mean).for_each(|(x, m)| *x -= m));
                }
                Ready::Dot(vector) => {
                    let dot = |row: &[f64]| row.iter().zip(&**vector).map(|(x, v)| x * v).sum();
                    numbers = numbers.chunks(row).map(dot).collect();
                    row = 1;
                }
                Ready::Plus(other) => {
                    numbers.iter_mut().zip(other.numbers()?).for_each(|(x, more)| *x += more);
                }
            }
        }
        Ok(numbers)
    }
}

fn unit(row: &mut [f64]) {
    let length = row.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
    row.iter_mut().for_each(|x| *x /= length);
}

fn centre(row: &mut [f64]) {
    let mean = row.iter().sum::<f64>() / row.len().max(1) as f64;
    row.iter_mut().for_each(|x| *x -= mean);
}
