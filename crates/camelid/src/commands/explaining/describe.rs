//! `camelid describe`: what a model is made of.

use std::process::ExitCode;

use anyhow::{Context, bail};
use camelid_checkpoint::Checkpoint;
use camelid_families::{Architecture, Declaration, Library, Planned, Role};
use camelid_generate::{Purpose, memory};

use crate::commands::options::model::ModelArgs;
use crate::commands::options::name::NameArgs;
use crate::commands::options::which::Which;
use crate::commands::output::declaration;
use crate::commands::output::style::{bold, dim};
use crate::commands::output::titles::titled;
use crate::commands::output::values::{thousands, written};

/// Show what a model is made of: its words, tensors, parameters and memory
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
    /// A key of config.json to wave through, unread (repeatable)
    #[arg(long = "allow-key", value_name = "KEY")]
    pub allow_keys: Vec<String>,
    /// A tensor of the checkpoint to wave through, unused (repeatable)
    #[arg(long = "allow-tensor", value_name = "NAME")]
    pub allow_tensors: Vec<String>,
    /// Print the family's file with all that it inherits, each line with its origin
    #[arg(long)]
    pub declaration: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A family's network, with or without weights.
struct Subject {
    family: Declaration,
    name: String,
    architecture: Architecture,
    checkpoint: Option<Checkpoint>,
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
    let subject = match &model {
        Some(model) => of_model(&args, model)?,
        None => {
            let name = named.as_deref().context("name a family with --family, or a checkpoint as MODEL")?;
            of_size(library.get(name)?, args.size.as_deref())?
        }
    };
    match (args.declaration, args.json) {
        (true, _) => declaration::print(&subject.family),
        (false, true) => println!("{}", serde_json::to_string_pretty(&json(&subject))?),
        (false, false) => print(&subject),
    }
    Ok(ExitCode::SUCCESS)
}

fn of_model(args: &Args, model: &str) -> anyhow::Result<Subject> {
    let opened = ModelArgs {
        which: args.which.clone(),
        allow_keys: args.allow_keys.clone(),
        allow_tensors: args.allow_tensors.clone(),
        ..ModelArgs::of(NameArgs::of(model))
    }
    .open_for(Purpose::Look)?;
    Ok(Subject {
        family: opened.family().clone(),
        name: opened.path().display().to_string(),
        architecture: opened.architecture()?,
        checkpoint: opened.has_weights().then(|| opened.checkpoint().clone()),
    })
}

fn of_size(family: &Declaration, size: Option<&str>) -> anyhow::Result<Subject> {
    let (name, architecture) = sized(family, size)?;
    Ok(Subject { family: family.clone(), name, architecture, checkpoint: None })
}

/// A published size of a family, by name or the first, with its name and its architecture.
pub(in crate::commands) fn sized(
    family: &Declaration,
    size: Option<&str>,
) -> anyhow::Result<(String, Architecture)> {
    let known: Vec<_> = family.sizes.iter().map(|size| size.name.as_str()).collect();
    let found = match size {
        Some(name) => family.sizes.iter().find(|size| size.name.eq_ignore_ascii_case(name)),
        None => family.sizes.first(),
    };
    let Some(found) = found else {
        bail!("`{}` has no size `{}`; there are {}", family.name, size.unwrap_or_default(), known.join(", "));
    };
    let architecture = family.resolve(&found.config, &[]).map_err(|unresolved| {
        let problems: Vec<_> = unresolved.problems.iter().map(|problem| format!("\n  - {problem}")).collect();
        anyhow::anyhow!("the size {} of `{}` does not resolve:{}", found.name, family.name, problems.concat())
    })?;
    Ok((found.name.clone(), architecture))
}

/// Consecutive layers whose tensors and words are alike.
struct Run<'a> {
    first: usize,
    last: usize,
    tensors: Vec<&'a Planned>,
}

/// A tensor's name with its layer's number taken out.
fn stem(planned: &Planned, layer: usize) -> String {
    planned.name.replacen(&format!(".{layer}."), ".{layer}.", 1)
}

fn runs<'a>(architecture: &Architecture, tensors: &'a [Planned]) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for layer in 0..architecture.layers.len() {
        let own: Vec<&Planned> = tensors.iter().filter(|planned| planned.layer == Some(layer)).collect();
        let alike = |run: &Run<'_>| {
            run.tensors.len() == own.len()
                && run.tensors.iter().zip(&own).all(|(a, b)| {
                    stem(a, run.first) == stem(b, layer) && a.shape == b.shape && a.roles == b.roles
                })
        };
        match runs.last_mut() {
            Some(run) if alike(run) => run.last = layer,
            _ => runs.push(Run { first: layer, last: layer, tensors: own }),
        }
    }
    runs
}

fn parameters(tensors: &[&Planned]) -> u64 {
    tensors.iter().map(|planned| planned.shape.iter().map(|d| *d as u64).product::<u64>()).sum()
}

