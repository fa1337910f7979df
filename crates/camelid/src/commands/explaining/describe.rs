//! `camelid describe`: what a model is made of.

mod facts;
mod tensors;

use std::process::ExitCode;

use anyhow::Context;
use camelid_atlas::{Side, cache_of_thousand};
use camelid_checkpoint::Checkpoint;
use camelid_families::{Library, LoadedBytes, loaded_bytes};
use camelid_generate::{Purpose, memory};

use crate::commands::explaining::set::{Setting, setting};
use crate::commands::options::model::ModelArgs;
use crate::commands::options::name::NameArgs;
use crate::commands::options::which::Which;
use crate::commands::output::declaration;
use crate::commands::output::style::{bold, dim};
use crate::commands::output::titles::titled;
use crate::commands::output::values::{shortened, thousands, written};

/// Show what a model is made of: its words, what a query sees, how places are told, tensors, text, memory
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which checkpoint; weights are not needed
    #[command(flatten)]
    pub name: NameArgs,
    /// Read it as this family; without a MODEL, describe one of its sizes
    #[command(flatten)]
    pub which: Which,
    /// A published size of the family [default: the first]
    #[arg(long, value_name = "NAME", conflicts_with = "NameArgs")]
    pub size: Option<String>,
    /// Set a key of that size's config.json: KEY or TABLE.KEY to JSON or a text; null takes it away (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting, conflicts_with = "NameArgs")]
    pub set: Vec<Setting>,
    /// Say what the last of so many tokens sees, and what they all take [default: the longest input]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub tokens: Option<u32>,
    /// Show this part alone (repeatable)
    #[arg(long, value_enum, value_name = "PART", conflicts_with = "json")]
    pub part: Vec<Part>,
    /// A key of config.json to wave through, unread (repeatable)
    #[arg(long = "allow-key", value_name = "KEY")]
    pub allow_keys: Vec<String>,
    /// A tensor of the checkpoint to wave through, unused (repeatable)
    #[arg(long = "allow-tensor", value_name = "NAME")]
    pub allow_tensors: Vec<String>,
    /// Print the family's file with all that it inherits, each line with its origin
    #[arg(long)]
    pub declaration: bool,
    /// Print JSON, in which nothing is cut
    #[arg(long)]
    pub json: bool,
}

/// A part of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Every word with its value and its formula.
    Words,
    /// Which keys a query sees.
    Sees,
    /// How places are told: rotary frequencies, slopes.
    Places,
    /// Tensors with their shapes.
    Tensors,
    /// Vocabulary, prefix, prompt format.
    Text,
    /// Parameters and memory.
    Sums,
}

/// A family's network, with or without weights.
struct Subject {
    side: Side,
    checkpoint: Option<Checkpoint>,
    tokens: usize,
}

