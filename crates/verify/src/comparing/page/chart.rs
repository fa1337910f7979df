//! The distance of each stage against its floor: a panel for each kind of stage, a layer to the right of the one before it.

use super::super::verdict::{StageReport, TraceReport, Verdict};
use super::text::{apart, escaped, push, word};
use crate::comparing::stage::LIMIT;

const LEFT: f64 = 130.0;
const WIDTH: f64 = 760.0;
const PANEL: f64 = 84.0;
const GAP: f64 = 14.0;
/// A cross around the place where the path stands.
const CROSS: &str = "m-5 -3l2 -2l3 3l3 -3l2 2l-3 3l3 3l-2 2l-3 -3l-3 3l-2 -2l3 -3z";
/// What is less is drawn as this.
const LEAST: f64 = 1e-9;

/// Where numbers stand: decades up and down, layers side by side.
struct Scale {
    low: f64,
    high: f64,
    columns: usize,
}

pub(super) fn draw(out: &mut String, report: &TraceReport) {
    let mut kinds: Vec<&str> = Vec::new();
    for stage in &report.stages {
        if !kinds.contains(&stage.stage.as_str()) {
            kinds.push(&stage.stage);
        }
    }
    let numbers =
        || report.stages.iter().flat_map(|stage| [stage.residual.unwrap_or(1.0), LIMIT * stage.floor]);
    let finite = || numbers().filter(|x| x.is_finite() && *x > LEAST);
    let scale = Scale {
        low: finite().fold(1.0, f64::min).log10().floor(),
        high: finite().fold(LEAST, f64::max).log10().ceil().max(-8.0),
        columns: report.stages.iter().filter_map(|stage| stage.layer).max().map_or(1, |layer| layer + 1),
    };
    let height = kinds.len() as f64 * (PANEL + GAP) + 36.0;
    out.push_str(
        "<h2>How far each stage is from the family, from the port's own input to it</h2>\n<figure>\n",
    );
    push(
        out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" role=\"img\" aria-label=\"distance by layer and \
             stage\">\n",
            LEFT + WIDTH + 20.0
        ),
    );
    let first = report.stages.iter().position(|stage| stage.verdict == Verdict::Different);
    for (index, kind) in kinds.iter().enumerate() {
        let own = report.stages.iter().enumerate().filter(|(_, stage)| stage.stage == *kind);
        scale.panel(out, index as f64 * (PANEL + GAP) + 6.0, kind, own, first);
    }
    scale.layers(out, height - 26.0);
    out.push_str("</svg>\n<figcaption>Dots are the port, crosses where it differs; below the line is what its precision does, twice.");
    out.push_str(" The ring is the first difference.</figcaption>\n</figure>\n");
}

impl Scale {
    fn x(&self, layer: usize) -> f64 {
        LEFT + (layer as f64 + 0.5) * WIDTH / self.columns as f64
    }

    /// Within a panel of its own, from its top.
    fn y(&self, value: f64) -> f64 {
        let share = (value.max(LEAST).log10() - self.low) / (self.high - self.low).max(1.0);
        PANEL * (1.0 - share.clamp(0.0, 1.0))
    }

    fn panel<'a>(
        &self,
        out: &mut String,
        top: f64,
        kind: &str,
        stages: impl Iterator<Item = (usize, &'a StageReport)>,
        first: Option<usize>,
    ) {
        push(
            out,
            format_args!(
                "<g transform=\"translate(0 {top:.1})\">\n<text x=\"0\" y=\"{}\">{}</text>\n",
                PANEL / 2.0,
                escaped(kind)
            ),
        );
        for decade in [self.low, self.high] {
            let y = self.y(10f64.powf(decade));
            push(
                out,
                format_args!(
                    "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"faint\" text-anchor=\"end\" \
                     x=\"{}\" y=\"{:.1}\">{}</text>\n",
                    LEFT + WIDTH,
                    LEFT - 6.0,
                    y + 4.0,
                    if decade == 0.0 { "1".to_owned() } else { format!("1e{decade:.0}") }
                ),
            );
        }
        for (index, stage) in stages {
            self.mark(out, stage, first == Some(index));
        }
        out.push_str("</g>\n");
    }

    /// The floor of a stage, and where the port is.
    fn mark(&self, out: &mut String, stage: &StageReport, is_first: bool) {
        let (x, y) = (self.x(stage.layer.unwrap_or(0)), stage.residual.map_or(0.0, |apart| self.y(apart)));
        self.floor(out, x, stage.floor);
        let (begin, end) = match stage.verdict {
            Verdict::Equal | Verdict::Rounding => {
                (format!("<circle class=\"near\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\">"), "</circle>")
            }
            Verdict::Different => (format!("<path class=\"far\" d=\"M{x:.1} {y:.1}{CROSS}\">"), "</path>"),
        };
        let place = stage.layer.map_or_else(String::new, |layer| format!("layer {layer}, "));
        push(
            out,
            format_args!(
                "{begin}<title>{place}{}: {}, its precision does {:.1e}: {}</title>{end}\n",
                escaped(&stage.stage),
                apart(stage),
                stage.floor,
                word(stage.verdict)
            ),
        );
        if is_first {
            push(out, format_args!("<circle class=\"first\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\"/>\n"));
        }
    }

    /// Up to where a stage's precision goes.
    fn floor(&self, out: &mut String, x: f64, floor: f64) {
        let (half, limit) = ((0.4 * WIDTH / self.columns as f64).min(18.0), self.y(LIMIT * floor));
        push(
            out,
            format_args!(
                "<rect class=\"floor\" x=\"{0:.1}\" width=\"{1:.1}\" y=\"{limit:.1}\" height=\"{2:.1}\"/><line class=\"limit\" \
                 x1=\"{0:.1}\" x2=\"{3:.1}\" y1=\"{limit:.1}\" y2=\"{limit:.1}\"/>",
                x - half,
                2.0 * half,
                PANEL - limit,
                x + half
            ),
        );
    }

    /// The numbers of the layers, as many as can be read.
    fn layers(&self, out: &mut String, y: f64) {
        let step = self.columns.div_ceil(16).max(1);
        for layer in (0..self.columns).step_by(step) {
            push(
                out,
                format_args!(
                    "<text class=\"faint\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{y:.1}\">{layer}</text>\n",
                    self.x(layer)
                ),
            );
        }
        push(out, format_args!("<text class=\"faint\" x=\"0\" y=\"{y:.1}\">layer</text>\n"));
    }
}
