//! `camelid diff A B`: in what two families differ, in formulas and in values.

use std::process::ExitCode;

use camelid_atlas::{Difference, Differences, Side, Told, compared};
use camelid_families::{Declaration, Library};
use camelid_generate::memory;
use clap::ValueEnum;
use serde_json::Value as Json;

use crate::commands::explaining::set::{Setting, setting};
use crate::commands::output::style::{bold, dim};
use crate::commands::output::titles::titled;
use crate::commands::output::values::{shortened, thousands, written};

/// Show in what two families differ: formulas, tensors, sizes, tokenizer, chat
///
/// mathematics: what the declarations say, whatever the size, with the formulas.
/// tensors: how the checkpoint's tensors are called and lie.
/// reading: what keys of config.json are called, and are worth where they are absent.
/// sizes: where both declarations say the same, and config.json makes the difference.
/// tokenizer, chat: how text becomes ids, and a conversation text.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// A family, with one of its sizes or the first: gemma2, gemma2:9B
    #[arg(value_name = "A[:SIZE]")]
    pub a: String,
    /// Another; without a size, that with the nearest number of parameters
    #[arg(value_name = "B[:SIZE]")]
    pub b: String,
    /// Set a key of config.json on both sides, or on one: a:KEY=VALUE, b:KEY=VALUE (repeatable)
    #[arg(long, value_name = "[a:|b:]KEY=VALUE", value_parser = sided)]
    pub set: Vec<(Option<char>, Setting)>,
    /// Say what keys and values of so many tokens take
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub tokens: Option<u32>,
    /// Show this part alone (repeatable)
    #[arg(long, value_enum, value_name = "PART", conflicts_with = "json")]
    pub part: Vec<Part>,
    /// Print JSON, in which nothing is cut
    #[arg(long)]
    pub json: bool,
}

/// A part of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// What the declarations say, whatever the size.
    Mathematics,
    /// How the checkpoint's tensors are called and lie.
    Tensors,
    /// What keys of config.json are called and worth.
    Reading,
    /// What config.json makes different.
    Sizes,
    /// How text becomes ids.
    Tokenizer,
    /// How a conversation becomes text.
    Chat,
}

fn sided(text: &str) -> Result<(Option<char>, Setting), String> {
    let (side, rest) = match (text.strip_prefix("a:"), text.strip_prefix("b:")) {
        (Some(rest), _) => (Some('a'), rest),
        (None, Some(rest)) => (Some('b'), rest),
        (None, None) => (None, text),
    };
    Ok((side, setting(rest)?))
}

/// Runs `diff`.
///
/// # Errors
/// A family or a size is not known, or a key that is set does not fit.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    out!("{}", answer(&args)?);
    Ok(ExitCode::SUCCESS)
}

/// What `diff` prints.
///
/// # Errors
/// As [`run`].
pub(in crate::commands) fn answer(args: &Args) -> anyhow::Result<String> {
    let library = Library::built_in()?;
    let (a, b) = sides(&library, args)?;
    let mut found = compared(&a, &b)?;
    if let Some(tokens) = args.tokens {
        found.sizes.extend(caches(&a, &b, tokens as usize));
    }
    match args.json {
        true => Ok(format!("{}\n", serde_json::to_string_pretty(&json(&a, &b, &found))?)),
        false => Ok(plain(&a, &b, &found, &args.part)),
    }
}

fn sides(library: &Library, args: &Args) -> anyhow::Result<(Side, Side)> {
    let split = |text: &str| match text.split_once(':') {
        Some((name, size)) => (name.to_owned(), Some(size.to_owned())),
        None => (text.to_owned(), None),
    };
    let set = |side: char| -> Vec<Setting> {
        let here = args.set.iter().filter(|(of, _)| of.is_none_or(|of| of == side));
        here.map(|(_, setting)| setting.clone()).collect()
    };
    let ((name_a, size_a), (name_b, size_b)) = (split(&args.a), split(&args.b));
    let (family_a, family_b) = (library.get(&name_a)?, library.get(&name_b)?);
    let size_a = size_a.or_else(|| size_b.as_deref().and_then(|size| nearest(family_b, size, family_a)));
    let a = Side::of_size(family_a, size_a.as_deref(), &set('a'))?;
    let size_b = size_b.or_else(|| nearest(family_a, &a.size, family_b));
    let b = Side::of_size(family_b, size_b.as_deref(), &set('b'))?;
    Ok((a, b))
}

