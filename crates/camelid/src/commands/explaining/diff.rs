//! `camelid diff A B`: in what two families differ, in the schema's words.

use std::collections::BTreeSet;
use std::process::ExitCode;

use camelid_families::{Architecture, Declaration, Entries, Library, difference, words};
use serde_json::Value as Json;

use crate::commands::explaining::describe::sized;
use crate::commands::output::style::{bold, dim};
use crate::commands::output::titles::titled;
use crate::commands::output::values::{thousands, written};

/// Show in what two families differ: mathematics, tensors, sizes, tokenizer, chat
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A family, with one of its sizes or the first: gemma2, gemma2:9B
    #[arg(value_name = "A[:SIZE]")]
    pub a: String,
    /// Another; without a size, that with the nearest number of parameters
    #[arg(value_name = "B[:SIZE]")]
    pub b: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// One side.
struct Side {
    family: Declaration,
    size: String,
    architecture: Architecture,
}

/// A part of the answer: word, both values, what the word means.
type Lines = Vec<[String; 4]>;

/// Runs `diff`.
///
/// # Errors
/// A family or a size is not known.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let library = Library::built_in()?;
    let (a, b) = sides(&library, &args)?;
    let parts = parts(&a, &b);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json(&a, &b, &parts))?);
    } else {
        print(&a, &b, &parts);
    }
    Ok(ExitCode::SUCCESS)
}

fn sides(library: &Library, args: &Args) -> anyhow::Result<(Side, Side)> {
    let split = |text: &str| match text.split_once(':') {
        Some((name, size)) => (name.to_owned(), Some(size.to_owned())),
        None => (text.to_owned(), None),
    };
    let ((name_a, size_a), (name_b, size_b)) = (split(&args.a), split(&args.b));
    let (family_a, family_b) = (library.get(&name_a)?, library.get(&name_b)?);
    let size_a = size_a.or_else(|| size_b.as_deref().and_then(|size| nearest(family_b, size, family_a)));
    let (size_a, a) = sized(family_a, size_a.as_deref())?;
    let size_b = size_b.or_else(|| nearest(family_a, &size_a, family_b));
    let (size_b, b) = sized(family_b, size_b.as_deref())?;
    let side = |family: &Declaration, size, architecture| Side { family: family.clone(), size, architecture };
    Ok((side(family_a, size_a, a), side(family_b, size_b, b)))
}

/// The size of `other` whose parameters are nearest, in ratio, to those of a size of `family`.
fn nearest(family: &Declaration, size: &str, other: &Declaration) -> Option<String> {
    let of = family.sizes.iter().find(|known| known.name.eq_ignore_ascii_case(size))?.parameters as f64;
    let distance = |parameters: u64| (parameters as f64 / of).ln().abs();
    let nearest =
        other.sizes.iter().min_by(|a, b| distance(a.parameters).total_cmp(&distance(b.parameters)))?;
    Some(nearest.name.clone())
}

fn parts(a: &Side, b: &Side) -> [(&'static str, Lines); 5] {
    let (mut mathematics, mut tensors, mut sizes) = (Lines::new(), Lines::new(), Lines::new());
    for (word, value_a, value_b) in difference(&a.architecture, &b.architecture) {
        let say = |value: &Json, side: &Side| written(&word, value, side.architecture.layers.len());
        let line = [word.clone(), say(&value_a, a), say(&value_b, b), meaning(&word)];
        if word.starts_with("tensors.") {
            tensors.push(line);
        } else if a.family.words.get(&word).map(|e| &e.expr) == b.family.words.get(&word).map(|e| &e.expr) {
            sizes.push(line); // both say the same of it: config.json makes the difference
        } else {
            mathematics.push(line);
        }
    }
    let counts =
        [&a.architecture, &b.architecture].map(|architecture| thousands(architecture.plan().parameters()));
    let [count_a, count_b] = counts;
    if count_a != count_b {
        sizes.insert(0, ["parameters".into(), count_a, count_b, "How many numbers the tensors hold.".into()]);
    }
    let tokenizer = tables(&a.family.tokenizer, &b.family.tokenizer);
    let chat = tables(&a.family.chat, &b.family.chat);
    [
        ("mathematics", mathematics),
        ("tensors", tensors),
        ("sizes", sizes),
        ("tokenizer", tokenizer),
        ("chat", chat),
    ]
}

/// The first sentence of a word's documentation.
fn meaning(word: &str) -> String {
    let known = words().iter().find(|known| word == format!("{}.{}", known.table, known.key));
    let text = known.map(|known| known.meaning.as_str()).unwrap_or_default();
    text.split_inclusive(". ").next().unwrap_or_default().trim().to_owned()
}

/// The keys of a table that differ, as they are written.
fn tables(a: &Entries, b: &Entries) -> Lines {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let say = |entries: &Entries, key: &String| {
        entries.get(key).map_or_else(|| "none".to_owned(), |entry| short(&entry.expr.written()))
    };
    let differ = keys.into_iter().filter(|key| a.get(*key).map(|e| &e.expr) != b.get(*key).map(|e| &e.expr));
    differ.map(|key| [key.clone(), say(a, key), say(b, key), String::new()]).collect()
}

/// At most 60 letters.
fn short(text: &str) -> String {
    let mut letters = text.chars();
    let head: String = letters.by_ref().take(60).collect();
    if letters.next().is_some() { format!("{head}…") } else { head }
}

fn print(a: &Side, b: &Side, parts: &[(&'static str, Lines)]) {
    let name = |side: &Side| format!("{}:{}", side.family.name, side.size);
    anstream::println!("{} {} and {} {}", bold(titled(&a.family)), a.size, bold(titled(&b.family)), b.size);
    let (name_a, name_b) = (name(a), name(b));
    for (part, lines) in parts.iter().filter(|(_, lines)| !lines.is_empty()) {
        anstream::println!("\n{}", bold(part));
        for [word, value_a, value_b, meaning] in lines {
            anstream::println!("  {word}");
            let width = name_a.len().max(name_b.len());
            anstream::println!("    {name_a:<width$}  {value_a}");
            anstream::println!("    {name_b:<width$}  {value_b}");
            if !meaning.is_empty() {
                anstream::println!("    {}", dim(meaning));
            }
        }
    }
    if parts.iter().all(|(_, lines)| lines.is_empty()) {
        anstream::println!("  they do not differ");
    }
}

fn json(a: &Side, b: &Side, parts: &[(&'static str, Lines)]) -> Json {
    let line = |[word, a, b, meaning]: &[String; 4]| serde_json::json!({ "word": word, "a": a, "b": b, "meaning": meaning });
    let side = |side: &Side| serde_json::json!({ "family": side.family.name, "size": side.size });
    let parts: serde_json::Map<String, Json> =
        parts.iter().map(|(part, lines)| ((*part).to_owned(), lines.iter().map(line).collect())).collect();
    serde_json::json!({ "a": side(a), "b": side(b), "differences": parts })
}