/// Runs `describe`.
///
/// # Errors
/// The checkpoint can't be read or does not fit; the family or its size is not known.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut library = Library::built_in()?;
    let named = args.which.name(&mut library)?;
    // A family that is named alone is meant itself, whatever the environment says.
    let model = if named.is_some() { args.name.given() } else { Some(args.name.required()?) };
    if let (true, None, Some(name)) = (args.declaration, &model, &named) {
        declaration::print(library.get(name)?);
        return Ok(ExitCode::SUCCESS);
    }
    let subject = subject(&args, &library, named.as_deref())?;
    match args.declaration {
        true => declaration::print(&subject.side.family),
        false => out!("{}", shown(&args, &subject)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// What `describe` prints.
///
/// # Errors
/// As [`run`].
pub(in crate::commands) fn answer(args: &Args) -> anyhow::Result<String> {
    let mut library = Library::built_in()?;
    let named = args.which.name(&mut library)?;
    shown(args, &subject(args, &library, named.as_deref())?)
}

fn shown(args: &Args, subject: &Subject) -> anyhow::Result<String> {
    match args.json {
        true => Ok(format!("{}\n", serde_json::to_string_pretty(&json(subject)?)?)),
        false => plain(args, subject),
    }
}

fn subject(args: &Args, library: &Library, named: Option<&str>) -> anyhow::Result<Subject> {
    // A family that is named alone is meant itself, whatever the environment says.
    let model = if named.is_some() { args.name.given() } else { Some(args.name.required()?) };
    let (side, checkpoint) = match &model {
        Some(model) => of_model(args, model)?,
        None => {
            let name = named.context("name a family with --family, or a checkpoint as MODEL")?;
            (Side::of_size(library.get(name)?, args.size.as_deref(), &args.set)?, None)
        }
    };
    let tokens = args.tokens.map_or(side.context(), |tokens| tokens as usize);
    Ok(Subject { side, checkpoint, tokens })
}

fn of_model(args: &Args, model: &str) -> anyhow::Result<(Side, Option<Checkpoint>)> {
    let opened = ModelArgs {
        which: args.which.clone(),
        allow_keys: args.allow_keys.clone(),
        allow_tensors: args.allow_tensors.clone(),
        ..ModelArgs::of(NameArgs::of(model))
    }
    .open_for(Purpose::Look)?;
    let side = Side {
        family: opened.family().clone(),
        size: opened.path().display().to_string(),
        config: opened.config().clone(),
        architecture: opened.architecture()?,
    };
    Ok((side, opened.has_weights().then(|| opened.checkpoint().clone())))
}

fn plain(args: &Args, subject: &Subject) -> anyhow::Result<String> {
    let Subject { side, checkpoint, tokens } = subject;
    let wanted = |part: Part| args.part.is_empty() || args.part.contains(&part);
    let mut out = format!("{}, {}\n", bold(titled(&side.family)), side.size);
    if wanted(Part::Words) {
        out += &words(side);
    }
    if wanted(Part::Sees) {
        out += &facts::sees(side, *tokens)?;
    }
    if wanted(Part::Places) {
        out += &facts::places_told(side, *tokens)?;
    }
    if wanted(Part::Tensors) {
        out += &tensors::plain(&side.architecture, checkpoint.as_ref());
    }
    if wanted(Part::Text) {
        out += &facts::read(side)?;
    }
    if wanted(Part::Sums) {
        out += &sums(subject);
    }
    Ok(out)
}

/// Each word with its value and, where that is computed, the formula.
fn words(side: &Side) -> String {
    let mut out = format!("\n{}\n", bold("words"));
    let fields = side.architecture.fields();
    for (word, value) in fields.iter().filter(|(word, _)| !word.starts_with("tensors.")) {
        let value = written(word, value, side.architecture.layers.len());
        if value == "none" {
            continue;
        }
        let entry = side.family.words.get(word).map(|entry| entry.expr.formula());
        let formula = entry.flatten().map(|formula| dim(shortened(&format!("= {}", formula.source()))));
        out += format!("  {word:<26} {value:<20} {}", formula.unwrap_or_default()).trim_end();
        out += "\n";
    }
    out
}

/// Bytes of keys and values, for each thousand tokens, as long as no window is full.
fn cache(side: &Side) -> u64 {
    2 * cache_of_thousand(&side.architecture)
}

fn sums(subject: &Subject) -> String {
    let Subject { side, checkpoint, tokens } = subject;
    let parameters = side.architecture.plan().parameters();
    let said = memory::written;
    let mut out = format!("\n{}\n  parameters   {}\n", bold("sums"), thousands(parameters));
    out += &match checkpoint.as_ref().map(|checkpoint| tensors::stored(&side.architecture, checkpoint)) {
        Some(bytes) => format!("  weights      {} as stored\n{}", said(bytes), loaded(subject)),
        None => format!(
            "  weights      {} in bf16, {} in f32\n",
            said(parameters.saturating_mul(2)),
            said(parameters.saturating_mul(4))
        ),
    };
    out += &format!("  cache        {} for each 1,000 tokens in f32\n", said(cache(side)));
    let whole = side.architecture.cache_bytes(*tokens);
    out += &format!(
        "               {} for {} tokens in bf16, {} in f32\n",
        said(whole / 2),
        thousands(*tokens as u64),
        said(whole)
    );
    let state = side.architecture.state_bytes();
    if state > 0 {
        out += &format!("  state        {}, however long the text\n", said(state));
    }
    out
}

/// What the weights take once they are loaded.
fn loaded(subject: &Subject) -> String {
    let Subject { side, checkpoint: Some(checkpoint), .. } = subject else { return String::new() };
    let LoadedBytes { in_place, made } = loaded_bytes(&side.architecture, checkpoint);
    let said = memory::written;
    let place = format!("{} stay in the file's map, {} are made of it", said(in_place), said(made));
    format!("  as loaded    {}: {place}\n", said(in_place.saturating_add(made)))
}

fn json(subject: &Subject) -> anyhow::Result<serde_json::Value> {
    let Subject { side, checkpoint, tokens } = subject;
    let architecture = &side.architecture;
    let formulas: serde_json::Map<String, serde_json::Value> = side
        .family
        .words
        .iter()
        .map(|(word, entry)| {
            let told =
                serde_json::json!({ "formula": entry.expr.written(), "origin": entry.origin.to_string() });
            (word.clone(), told)
        })
        .collect();
    let mut report = serde_json::json!({
        "family": side.family.name, "title": side.family.title, "name": side.size,
        "words": architecture.fields(), "formulas": formulas,
        "tensors": tensors::json(architecture, checkpoint.as_ref()),
        "parameters": architecture.plan().parameters(),
        "weight_bytes": checkpoint.as_ref().map(|checkpoint| tensors::stored(architecture, checkpoint)),
        "loaded_bytes": checkpoint.as_ref().map(|checkpoint| {
            let LoadedBytes { in_place, made } = loaded_bytes(architecture, checkpoint);
            serde_json::json!({ "in_place": in_place, "made": made })
        }),
        "cache_bytes_per_1000_tokens": cache(side), "state_bytes": architecture.state_bytes(),
        "cache_bytes": {
            "tokens": tokens, "f32": architecture.cache_bytes(*tokens), "bf16": architecture.cache_bytes(*tokens) / 2,
        },
    });
    if let (Some(report), serde_json::Value::Object(facts)) =
        (report.as_object_mut(), facts::json(side, *tokens)?)
    {
        report.extend(facts);
    }
    Ok(report)
}
