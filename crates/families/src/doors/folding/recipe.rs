//! Of which rows each tensor of the result is made, and what is done to the numbers in them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::composed::loaded::weights::runs;
use crate::waist::architecture::Architecture;
use crate::waist::plan::{Part, Planned};
use crate::waist::roles::Role;

/// A layer, a role, its weight or its bias, and one of its experts.
pub(crate) type Place = (Option<usize>, Role, Part, Option<usize>);

/// A tensor of the target, made of rows of the source's.
#[derive(Debug, Clone, PartialEq)]
pub struct Rearranged {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The rows, in order.
    pub pieces: Vec<Piece>,
}

/// Rows of a result: where their numbers come from, and what is done to each row, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Where they come from.
    pub from: Numbers,
    /// What is done to each row, in f64.
    pub steps: Vec<Step>,
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbers {
    /// Rows of a tensor of the source.
    Rows {
        /// The tensor's name.
        tensor: String,
        /// Which.
        rows: Range<usize>,
    },
    /// So many rows of zeros.
    Zeros(usize),
}

/// What is done to the numbers x of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// x · factor.
    Scale(f64),
    /// x + number.
    Add(f64),
    /// x / max(‖x‖, 10⁻¹²).
    Unit,
    /// x − mean x.
    Centre,
    /// x less the mean of all rows of these pieces, which are as long.
    LessMean(Arc<[Piece]>),
    /// x · v, one number in place of the row: v is what these pieces hold, one after the other.
    Dot(Arc<[Piece]>),
    /// x plus the same row of another piece, which has as many.
    Plus(Box<Piece>),
}

impl Step {
    /// The step for some of a piece's rows.
    fn part(&self, part: &Range<usize>) -> Step {
        match self {
            Step::Plus(piece) => Step::Plus(Box::new(piece.part(part.clone()))),
            Step::Scale(_) | Step::Add(_) | Step::Unit | Step::Centre | Step::LessMean(_) | Step::Dot(_) => {
                self.clone()
            }
        }
    }
}

impl Rearranged {
    /// Whether a number of it is computed, not only moved.
    #[must_use]
    pub fn is_computed(&self) -> bool {
        self.pieces.iter().any(|piece| !piece.steps.is_empty())
    }
}

impl Piece {
    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.from {
            Numbers::Rows { tensor: _, rows } => rows.len(),
            Numbers::Zeros(rows) => *rows,
        }
    }

    pub(crate) fn zeros(rows: usize) -> Piece {
        Piece { from: Numbers::Zeros(rows), steps: Vec::new() }
    }

    /// Some of its rows, counted from its own first.
    fn part(&self, part: Range<usize>) -> Piece {
        let from = match &self.from {
            Numbers::Rows { tensor, rows } => {
                Numbers::Rows { tensor: tensor.clone(), rows: rows.start + part.start..rows.start + part.end }
            }
            Numbers::Zeros(_) => Numbers::Zeros(part.len()),
        };
        Piece { from, steps: self.steps.iter().map(|step| step.part(&part)).collect() }
    }
}

/// The rows of every role.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    held: HashMap<Place, Vec<Piece>>,
}

impl Recipe {
    /// Every role as the source has it.
    pub(crate) fn of(source: &Architecture) -> Recipe {
        let mut held: HashMap<Place, Vec<Piece>> = HashMap::new();
        for planned in &source.plan().tensors {
            for (role, rows) in runs(source, planned) {
                let piece = |rows| Piece {
                    from: Numbers::Rows { tensor: planned.name.clone(), rows },
                    steps: Vec::new(),
                };
                // What each head has a tensor of its own for comes head by head.
                held.entry(place(planned, role)).or_default().extend(rows.into_iter().map(piece));
            }
        }
        Recipe { held }
    }

    pub(crate) fn has(&self, layer: Option<usize>, role: Role, part: Part) -> bool {
        self.held.contains_key(&(layer, role, part, None))
    }

    /// Does something to every row of a place, if it is there.
    pub(crate) fn step(&mut self, layer: Option<usize>, role: Role, part: Part, step: Step) {
        for piece in self.held.get_mut(&(layer, role, part, None)).into_iter().flatten() {
            piece.steps.push(step.clone());
        }
    }

    /// The rows of a place, as they are now; none where it is not there.
    pub(crate) fn pieces(&self, layer: Option<usize>, role: Role, part: Part) -> Vec<Piece> {
        self.held.get(&(layer, role, part, None)).cloned().unwrap_or_default()
    }

    /// Other rows for a place; with none it goes.
    pub(crate) fn set(&mut self, layer: Option<usize>, role: Role, part: Part, pieces: Vec<Piece>) {
        let place = (layer, role, part, None);
        if pieces.is_empty() {
            self.held.remove(&place);
        } else {
            self.held.insert(place, pieces);
        }
    }

