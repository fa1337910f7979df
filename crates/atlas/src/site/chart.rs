//! A chart of lines: axes, ticks and paths in the coordinates of its drawing, and the numbers that it is drawn from.

use serde::Serialize;

use crate::facts::said::significant;

/// The drawing's own coordinates, and the part of it that the lines are in.
const LEFT: f64 = 46.0;
const RIGHT: f64 = 350.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 200.0;

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scale {
    /// Equal steps.
    Linear,
    /// Equal ratios.
    Log,
}

/// An axis: what stands on it, and from where to where.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Axis {
    label: String,
    scale: Scale,
    min: f64,
    max: f64,
    ticks: Vec<Tick>,
}

#[derive(Debug, Clone, Serialize)]
struct Tick {
    at: f64,
    label: String,
}

/// A line with a name.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<[f64; 2]>,
}

/// A chart, ready for its template.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Chart {
    id: String,
    title: String,
    /// What it shows, for those who don't see it.
    about: String,
    x: Axis,
    y: Axis,
    lines: Vec<Drawn>,
    /// A row for each x: x, and each line's y there.
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Serialize)]
struct Drawn {
    name: String,
    path: String,
}

impl Axis {
    /// An axis from `min` to `max`; a logarithmic one begins above zero.
    pub(crate) fn new(label: &str, scale: Scale, [min, max]: [f64; 2]) -> Axis {
        Axis { label: label.into(), scale, min, max, ticks: Vec::new() }
    }

    fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.min) / (self.max - self.min),
            Scale::Log => (value / self.min).ln() / (self.max / self.min).ln(),
        }
    }

    /// Round numbers within the axis: powers of ten, or five to ten steps.
    fn round(&self) -> Vec<f64> {
        if self.scale == Scale::Log {
            let (from, to) = (self.min.log10().ceil() as i32, self.max.log10().floor() as i32);
            let every = ((to - from) / 6 + 1).max(1);
            return (from..=to).step_by(every as usize).map(|power| 10_f64.powi(power)).collect();
        }
        let rough = (self.max - self.min) / 6.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.min / step).ceil() as i64;
        let last = (self.max / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }

    fn with_ticks(mut self, from: f64, to: f64) -> Axis {
        let tick =
            |value: f64| Tick { at: pixel(from + self.share(value) * (to - from)), label: short(value) };
        self.ticks = self.round().into_iter().map(tick).collect();
        self
    }
}

impl Chart {
    /// A chart of lines that share their x. Points beyond the axes are left out of the drawing, not of the table.
    pub(crate) fn new(id: &str, title: &str, about: &str, [x, y]: [Axis; 2], lines: Vec<Line>) -> Chart {
        let (x, y) = (x.with_ticks(LEFT, RIGHT), y.with_ticks(BOTTOM, TOP));
        let rows = rows(&lines);
        let lines = lines.into_iter().map(|line| Drawn { path: path(&x, &y, &line.points), name: line.name });
        Chart { id: id.into(), title: title.into(), about: about.into(), lines: lines.collect(), rows, x, y }
    }
}

/// x of the first line, and y of each.
fn rows(lines: &[Line]) -> Vec<Vec<String>> {
    let Some(first) = lines.first() else { return Vec::new() };
    let row = |at: usize| {
        let x = std::iter::once(significant(first.points[at][0], 6));
        let of = |line: &Line| line.points.get(at).map_or_else(String::new, |point| significant(point[1], 5));
        x.chain(lines.iter().map(of)).collect()
    };
    (0..first.points.len()).map(row).collect()
}

/// The points as `M x y L x y …`, anew after one that lies outside.
fn path(x: &Axis, y: &Axis, points: &[[f64; 2]]) -> String {
    let mut out = String::new();
    let mut pen = 'M';
    for [at, value] in points {
        let (across, up) = (x.share(*at), y.share(*value));
        let inside = |share: f64| (-1e-9..=1.0 + 1e-9).contains(&share);
        if !(inside(across) && inside(up)) {
            pen = 'M';
            continue;
        }
        let (px, py) = (pixel(LEFT + across * (RIGHT - LEFT)), pixel(BOTTOM - up * (BOTTOM - TOP)));
        out += &format!("{pen}{px} {py}");
        pen = 'L';
    }
    out
}

/// To a tenth of the drawing's unit: less than a pixel of any screen.
fn pixel(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn short(value: f64) -> String {
    match value.abs() {
        1e6.. => format!("{}M", significant(value / 1e6, 3)),
        1e3.. => format!("{}k", significant(value / 1e3, 3)),
        // A long number would run into the axis's name.
        size if size > 0.0 && size < 0.01 => format!("{value:e}"),
        _ => significant(value, 3),
    }
}
