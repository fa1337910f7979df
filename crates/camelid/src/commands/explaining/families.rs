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
    /// Tell the family of this checkpoint, and whether it fits; config.json is enough
    #[command(flatten)]
    pub name: NameArgs,
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
    let library = Library::built_in()?;
    match args.name.given() {
        Some(model) => detect(&library, &model, &args)?,
        None if args.json => println!("{}", serde_json::to_string_pretty(&tree_json(&library))?),
        None => {
            tree(&library, None, "");
            if let Some(lines) = rust_lines_that_name_a_family(&library)? {
                anstream::println!("{}", dim(format!("{lines} lines of Rust name a family")));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn detect(library: &Library, model: &str, args: &Args) -> anyhow::Result<()> {
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
    if args.json {
        let report = serde_json::json!({
            "family": found.family.name, "title": found.family.title, "rule": found.rule, "also": also,
            "notes": opened.notes(),
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&found, &also);
    }
    Ok(())
}

fn print(found: &Detected<'_>, also: &[String]) {
    anstream::println!("{}", bold(titled(found.family)));
    anstream::println!("  by the rule  {}", found.rule);
    if !also.is_empty() {
        anstream::println!(
            "  {}",
            dim(format!("the arithmetic of {} too; the youngest gives the name", also.join(", ")))
        );
    }
}

fn tree(library: &Library, parent: Option<&str>, indent: &str) {
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
        anstream::println!("{line}  {} {}", family.title, dim(about));
        tree(library, Some(&family.name), &format!("{indent}{below}"));
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
