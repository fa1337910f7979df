//! Where in the first stage that differs the difference is: a row for each token, a column for each head.

use super::super::verdict::{Heat, TraceReport, Verdict};
use super::text::{escaped, push};

const LEFT: f64 = 90.0;
/// So many rows are drawn; of a longer text each row is the worst of several tokens.
const ROWS: usize = 128;

/// What is drawn: its cells, and how large they are.
struct Grid<'a> {
    heat: &'a Heat,
    rows: Vec<Vec<f64>>,
    columns: usize,
    /// The tokens of a row.
    each: usize,
    /// What the precision does, and the largest.
    between: (f64, f64),
    cell: (f64, f64),
}

pub(super) fn draw(out: &mut String, report: &TraceReport) {
    let (Some(heat), Some(first)) = (&report.heat, &report.first_divergence) else { return };
    let floor = report.stages.iter().find(|stage| stage.verdict == Verdict::Different);
    let Some(grid) = Grid::of(heat, floor.map_or(0.0, |stage| stage.floor)) else { return };
    let noun = if heat.features.is_some() { "features" } else { "heads" };
    let place = first.layer.map_or_else(String::new, |layer| format!(" of layer {layer}"));
    let (width, height) = grid.size();
    push(
        out,
        format_args!(
            "<h2>Where in {}{place} it differs: tokens down, {noun} across</h2>\n<figure>\n<svg xmlns=\"http://www.w3.org/2000/svg\" \
             viewBox=\"0 0 {2:.0} {1:.0}\" style=\"width:{2:.0}px\" role=\"img\" aria-label=\"difference by token and {noun}\">\n",
            escaped(&first.within),
            height + 40.0,
            LEFT + width + 30.0
        ),
    );
    grid.cells(out);
    push(
        out,
        format_args!(
            "<rect class=\"frame\" x=\"{LEFT}\" y=\"23\" width=\"{width:.1}\" height=\"{height:.1}\"/>\n"
        ),
    );
    grid.labels(out);
    let most = grid.between.1;
    push(
        out,
        format_args!(
            "</svg>\n<figcaption>RMS of the difference over RMS of the whole stage; full colour is {most:.1e}, none is what its \
             precision does.</figcaption>\n</figure>\n"
        ),
    );
}

impl<'a> Grid<'a> {
    fn of(heat: &'a Heat, floor: f64) -> Option<Grid<'a>> {
        let columns = heat.rows.first().map(Vec::len).filter(|columns| *columns > 0)?;
        let each = heat.rows.len().div_ceil(ROWS).max(1);
        let rows: Vec<Vec<f64>> = heat.rows.chunks(each).map(|some| worst(some, columns)).collect();
        let most = rows.iter().flatten().copied().filter(|x| x.is_finite()).fold(0.0, f64::max);
        let wide = (720.0 / columns as f64).clamp(6.0, 40.0);
        let high = (480.0 / rows.len() as f64).clamp(6.0, 18.0);
        Some(Grid { heat, rows, columns, each, between: (floor, most), cell: (wide, high) })
    }

    fn size(&self) -> (f64, f64) {
        (self.columns as f64 * self.cell.0, self.rows.len() as f64 * self.cell.1)
    }

    fn cells(&self, out: &mut String) {
        let (wide, high) = self.cell;
        for (row, values) in self.rows.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let (x, y) = (LEFT + column as f64 * wide, 24.0 + row as f64 * high);
                push(
                    out,
                    format_args!(
                        "<rect class=\"cell\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
                         fill-opacity=\"{:.2}\"><title>{}, {}: {}</title></rect>\n",
                        wide - 1.0,
                        high - 1.0,
                        strength(*value, self.between),
                        self.tokens(row),
                        self.features(column),
                        if value.is_finite() { format!("{value:.1e}") } else { "not finite".to_owned() }
                    ),
                );
            }
        }
    }

    fn tokens(&self, row: usize) -> String {
        let from = self.heat.first_token + row * self.each;
        let to = (from + self.each).min(self.heat.first_token + self.heat.rows.len());
        if to - from > 1 { format!("tokens {from} to {}", to - 1) } else { format!("token {from}") }
    }

    fn features(&self, column: usize) -> String {
        match self.heat.features {
            Some(wide) => format!("features {} to {}", column * wide, (column + 1) * wide - 1),
            None => format!("head {column}"),
        }
    }

    fn labels(&self, out: &mut String) {
        let (wide, high) = self.cell;
        let step = self.rows.len().div_ceil(24).max((14.0 / high).ceil() as usize);
        for row in (0..self.rows.len()).step_by(step.max(1)) {
            let (y, token) =
                (24.0 + (row as f64 + 0.5) * high + 4.0, self.heat.first_token + row * self.each);
            push(
                out,
                format_args!(
                    "<text class=\"faint\" text-anchor=\"end\" x=\"{}\" y=\"{y:.1}\">token {token}</text>\n",
                    LEFT - 8.0
                ),
            );
        }
        let step = ((34.0 / wide).ceil() as usize).max(1);
        for column in (0..self.columns).step_by(step) {
            let (x, number) = (LEFT + (column as f64 + 0.5) * wide, column * self.heat.features.unwrap_or(1));
            push(
                out,
                format_args!(
                    "<text class=\"faint\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"16\">{number}</text>\n"
                ),
            );
        }
    }
}

/// Of each column the largest; what is not finite is larger than all.
fn worst(rows: &[Vec<f64>], columns: usize) -> Vec<f64> {
    let larger = |a: f64, b: f64| if b.is_finite() { a.max(b) } else { f64::INFINITY };
    (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).copied().fold(0.0, larger))
        .collect()
}

/// Nothing for what the precision does, and full for the largest: in decades, as long as these are apart.
fn strength(value: f64, (least, most): (f64, f64)) -> f64 {
    if !value.is_finite() {
        return 1.0;
    }
    let decades = (most / least).log10();
    if !decades.is_finite() || decades <= 0.0 {
        return if value > 0.0 { value / most } else { 0.0 };
    }
    ((value / least).max(1e-12).log10() / decades).clamp(0.0, 1.0)
}
