//! A family's page: what it is, its sizes, its layers, its declaration with every inherited line marked, its cases, its text.

use std::path::Path;

use camelid_families::{Declaration, Entry, Library, TABLES};
use camelid_verify::{Distance, Reference, TOLERANCE};
use serde::Serialize;

use crate::Error;
use crate::facts::compared::{plain, table_of};
use crate::facts::said::{places, significant, thousands};
use crate::facts::side::{Side, cache_of_thousand};
use crate::facts::sight::{Sight, sights};
use crate::facts::text::{QUESTION, Text, text};
use crate::site::layer::{Layer, drawings};
use crate::site::tokens::Tokens;

/// All that the page says.
#[derive(Debug, Serialize)]
pub(crate) struct Family {
    name: String,
    by: String,
    released: String,
    summary: String,
    source: String,
    rule: String,
    chain: Vec<String>,
    after: Option<String>,
    sizes: Vec<Vec<String>>,
    sees: Vec<(String, String)>,
    /// Layers in all, and for each kind of sight the path over its layers, ten units each.
    strip: (usize, Vec<String>),
    drawings: Vec<Layer>,
    tables: Vec<Table>,
    cases: Vec<CaseRow>,
    tolerance: String,
    text: Option<Text>,
    question: &'static str,
    vocabulary: Option<String>,
}

/// A table of the merged declaration.
#[derive(Debug, Serialize)]
struct Table {
    name: String,
    lines: Vec<Said>,
}

#[derive(Debug, Serialize)]
struct Said {
    key: String,
    value: String,
    origin: String,
    own: bool,
}

#[derive(Debug, Serialize)]
struct CaseRow {
    name: String,
    source: String,
    exercises: String,
    tokens: usize,
    /// How far the original's own f32 is from its f64, relative to the largest logit.
    own: String,
}

/// A family's page.
pub(crate) fn family(library: &Library, family: &Declaration, cases: &Path) -> Result<Family, Error> {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    let side = Side::of_size(family, None, &[]).ok();
    let seen = side.as_ref().map(|side| sights(&side.architecture, side.context() - 1).map_err(Error::Site));
    let seen = seen.transpose()?.unwrap_or_default();
    let layers = side.as_ref().map_or(0, |side| side.architecture.layers.len());
    let cells =
        |sight: &Sight| sight.layers.iter().map(|it| format!("M{} 0h9v16h-9z", it * 10)).collect::<String>();
    Ok(Family {
        name: family.name.clone(),
        by: of(&family.by),
        released: of(&family.released),
        summary: of(&family.summary),
        source: of(&family.source),
        rule: family.matches.as_ref().map(|rule| rule.source().to_owned()).unwrap_or_default(),
        chain: family
            .chain
            .iter()
            .skip(1)
            .filter(|name| library.families().any(|it| it.name == **name))
            .cloned()
            .collect(),
        after: family.after.clone(),
        sizes: sizes(family)?,
        sees: seen.iter().map(|sight| (places(&sight.layers), sight.rule.clone())).collect(),
        strip: (layers, seen.iter().map(cells).collect()),
        drawings: drawings(family)?,
        tables: declaration(family),
        cases: case_rows(library, family, cases)?,
        tolerance: significant(TOLERANCE, 2),
        text: side.map(|side| text(family, &side.config)).transpose()?,
        question: QUESTION,
        vocabulary: Tokens::read()?.of(&family.name),
    })
}

fn sizes(family: &Declaration) -> Result<Vec<Vec<String>>, Error> {
    let mut sizes: Vec<_> = family.sizes.iter().collect();
    sizes.sort_by_key(|size| size.parameters);
    let number = |count: usize| thousands(count as u64);
    let row = |name: &str| {
        let Side { architecture, .. } = Side::of_size(family, Some(name), &[])?;
        let attention = architecture.layers.first().map(|layer| &layer.attention);
        let heads = attention.map(|it| format!("{} / {} of {}", it.heads, it.kv_heads, it.head_dim));
        Ok(vec![
            name.to_owned(),
            thousands(architecture.plan().parameters()),
            number(architecture.embedding.width),
            architecture.stack.layers.to_string(),
            heads.unwrap_or_default(),
            number(architecture.embedding.vocab),
            architecture.stack.context.map_or_else(|| "–".into(), number),
            thousands(cache_of_thousand(&architecture)),
        ])
    };
    sizes.into_iter().map(|size| row(&size.name)).collect()
}