/// The size of `other` whose parameters are nearest, in ratio, to those of a size of `family`.
fn nearest(family: &Declaration, size: &str, other: &Declaration) -> Option<String> {
    let of = family.sizes.iter().find(|known| known.name.eq_ignore_ascii_case(size))?.parameters as f64;
    let distance = |parameters: u64| (parameters as f64 / of).ln().abs();
    let nearest =
        other.sizes.iter().min_by(|a, b| distance(a.parameters).total_cmp(&distance(b.parameters)))?;
    Some(nearest.name.clone())
}

/// The bytes of so many tokens in both types, where they differ.
fn caches(a: &Side, b: &Side, tokens: usize) -> Vec<Difference> {
    let line = |kind: &str, part: u64| {
        let told = |side: &Side| Told {
            value: (side.architecture.cache_bytes(tokens) / part).into(),
            ..Told::default()
        };
        Difference {
            word: format!("cache of {} tokens in {kind}", thousands(tokens as u64)),
            a: told(a),
            b: told(b),
            meaning: "Bytes of keys and values, or latents, of all layers.".into(),
        }
    };
    [line("bf16", 2), line("f32", 1)].into_iter().filter(|line| line.a != line.b).collect()
}

fn plain(a: &Side, b: &Side, found: &Differences, wanted: &[Part]) -> String {
    let mut out =
        format!("{} {} and {} {}\n", bold(titled(&a.family)), a.size, bold(titled(&b.family)), b.size);
    let (name_a, name_b) = (a.name(), b.name());
    let width = name_a.len().max(name_b.len());
    let named = |name: &str| {
        let is_it = |part: &Part| part.to_possible_value().is_some_and(|value| value.get_name() == name);
        wanted.is_empty() || wanted.iter().any(is_it)
    };
    for (part, about, lines) in found.parts().into_iter().filter(|(name, ..)| named(name)) {
        if lines.is_empty() {
            continue;
        }
        out += &format!("\n{}: {about}\n", bold(part));
        for Difference { word, a: told_a, b: told_b, meaning } in lines {
            out += &format!("  {word}\n");
            let same = told_a.formula == told_b.formula;
            out += &format!("    {name_a:<width$}  {}\n", said(word, told_a, a, same));
            out += &format!("    {name_b:<width$}  {}\n", said(word, told_b, b, same));
            if let Some(first) = meaning.split_inclusive(". ").next().filter(|first| !first.is_empty()) {
                out += &format!("    {}\n", dim(first.trim()));
            }
        }
    }
    if found.is_empty() {
        out += "  they do not differ\n";
    }
    out
}

/// The formula, where the two differ in it, and what it comes to where that is another thing.
fn said(word: &str, told: &Told, side: &Side, same: bool) -> String {
    let value = match &told.value {
        Json::Number(bytes) if word.starts_with("cache") || word == "states" => {
            memory::written(bytes.as_u64().unwrap_or_default())
        }
        Json::Number(count) if word == "parameters" => thousands(count.as_u64().unwrap_or_default()),
        Json::String(text) if text.contains('\n') => format!("{text:?}"),
        value => written(word, value, side.architecture.layers.len()),
    };
    match told.formula.as_deref().filter(|_| !same) {
        Some(formula) if formula.starts_with("= ") && told.value.is_null() => shortened(formula),
        Some(formula) if formula.starts_with("= ") => {
            format!("{}, here {value}", shortened(formula))
        }
        Some(formula) if told.value.is_null() => shortened(formula),
        Some(_) | None => value,
    }
}

fn json(a: &Side, b: &Side, found: &Differences) -> Json {
    let side = |side: &Side| serde_json::json!({ "family": side.family.name, "size": side.size });
    serde_json::json!({ "a": side(a), "b": side(b), "differences": found })
}
