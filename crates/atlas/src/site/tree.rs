//! The tree through time: a row for each family, a column for each month, a line from the one that it came after.

use camelid_families::{Declaration, Library};
use serde::Serialize;

use crate::Error;

const LEFT: f64 = 8.0;
const STEP: f64 = 17.0;
const TOP: f64 = 30.0;
const ROW: f64 = 20.0;

/// The tree, in the coordinates of its drawing.
#[derive(Debug, Serialize)]
pub(crate) struct Tree {
    width: f64,
    height: f64,
    years: Vec<Year>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Year {
    year: i64,
    x: f64,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    title: String,
    by: String,
    released: String,
    summary: String,
    /// The family that it came after, and whether it also extends it.
    after: Option<String>,
    extends: String,
    depth: usize,
    sizes: usize,
    x: f64,
    y: f64,
    /// From the ancestor's dot to its own.
    line: String,
}

/// Every family, each below the one that it came after.
pub(crate) fn tree(library: &Library) -> Result<Tree, Error> {
    let families: Vec<&Declaration> = library.families().collect();
    let mut order = Vec::new();
    descend(&families, None, 0, &mut order);
    let months: Vec<i64> = order.iter().map(|(family, _)| month(family)).collect::<Result<_, _>>()?;
    let (first, last) =
        (months.iter().min().copied().unwrap_or(0), months.iter().max().copied().unwrap_or(0));
    let x = |month: i64| LEFT + (month - first) as f64 * STEP;
    let y = |row: usize| TOP + row as f64 * ROW;
    let rows = order.iter().zip(&months).enumerate().map(|(at, ((family, depth), month))| {
        let ancestor = ancestor(&families, family);
        let place = ancestor.and_then(|name| order.iter().position(|(other, _)| other.name == name));
        let line = place.map(|place| format!("M{} {}V{}H{}", x(months[place]), y(place), y(at), x(*month)));
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Row {
            name: family.name.clone(),
            title: family.title.clone(),
            by: text(&family.by),
            released: text(&family.released),
            summary: text(&family.summary),
            after: ancestor.map(str::to_owned),
            extends: family.chain.get(1).cloned().unwrap_or_default(),
            depth: *depth,
            sizes: family.sizes.len(),
            x: x(*month),
            y: y(at),
            line: line.unwrap_or_default(),
        }
    });
    let rows: Vec<Row> = rows.collect();
    let years = first.div_euclid(12)..=last.div_euclid(12);
    Ok(Tree {
        width: x(last) + 150.0,
        height: y(rows.len()) + 4.0,
        years: years.map(|year| Year { year, x: x((year * 12).max(first)) }).collect(),
        rows,
    })
}

/// The historical ancestor: `after`, else the family that is extended.
fn ancestor<'a>(families: &[&'a Declaration], family: &'a Declaration) -> Option<&'a str> {
    let name = family.after.as_ref().or(family.form_of.as_ref()).or_else(|| family.chain.get(1))?;
    families.iter().any(|other| other.name == *name).then_some(name.as_str())
}

fn descend<'a>(
    families: &[&'a Declaration],
    parent: Option<&str>,
    depth: usize,
    order: &mut Vec<(&'a Declaration, usize)>,
) {
    let mut children: Vec<&Declaration> =
        families.iter().copied().filter(|family| ancestor(families, family) == parent).collect();
    children.sort_by_key(|family| (family.released.clone(), family.name.clone()));
    for child in children {
        order.push((child, depth));
        descend(families, Some(&child.name), depth + 1, order);
    }
}

/// Months since year 0.
fn month(family: &Declaration) -> Result<i64, Error> {
    let date = family.released.as_deref().and_then(|date| date.split_once('-'));
    let read =
        date.and_then(|(year, month)| Some(year.parse::<i64>().ok()? * 12 + month.parse::<i64>().ok()? - 1));
    read.ok_or_else(|| {
        Error::Site(format!("`{}` does not say when it was released, as 2024-06", family.name))
    })
}
