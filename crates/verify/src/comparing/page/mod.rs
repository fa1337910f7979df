//! A report to look at: one HTML file with everything in it, which asks nothing of a network.
//!
//! The distance of every stage against what the precision does, a panel for each kind of stage; where in the first that differs
//! the difference is, for each token and each head; and all of it once more as a table.

mod chart;
mod heat;
mod text;

use super::verdict::TraceReport;
use text::{apart, escaped, push, word};

/// What was compared with what, as its reader knows it.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The model's file or folder.
    pub model: &'a str,
    /// The family that it is.
    pub family: &'a str,
    /// The dump.
    pub trace: &'a str,
}

/// The page. Whatever stands in names is text in it and nothing else.
#[must_use]
pub fn page(report: &TraceReport, about: About<'_>) -> String {
    let title = title(report, about.family);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{0}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
        escaped(&title)
    );
    if let Some(first) = &report.first_divergence {
        push(&mut out, format_args!("<p class=\"lead\">{}</p>\n", escaped(&first.sentence)));
    }
    push(
        &mut out,
        format_args!(
            "<dl><dt>Model</dt><dd>{}</dd><dt>Family</dt><dd>{}</dd><dt>Dump</dt><dd>{}</dd><dt>Precision</dt><dd>{}</dd></dl>\n",
            escaped(about.model),
            escaped(about.family),
            escaped(about.trace),
            report.precision.name()
        ),
    );
    chart::draw(&mut out, report);
    heat::draw(&mut out, report);
    table(&mut out, report);
    unmatched(&mut out, &report.unmatched);
    out.push_str("</body>\n</html>\n");
    out
}

fn title(report: &TraceReport, family: &str) -> String {
    match &report.first_divergence {
        Some(first) => {
            let place = first.layer.map_or_else(String::new, |layer| format!(" of layer {layer}"));
            format!("The port of {family} differs first at {}{place}", first.within)
        }
        None if report.below_precision => format!("The port is {family}, as far as its precision can tell"),
        None => format!("The port is {family}"),
    }
}

