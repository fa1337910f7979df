//! A layer's forward pass as a drawing: rows of boxes from the stream and back to it, made from the layer's words and roles.

mod boxes;
mod branches;

use camelid_families::{Architecture, Block, Declaration, Residual, Wiring};
use serde::Serialize;

use crate::Error;
use crate::facts::said::{places, significant};
use crate::facts::side::Side;
use crate::site::layer::boxes::Box;
use crate::site::layer::branches::{attention, mlp, own_embedding};

/// One kind of layer of one family, for all sizes that are built alike.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Layer {
    /// The sizes that it is for; the details of a box stand in this order.
    pub(crate) sizes: Vec<String>,
    /// Which layers, for each size.
    pub(crate) layers: Vec<String>,
    pub(crate) branches: Vec<Branch>,
    width: f64,
    height: f64,
}

/// Rows of boxes between two places of the stream.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Branch {
    name: String,
    x: f64,
    y: f64,
    height: f64,
    rows: Vec<Placed>,
    /// What happens where it joins the stream.
    joins: String,
}

#[derive(Debug, Clone, Serialize)]
struct Placed {
    y: f64,
    boxes: Vec<PlacedBox>,
}

#[derive(Debug, Clone, Serialize)]
struct PlacedBox {
    /// Its middle, where its texts stand.
    x: f64,
    /// Its left edge, from there.
    left: f64,
    width: f64,
    title: String,
    /// One for each size.
    details: Vec<String>,
    words: Vec<String>,
    kind: &'static str,
}

/// The drawing's measures.
const BRANCH: f64 = 312.0;
const MARGIN: f64 = 34.0;
const ROW: f64 = 40.0;
const GAP: f64 = 8.0;
const HEAD: f64 = 22.0;

/// Rows, before they have a place.
type Rows = Vec<Vec<Box>>;

