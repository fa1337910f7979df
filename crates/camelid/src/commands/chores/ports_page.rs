//! docs/which-ports-are-right.md: what engines make of the families, from results that were run and committed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

const INTRODUCTION: &str = "\
The same tiny checkpoints with random weights run in many engines, each held to the original: **equal** is what arithmetic in
another order explains, **wrong** says by how much and by which word, **refused** is an honest no. The figure is the largest
difference of logits over the largest logit. No released weights were run: a fault says what an engine computes of such a
config.json, not that a given release is hit.

Each engine's results lie in `tests/reference/ports/results/` with their version and date; this page is made of them. What to
do where an engine is wrong or refuses stands in [scaling out](scaling-out.md): a form that it computes right.

";

/// The results of one engine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Results {
    engine: String,
    version: String,
    date: String,
    /// How they were had.
    how: String,
    row: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    case: String,
    verdict: Verdict,
    says: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum Verdict {
    #[serde(rename = "equal")]
    Equal,
    #[serde(rename = "wrong")]
    Wrong,
    #[serde(rename = "refused")]
    Refused,
    #[serde(rename = "unclear")]
    Unclear,
    #[serde(rename = "not run")]
    NotRun,
}

impl Verdict {
    const ALL: [Verdict; 5] =
        [Verdict::Equal, Verdict::Wrong, Verdict::Refused, Verdict::Unclear, Verdict::NotRun];

    fn name(self) -> &'static str {
        match self {
            Verdict::Equal => "equal",
            Verdict::Wrong => "wrong",
            Verdict::Refused => "refused",
            Verdict::Unclear => "unclear",
            Verdict::NotRun => "not run",
        }
    }
}

/// The page.
///
/// # Errors
/// A file of results can't be read.
pub(super) fn page(root: &Path, made: &str) -> anyhow::Result<String> {
    let mut all = Vec::new();
    let folder = root.join("tests/reference/ports/results");
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    for path in paths {
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let results: Results = toml::from_str(&text).with_context(|| path.display().to_string())?;
        all.push(results);
    }
    // The last that were run first.
    all.sort_by(|a, b| {
        b.date.cmp(&a.date).then_with(|| a.engine.to_lowercase().cmp(&b.engine.to_lowercase()))
    });
    let mut text = format!("# Which ports are right\n{made}\n{INTRODUCTION}");
    text += "| engine | version | run on | equal | wrong | refused | unclear | not run |\n";
    text += "| --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for Results { engine, version, date, how: _, row } in &all {
        let count = |verdict| row.iter().filter(|row| row.verdict == verdict).count().to_string();
        let counts = Verdict::ALL.map(count).join(" | ");
        text += &format!("| {engine} | {version} | {date} | {counts} |\n");
    }
    for results in &all {
        text += &section(results);
    }
    Ok(text)
}

fn section(results: &Results) -> String {
    let Results { engine, version, date, how, row } = results;
    let mut text = format!("\n## {engine}\n{version}; {date}. {}.\n\n", sentence(how));
    // Cases that come out alike stand together.
    let mut alike: BTreeMap<(Verdict, String), Vec<&str>> = BTreeMap::new();
    for Row { case, verdict, says } in row {
        let plain = *verdict == Verdict::Equal && says.starts_with("equal") && !says.contains(';');
        let says = if plain && figure(says).is_some() { "equal".to_owned() } else { says.clone() };
        alike.entry((*verdict, says)).or_default().push(case);
    }
    text += "| family: case | verdict | |\n| --- | --- | --- |\n";
    for ((verdict, says), cases) in alike {
        let name = verdict.name();
        let shown = if verdict == Verdict::Wrong { format!("**{name}**") } else { name.to_owned() };
        let rest =
            says.strip_prefix(name).map_or(says.as_str(), |rest| rest.trim_start_matches([' ', ':', ';']));
        text += &format!("| {} | {shown} | {} |\n", cases.join(", "), rest.replace('|', "\\|"));
    }
    text
}

/// The figure behind `equal`.
fn figure(says: &str) -> Option<f64> {
    says.strip_prefix("equal ")?.parse().ok()
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