    /// Adds W v to a bias, or makes it that where there is none: W are the rows of the place's weight, v what `vector` holds.
    pub(crate) fn plus_product(&mut self, layer: Option<usize>, role: Role, vector: &Arc<[Piece]>) {
        let product = |mut piece: Piece| {
            piece.steps.push(Step::Dot(Arc::clone(vector)));
            piece
        };
        let products: Vec<Piece> = self.pieces(layer, role, Part::Weight).into_iter().map(product).collect();
        let mut bias = self.pieces(layer, role, Part::Bias);
        if bias.is_empty() {
            return self.set(layer, role, Part::Bias, products);
        }
        // Cut as the products are, so that each piece meets one.
        let mut cut = Vec::new();
        for product in products {
            let mut own = Vec::new();
            take(&mut bias, product.rows(), &mut own);
            let mut first = 0;
            for mut piece in own {
                let rows = piece.rows();
                piece.steps.push(Step::Plus(Box::new(product.part(first..first + rows))));
                first += rows;
                cut.push(piece);
            }
        }
        self.set(layer, role, Part::Bias, cut);
    }

    /// Puts the rows of a place into another order; row i of the result is row `order[i]`. A row may come more than once.
    pub(crate) fn order(&mut self, layer: Option<usize>, role: Role, part: Part, order: &[usize]) {
        let Some(pieces) = self.held.get_mut(&(layer, role, part, None)) else { return };
        *pieces = ordered(pieces, order);
    }

    /// The rows of one place at another.
    pub(crate) fn copy(&mut self, from: Role, to: Role) {
        if let Some(pieces) = self.held.get(&(None, from, Part::Weight, None)).cloned() {
            self.held.insert((None, to, Part::Weight, None), pieces);
        }
    }

    /// A bias of zeros.
    pub(crate) fn zeros(&mut self, layer: Option<usize>, role: Role, rows: usize) {
        self.held.insert((layer, role, Part::Bias, None), vec![Piece::zeros(rows)]);
    }

    /// Every tensor of the target.
    ///
    /// # Errors
    /// The names of those that nothing, or not enough, was there for; the roles of which rows are left over.
    pub(crate) fn laid(&self, to: &Architecture) -> Result<Vec<Rearranged>, Vec<String>> {
        let mut held = self.held.clone();
        let (mut tensors, mut lacking) = (Vec::new(), Vec::new());
        for planned in &to.plan().tensors {
            let mut segments: Vec<(Range<usize>, Role)> = runs(to, planned)
                .into_iter()
                .flat_map(|(role, rows)| rows.into_iter().map(move |rows| (rows, role)))
                .collect();
            segments.sort_by_key(|(rows, _)| rows.start);
            let mut pieces = Vec::new();
            for (rows, role) in segments {
                if let Some(left) = held.get_mut(&place(planned, role)) {
                    take(left, rows.len(), &mut pieces);
                }
            }
            let pieces = joined(pieces.into_iter());
            if pieces.iter().map(Piece::rows).sum::<usize>() != planned.shape.first().copied().unwrap_or(1) {
                lacking.push(planned.name.clone());
            }
            tensors.push(Rearranged { name: planned.name.clone(), shape: planned.shape.clone(), pieces });
        }
        let left = held.iter().filter(|(_, pieces)| !pieces.is_empty());
        lacking.extend(left.map(|((layer, role, ..), _)| format!("{role} of layer {layer:?}")));
        if lacking.is_empty() { Ok(tensors) } else { Err(lacking) }
    }
}

/// Rows in another order; row i of the result is row `order[i]`.
pub(crate) fn ordered(pieces: &[Piece], order: &[usize]) -> Vec<Piece> {
    let each: Vec<Piece> =
        pieces.iter().flat_map(|piece| (0..piece.rows()).map(|row| piece.part(row..row + 1))).collect();
    joined(order.iter().filter_map(|row| each.get(*row).cloned()))
}

/// Where a role's rows of a planned tensor are kept: those of heads that each have a tensor are kept as one.
fn place(planned: &Planned, role: Role) -> Place {
    let expert = planned.expert.filter(|_| role.is_of_experts());
    (planned.layer, role, planned.part, expert)
}

/// Moves the next `count` rows over.
fn take(left: &mut Vec<Piece>, mut count: usize, pieces: &mut Vec<Piece>) {
    while count > 0 && !left.is_empty() {
        let rows = left[0].rows();
        let taken = count.min(rows);
        pieces.push(left[0].part(0..taken));
        match taken == rows {
            true => drop(left.remove(0)),
            false => left[0] = left[0].part(taken..rows),
        }
        count -= taken;
    }
}

/// Pieces that follow one another, as one.
fn joined(pieces: impl Iterator<Item = Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for piece in pieces {
        if let Some(last) = out.last_mut()
            && last.steps == piece.steps
            && !last.steps.iter().any(|step| matches!(step, Step::Plus(_)))
            && follows(&mut last.from, &piece.from)
        {
            continue;
        }
        out.push(piece);
    }
    out
}

/// Whether rows follow others; those then hold them too.
fn follows(last: &mut Numbers, next: &Numbers) -> bool {
    match (last, next) {
        (Numbers::Rows { tensor, rows }, Numbers::Rows { tensor: other, rows: more })
            if tensor == other && rows.end == more.start =>
        {
            rows.end = more.end;
            true
        }
        (Numbers::Zeros(rows), Numbers::Zeros(more)) => {
            *rows += more;
            true
        }
        (Numbers::Rows { .. } | Numbers::Zeros(_), _) => false,
    }
}
