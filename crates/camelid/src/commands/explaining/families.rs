//! `camelid families`: the tree, or the family of a checkpoint.

use std::process::ExitCode;

use camelid_families::{Detected, Library};
use camelid_generate::Purpose;

use crate::commands::explaining::tree::{children, declared_lines, rust_lines_that_name_a_family};
use crate::commands::options::model::ModelArgs;
use crate::commands::options::name::NameArgs;
use crate::commands::output::style::{bold, dim};
use crate::commands::output::titles::titled;

/// Show the family tree, or tell the family of a checkpoint
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tell the family of these checkpoints, and whether they fit; config.json is enough
    #[arg(value_name = "MODEL")]
    pub places: Vec<String>,
    /// The same, as an option (repeatable)
    #[arg(short, long = "model", value_name = "MODEL")]
    pub models: Vec<String>,
    /// A key of config.json to wave through, unread (repeatable)
    #[arg(long = "allow-key", value_name = "KEY")]
    pub allow_keys: Vec<String>,
    /// A tensor of the checkpoint to wave through, unused (repeatable)
    #[arg(long = "allow-tensor", value_name = "NAME")]
    pub allow_tensors: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs `families`.
///
/// # Errors
/// The checkpoint can't be read, or is of no family, or of several that differ.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    out!("{}", answer(&args)?);
    Ok(ExitCode::SUCCESS)
}

/// What `families` prints.
///
/// # Errors
/// As [`run`].
pub(in crate::commands) fn answer(args: &Args) -> anyhow::Result<String> {
    let library = Library::built_in()?;
    if !args.models.is_empty() || !args.places.is_empty() {
        return detected(&library, args);
    }
    if args.json {
        return Ok(format!("{}\n", serde_json::to_string_pretty(&tree_json(&library))?));
    }
    let mut out = String::new();
    tree(&library, None, "", &mut out);
    if let Some(lines) = rust_lines_that_name_a_family(&library)? {
        out += &format!("{}\n", dim(format!("{lines} lines of Rust name a family")));
    }
    Ok(out)
}

/// What each checkpoint is: one answer for one, a list for several.
fn detected(library: &Library, args: &Args) -> anyhow::Result<String> {
    let mut reports = Vec::new();
    let mut out = String::new();
    for model in args.places.iter().chain(&args.models) {
        let (report, text) = detect(library, model, args)?;
        if args.places.len() + args.models.len() > 1 {
            out += &format!("{model}\n  ");
        }
        out += &text;
        reports.push(report);
    }
    if !args.json {
        return Ok(out);
    }
    let report = match <[serde_json::Value; 1]>::try_from(reports) {
        Ok([one]) => one,
        Err(many) => many.into(),
    };
    Ok(format!("{}\n", serde_json::to_string_pretty(&report)?))
}

fn detect(library: &Library, model: &str, args: &Args) -> anyhow::Result<(serde_json::Value, String)> {
    let opened = ModelArgs {
        allow_keys: args.allow_keys.clone(),
        allow_tensors: args.allow_tensors.clone(),
        ..ModelArgs::of(NameArgs::of(model))
    }
    .open_for(Purpose::Look)?;
    // The same answer as those give that go on from here; a refusal stands alone.
    opened.architecture()?;
    let found = library.detect(opened.config(), &args.allow_keys)?;
    let also: Vec<_> = found.also.iter().map(|family| family.name.clone()).collect();
    let mut report = serde_json::json!({
        "family": found.family.name, "title": found.family.title, "rule": found.rule, "also": also,
        "notes": opened.notes(),
    });
    if let (Some(report), true) = (report.as_object_mut(), args.models.len() > 1) {
        report.insert("model".into(), model.into());
    }
    Ok((report, told(&found, &also)))
}

fn told(found: &Detected<'_>, also: &[String]) -> String {
    let mut out = format!("{}\n  by the rule  {}\n", bold(titled(found.family)), found.rule);
    if !also.is_empty() {
        let also = also.join(", ");
        out += &format!("  {}\n", dim(format!("the arithmetic of {also} too; the youngest gives the name")));
    }
    out
}

fn tree(library: &Library, parent: Option<&str>, indent: &str, out: &mut String) {
    let children = children(library, parent);
    for (index, family) in children.iter().enumerate() {
        let last = index + 1 == children.len();
        let (branch, below) = match (parent, last) {
            (None, _) => ("", ""),
            (Some(_), true) => ("└── ", "    "),
            (Some(_), false) => ("├── ", "│   "),
        };
        let sizes: Vec<_> = family.sizes.iter().map(|size| size.name.as_str()).collect();
        let released = family.released.as_deref().unwrap_or_default();
        let line = format!("{indent}{branch}{}", bold(&family.name));
        let lines = Library::source(&family.name).map_or(0, declared_lines);
        let about = format!("{released}  {}  {lines} lines", sizes.join(", "));
        *out += &format!("{line}  {} {}\n", family.title, dim(about));
        tree(library, Some(&family.name), &format!("{indent}{below}"), out);
    }
}

fn tree_json(library: &Library) -> serde_json::Value {
    let families = library.families().map(|family| {
        let sizes: Vec<_> = family.sizes.iter().map(|s| serde_json::json!({ "name": s.name, "parameters": s.parameters })).collect();
        serde_json::json!({
            "name": family.name, "title": family.title, "extends": family.chain.get(1), "released": family.released,
            "form_of": family.form_of, "match": family.matches.as_ref().map(|rule| rule.source()), "sizes": sizes,
        })
    });
    families.collect()
}