/// The merged declaration, table by table; what stands in the family's own file is marked.
fn declaration(family: &Declaration) -> Vec<Table> {
    let own = format!("families/{}.toml", family.name);
    let said = |key: String, value: String, origin: String| {
        let short = origin.trim_start_matches("families/").replace(".toml", "");
        Said { key, value, own: origin.starts_with(&own), origin: short }
    };
    let entry = |key: String, entry: &Entry| said(key, plain(&entry.expr), entry.origin.to_string());
    let mut tables = Vec::new();
    let mut push = |name: &str, mut lines: Vec<Said>| {
        // What the file under all families says is the same on every page.
        lines.retain(|line| !line.origin.starts_with("base:"));
        if !lines.is_empty() {
            tables.push(Table { name: name.into(), lines });
        }
    };
    let reads = family.reads();
    push("rename", family.rename.iter().map(|(key, it)| entry(key.clone(), it)).collect());
    for (name, entries) in [("default", &family.default), ("absent", &family.absent), ("let", &family.lets)] {
        let read = entries.iter().filter(|(key, _)| reads.contains(*key));
        push(name, read.map(|(key, it)| entry(key.clone(), it)).collect());
    }
    for name in TABLES {
        let words = family
            .words
            .iter()
            .filter_map(|(word, it)| Some(entry(word.strip_prefix(name)?.strip_prefix('.')?.to_owned(), it)));
        push(name, words.collect());
    }
    let joined = |roles: &[camelid_families::Role]| {
        roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" | ")
    };
    push("tensors", family.tensors.iter().map(|(roles, it)| entry(joined(roles), it)).collect());
    push("bias", family.bias.iter().map(|(role, it)| entry(role.to_string(), it)).collect());
    for (name, entries) in [("tokenizer", &family.tokenizer), ("chat", &family.chat)] {
        let lines = table_of(entries)
            .into_iter()
            .map(|(key, told)| said(key, told.formula.unwrap_or_default(), told.origin.unwrap_or_default()));
        push(name, lines.collect());
    }
    tables
}

/// The cases of a family and its forms, with what the reference says of itself.
fn case_rows(library: &Library, family: &Declaration, cases: &Path) -> Result<Vec<CaseRow>, Error> {
    let mut rows = Vec::new();
    for form in library.forms(&family.name) {
        let Ok(entries) = std::fs::read_dir(cases.join(&form.name)) else { continue };
        let mut folders: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        for folder in folders {
            rows.push(case_row(&form.name, &folder)?);
        }
    }
    Ok(rows)
}

fn case_row(form: &str, folder: &Path) -> Result<CaseRow, Error> {
    let wrong = |error: &dyn std::fmt::Display| Error::Site(format!("{}: {error}", folder.display()));
    let path = folder.join("reference.json");
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error))?;
    let about: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let source = camelid_checkpoint::Source::open(
        &folder.join("reference.safetensors"),
        camelid_checkpoint::Mapping::Read,
    );
    let reference = source
        .map_err(|error| wrong(&error))
        .and_then(|source| Reference::read(&std::sync::Arc::new(source)).map_err(|error| wrong(&error)))?;
    let of = |key: &str| about[key].as_str().unwrap_or_default().to_owned();
    let apart = reference
        .logits_f64
        .as_ref()
        .map(|exact| Distance::between(reference.logits.view(), exact.view()).relative);
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    Ok(CaseRow {
        name: format!("{form}/{name}"),
        source: of("source"),
        exercises: of("exercises"),
        tokens: reference.input_ids.len(),
        own: apart.map(|apart| significant(apart, 2)).unwrap_or_default(),
    })
}
