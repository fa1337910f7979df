//! Which rows of which tensors go where, when the same function is laid out under other names.

use std::collections::HashMap;
use std::ops::Range;

use crate::composed::loaded::weights::runs;
use crate::waist::architecture::Architecture;
use crate::waist::plan::Part;
use crate::waist::roles::Role;

/// A layer, a role, its weight or its bias, and one of its experts.
type Place = (Option<usize>, Role, Part, Option<usize>);

/// A tensor of the target, made of rows of the source's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rearranged {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The rows, in order.
    pub pieces: Vec<Piece>,
}

/// Rows of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The tensor's name.
    pub tensor: String,
    /// Its rows.
    pub rows: Range<usize>,
}

/// Which rows of the source each tensor of the target is made of.
pub(crate) fn rearrange(from: &Architecture, to: &Architecture) -> Vec<Rearranged> {
    let mut held: HashMap<Place, Vec<Piece>> = HashMap::new();
    for planned in &from.plan().tensors {
        for (role, rows) in runs(from, planned) {
            let pieces = rows.into_iter().map(|rows| Piece { tensor: planned.name.clone(), rows });
            held.insert((planned.layer, role, planned.part, planned.expert), pieces.collect());
        }
    }
    let plan = to.plan();
    plan.tensors
        .iter()
        .map(|planned| {
            let mut segments: Vec<(Range<usize>, Role)> = runs(to, planned)
                .into_iter()
                .flat_map(|(role, rows)| rows.into_iter().map(move |rows| (rows, role)))
                .collect();
            segments.sort_by_key(|(rows, _)| rows.start);
            let mut pieces = Vec::new();
            for (rows, role) in segments {
                if let Some(left) = held.get_mut(&(planned.layer, role, planned.part, planned.expert)) {
                    take(left, rows.len(), &mut pieces);
                }
            }
            Rearranged { name: planned.name.clone(), shape: planned.shape.clone(), pieces }
        })
        .collect()
}

/// Moves the next `count` rows over, joined to the last piece where they follow it.
fn take(left: &mut Vec<Piece>, mut count: usize, pieces: &mut Vec<Piece>) {
    while count > 0 && !left.is_empty() {
        let first = &mut left[0];
        let end = first.rows.start + count.min(first.rows.len());
        let taken = Piece { tensor: first.tensor.clone(), rows: first.rows.start..end };
        count -= taken.rows.len();
        first.rows.start = end;
        if first.rows.is_empty() {
            left.remove(0);
        }
        match pieces.last_mut() {
            Some(last) if last.tensor == taken.tensor && last.rows.end == taken.rows.start => {
                last.rows.end = taken.rows.end;
            }
            _ => pieces.push(taken),
        }
    }
}