/// What a layer does, before it has a place.
#[derive(Clone, PartialEq)]
struct Course {
    branches: Vec<(&'static str, Rows, String)>,
    parallel: bool,
}

/// Each kind of layer of a family; sizes whose layers are built alike share a drawing.
pub(crate) fn drawings(family: &Declaration) -> Result<Vec<Layer>, Error> {
    let mut found: Vec<(Vec<String>, Vec<String>, Vec<Course>)> = Vec::new();
    for size in &family.sizes {
        let side = Side::of_size(family, Some(&size.name), &[])?;
        for (layers, course) in kinds(&side.architecture) {
            let at = places(&layers);
            let alike = |(sizes, _, courses): &&mut (Vec<String>, Vec<String>, Vec<Course>)| {
                !sizes.contains(&size.name) && signature(&courses[0]) == signature(&course)
            };
            match found.iter_mut().find(alike) {
                Some((sizes, all, courses)) => {
                    sizes.push(size.name.clone());
                    all.push(at);
                    courses.push(course);
                }
                None => found.push((vec![size.name.clone()], vec![at], vec![course])),
            }
        }
    }
    Ok(found.into_iter().map(|(sizes, layers, courses)| placed(sizes, layers, &courses)).collect())
}

/// The layers that are drawn alike, numbers and all.
fn kinds(architecture: &Architecture) -> Vec<(Vec<usize>, Course)> {
    let mut kinds: Vec<(Vec<usize>, Course)> = Vec::new();
    for index in 0..architecture.layers.len() {
        let course = course(architecture, index);
        match kinds.iter_mut().find(|(_, known)| *known == course) {
            Some((layers, _)) => layers.push(index),
            None => kinds.push((vec![index], course)),
        }
    }
    kinds
}

fn course(architecture: &Architecture, index: usize) -> Course {
    let layer = &architecture.layers[index];
    let Block { wiring, branch_scale, residual, residual_scale } = &layer.block;
    let scaled = |by: f64| if by == 1.0 { String::new() } else { format!("{} · ", significant(by, 4)) };
    let carried = match residual {
        Residual::Stream => "x",
        Residual::Norm => "norm(x)",
    };
    let joins = format!("x ← {}{carried} + {}branch", scaled(*residual_scale), scaled(*branch_scale));
    let mut branches = vec![
        ("attention", attention(architecture, index), joins.clone()),
        ("MLP", mlp(architecture, index), joins),
    ];
    let own = own_embedding(architecture, index);
    if !own.is_empty() {
        branches.push(("own embedding", own, "x ← x + branch".into()));
    }
    Course { branches, parallel: *wiring == Wiring::Parallel }
}

/// What tells two drawings apart beside numbers.
fn signature(course: &Course) -> Vec<String> {
    let boxes = course.branches.iter().flat_map(|(name, rows, joins)| {
        let titles =
            rows.iter().map(|row| row.iter().map(|it| it.title.as_str()).collect::<Vec<_>>().join("|"));
        titles.chain([(*name).to_owned(), joins.clone()]).collect::<Vec<_>>()
    });
    boxes.chain([course.parallel.to_string()]).collect()
}

fn placed(sizes: Vec<String>, layers: Vec<String>, courses: &[Course]) -> Layer {
    let first = &courses[0];
    let (mut x, mut y) = (MARGIN, HEAD);
    let mut branches: Vec<Branch> = Vec::new();
    for (at, (name, rows, joins)) in first.branches.iter().enumerate() {
        let height = HEAD + rows.len() as f64 * (ROW + GAP) + HEAD;
        let rows = (0..rows.len()).map(|row| place_row(row, x, y, &row_of(courses, at, row))).collect();
        branches.push(Branch { name: (*name).into(), x, y, height, rows, joins: joins.clone() });
        if first.parallel && at == 0 {
            x += BRANCH + MARGIN;
        } else {
            let lowest = branches.iter().map(|branch| branch.y + branch.height).fold(0.0, f64::max);
            (x, y) = (MARGIN, lowest + GAP);
        }
    }
    let right = branches.iter().map(|branch| branch.x).fold(0.0, f64::max) + BRANCH + 6.0;
    let low = branches.iter().map(|branch| branch.y + branch.height).fold(0.0, f64::max);
    Layer { sizes, layers, branches, width: right, height: low + HEAD }
}

/// One row of boxes, with the details of every size.
fn row_of(courses: &[Course], branch: usize, row: usize) -> Vec<(Box, Vec<String>)> {
    let of = |course: &Course| course.branches[branch].1[row].clone();
    let first = of(&courses[0]);
    let details = |at: usize| courses.iter().map(|course| of(course)[at].detail.clone()).collect();
    first.into_iter().enumerate().map(|(at, it)| (it, details(at))).collect()
}

fn place_row(row: usize, x: f64, y: f64, boxes: &[(Box, Vec<String>)]) -> Placed {
    let count = boxes.len().max(1) as f64;
    let width = (BRANCH - (count - 1.0) * GAP) / count;
    let placed = boxes.iter().enumerate().map(|(at, (it, details))| PlacedBox {
        x: round(x + at as f64 * (width + GAP) + width / 2.0),
        left: round(-width / 2.0),
        width: round(width),
        title: it.title.clone(),
        details: details.clone(),
        words: it.words.clone(),
        kind: it.kind,
    });
    Placed { y: y + HEAD + row as f64 * (ROW + GAP), boxes: placed.collect() }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Words and roles that a family's drawings show, for a test.
#[cfg(test)]
fn shown(layers: &[Layer]) -> std::collections::BTreeSet<String> {
    let boxes = layers.iter().flat_map(|layer| &layer.branches).flat_map(|branch| &branch.rows);
    boxes.flat_map(|row| &row.boxes).flat_map(|it| it.words.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use camelid_families::Library;

    use super::*;

    #[test]
    fn every_tensor_of_every_layer_is_drawn() {
        let library = Library::built_in().unwrap();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for family in library.families() {
            let drawn = shown(&drawings(family).unwrap());
            for size in &family.sizes {
                let side = Side::of_size(family, Some(&size.name), &[]).unwrap();
                let roles = side.architecture.layers.iter().flat_map(|layer| &layer.tensors);
                for role in roles.flat_map(|named| &named.roles) {
                    *seen.entry(role.to_string()).or_default() += 1;
                    assert!(drawn.contains(role.name()), "{}: `{role}` is not drawn", side.name());
                }
            }
        }
        assert!(seen.len() > 40, "{seen:?}");
    }
}