fn print(subject: &Subject) {
    let Subject { family, name, architecture, .. } = subject;
    let plan = architecture.plan();
    anstream::println!("{}, {name}", bold(titled(family)));
    anstream::println!("\n{}", bold("words"));
    for (word, value) in architecture.fields().iter().filter(|(word, _)| !word.starts_with("tensors.")) {
        let value = written(word, value, architecture.layers.len());
        if value != "none" {
            anstream::println!("  {word:<26} {value}");
        }
    }
    anstream::println!("\n{}", bold("tensors"));
    let name =
        |planned: &Planned| planned.layer.map_or(planned.name.len(), |layer| stem(planned, layer).len() + 2);
    let width = plan.tensors.iter().map(name).max().unwrap_or(0);
    let outside =
        |role: Role| plan.tensors.iter().filter(move |p| p.layer.is_none() && p.roles.contains(&role));
    for planned in outside(Role::Embedding) {
        line(subject, planned, 0, width);
    }
    for run in runs(architecture, &plan.tensors) {
        let (count, each) = (run.last - run.first + 1, parameters(&run.tensors));
        let layers = if count == 1 {
            format!("layer {}", run.first)
        } else {
            format!("layers {}–{}", run.first, run.last)
        };
        let total = if count == 1 {
            String::new()
        } else {
            format!(" each, {} together", thousands(each * count as u64))
        };
        anstream::println!("  {} {}", bold(layers), dim(format!("{} parameters{total}", thousands(each))));
        for planned in &run.tensors {
            line(subject, planned, 2, width);
        }
    }
    for planned in plan.tensors.iter().filter(|p| p.layer.is_none() && !p.roles.contains(&Role::Embedding)) {
        line(subject, planned, 0, width);
    }
    if architecture.output.tie {
        anstream::println!("  {}", dim("output is the embedding"));
    }
    print_sums(subject);
}

fn line(subject: &Subject, planned: &Planned, indent: usize, width: usize) {
    let name = planned.layer.map_or_else(|| planned.name.clone(), |layer| stem(planned, layer));
    let shape = format!("{:?}", planned.shape);
    let tensor = subject.checkpoint.as_ref().and_then(|checkpoint| checkpoint.tensor(&planned.name));
    let dtype = tensor.map(|tensor| tensor.dtype().to_string()).unwrap_or_default();
    let roles: Vec<_> = planned.roles.iter().map(ToString::to_string).collect();
    let pad = width - indent;
    anstream::println!("  {:indent$}{name:<pad$} {shape:<18} {dtype:<5} {}", "", dim(roles.join(" | ")));
}

/// Bytes of the weights as stored, where there are any.
fn stored(subject: &Subject) -> Option<u64> {
    let checkpoint = subject.checkpoint.as_ref()?;
    let plan = subject.architecture.plan();
    let sizes = plan.tensors.iter().filter_map(|planned| checkpoint.tensor(&planned.name));
    Some(sizes.map(|tensor| tensor.byte_len() as u64).sum())
}

/// Bytes of keys and values, for each thousand tokens, as long as no window is full.
fn cache(architecture: &Architecture) -> u64 {
    architecture.cache_bytes(1_024) * 1_000 / 1_024
}

fn print_sums(subject: &Subject) {
    let parameters = subject.architecture.plan().parameters();
    anstream::println!("\n{}", bold("sums"));
    anstream::println!("  parameters   {}", thousands(parameters));
    match stored(subject) {
        Some(bytes) => anstream::println!("  weights      {} as stored", memory::written(bytes)),
        None => anstream::println!(
            "  weights      {} in bf16, {} in f32",
            memory::written(parameters.saturating_mul(2)),
            memory::written(parameters.saturating_mul(4))
        ),
    }
    anstream::println!(
        "  cache        {} for each 1,000 tokens",
        memory::written(cache(&subject.architecture))
    );
    let state = subject.architecture.state_bytes();
    if state > 0 {
        anstream::println!("  state        {}, however long the text", memory::written(state));
    }
}

fn json(subject: &Subject) -> serde_json::Value {
    let plan = subject.architecture.plan();
    let tensors = plan.tensors.iter().map(|planned| {
        let tensor = subject.checkpoint.as_ref().and_then(|checkpoint| checkpoint.tensor(&planned.name));
        let roles: Vec<_> = planned.roles.iter().map(ToString::to_string).collect();
        serde_json::json!({
            "name": planned.name, "shape": planned.shape, "layer": planned.layer, "roles": roles,
            "dtype": tensor.map(|tensor| tensor.dtype().to_string()),
        })
    });
    serde_json::json!({
        "family": subject.family.name, "title": subject.family.title, "name": subject.name,
        "words": subject.architecture.fields(), "tensors": tensors.collect::<Vec<_>>(),
        "parameters": plan.parameters(), "weight_bytes": stored(subject),
        "cache_bytes_per_1000_tokens": cache(&subject.architecture), "state_bytes": subject.architecture.state_bytes(),
    })
}