/// Every stage in figures, for who can't see the picture or wants to copy a number.
fn table(out: &mut String, report: &TraceReport) {
    out.push_str(
        "<h2>Every stage</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>layer</th><th>stage</th><th>apart</th>\
         <th>its precision does</th><th>verdict</th></tr></thead>\n<tbody>\n",
    );
    for stage in &report.stages {
        let layer = stage.layer.map_or_else(String::new, |layer| layer.to_string());
        push(
            out,
            format_args!(
                "<tr class=\"{3}\"><td>{layer}</td><td>{0}</td><td>{1}</td><td>{2:.1e}</td><td>{3}</td></tr>\n",
                escaped(&stage.stage),
                apart(stage),
                stage.floor,
                word(stage.verdict)
            ),
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn unmatched(out: &mut String, names: &[String]) {
    if names.is_empty() {
        return;
    }
    push(out, format_args!("<details><summary>Not compared: {} tensors</summary><ul>\n", names.len()));
    for name in names {
        push(out, format_args!("<li>{}</li>\n", escaped(name)));
    }
    out.push_str("</ul></details>\n");
}

/// Light and dark; shapes as well as colours say what differs.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #6a737d; --line: #d5dae0; --paper: #ffffff; --calm: #2563a8; --hot: #c2330f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --faint: #9aa4af; --line: #3a424c; --paper: #14171b; --calm: #7ab4f5; --hot: #ff8b68; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.lead { font-size: 1.1rem; border-left: 4px solid var(--hot); padding-left: .75rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .15rem .75rem; border-bottom: 1px solid var(--line); } th:nth-child(2), td:nth-child(2), td:last-child, th:last-child { text-align: left; }
tr.different td { color: var(--hot); font-weight: 600; }
figure { margin: 0; overflow-x: auto; } svg { display: block; max-width: 100%; min-width: 34rem; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg text.faint { fill: var(--faint); }
.axis { stroke: var(--line); stroke-width: 1; } .floor { fill: var(--calm); fill-opacity: .16; } .limit { stroke: var(--calm); stroke-width: 1.5; }
.near { fill: var(--calm); } .far { fill: var(--hot); } .first { fill: none; stroke: var(--hot); stroke-width: 2; } .cell { fill: var(--hot); } .frame { fill: none; stroke: var(--line); }
li { overflow-wrap: anywhere; }
";

#[cfg(test)]
mod tests {
    use super::super::precision::Precision;
    use super::super::verdict::{FirstDivergence, Heat, StageReport, Verdict};
    use super::*;

    fn stage(layer: Option<usize>, stage: &str, residual: Option<f64>, verdict: Verdict) -> StageReport {
        StageReport { layer, stage: stage.to_owned(), residual, floor: 1e-3, verdict, tap: None }
    }

    fn report(name: &str) -> TraceReport {
        TraceReport {
            verdict: "differs",
            precision: Precision::Bf16,
            stages: vec![
                stage(None, "embedding", Some(0.0), Verdict::Equal),
                stage(Some(0), "attention", Some(0.2), Verdict::Different),
                stage(Some(0), "layer", Some(1e-3), Verdict::Rounding),
                stage(Some(1), "attention", None, Verdict::Different),
            ],
            first_divergence: Some(FirstDivergence {
                layer: Some(0),
                stage: "attention".into(),
                within: "heads".into(),
                tokens: "from token 3 on".into(),
                heads: Some(vec![1]),
                causes: vec!["attention.window".into()],
                sentence: format!("as if {name}"),
                tried: 3,
            }),
            unmatched: vec![name.to_owned()],
            below_precision: false,
            heat: Some(Heat {
                first_token: 2,
                features: None,
                rows: vec![vec![0.0, 1.0], vec![f64::NAN, 0.01]],
            }),
        }
    }

    #[test]
    fn a_name_is_text_wherever_it_stands() {
        let name = "</style><script>alert('x')</script>\" onload=\"y\u{0}&";
        let html = page(&report(name), About { model: name, family: name, trace: name });
        assert!(
            !html.contains("<script") && !html.contains("onload=\"") && !html.contains('\u{0}'),
            "{html}"
        );
        let shown =
            "&lt;/style&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;y\u{fffd}&amp;";
        assert!(html.matches(shown).count() >= 6, "{html}");
    }

    #[test]
    fn every_tag_is_closed_and_nothing_is_fetched() {
        let html = page(&report("x"), About { model: "m", family: "f", trace: "t" });
        for tag in [
            "html", "head", "body", "svg", "table", "tbody", "div", "dl", "details", "ul", "figure", "g",
            "title",
        ] {
            let open = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
            assert_eq!(open, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        for outside in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            let html = html.replace("http://www.w3.org/2000/svg", "");
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(!html.contains("NaN") && !html.contains("inf\""), "{html}");
    }

    #[test]
    fn the_first_difference_is_marked_once_and_every_stage_and_cell_is_there() {
        let html = page(&report("x"), About { model: "m", family: "f", trace: "t" });
        assert_eq!(html.matches("class=\"first\"").count(), 1, "{html}");
        assert_eq!(
            html.matches("class=\"near\"").count() + html.matches("class=\"far\"").count(),
            4,
            "{html}"
        );
        assert_eq!(html.matches("class=\"cell\"").count(), 4, "{html}");
        assert!(html.contains("token 3, head 1"), "{html}");
        let mut equal = report("x");
        equal.stages.retain(|stage| stage.verdict != Verdict::Different);
        (equal.first_divergence, equal.heat, equal.unmatched) = (None, None, Vec::new());
        let html = page(&equal, About { model: "m", family: "f", trace: "t" });
        assert!(html.contains("The port is f") && !html.contains("class=\"first\""), "{html}");
    }
}
