//! A family's file with all that it inherits, as TOML, each line with its origin.

use camelid_families::{Declaration, Entries, Entry, TABLES};

use crate::commands::output::style::{bold, dim};

/// Prints the merged file.
pub(in crate::commands) fn print(family: &Declaration) {
    let text = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            outln!("{key} = {value:?}");
        }
    };
    let list = |key: &str, names: &[String]| {
        if !names.is_empty() {
            outln!("{key} = {names:?}");
        }
    };
    outln!("{}", dim(format!("# made of {}", family.chain.join(", "))));
    text("title", &Some(family.title.clone()));
    text("match", &family.matches.as_ref().map(|rule| format!("= {}", rule.source())));
    list("classes", &family.classes);
    list("base_classes", &family.base_classes);
    text("after", &family.after);
    text("form_of", &family.form_of);
    text("released", &family.released);
    table("rename", family.rename.iter().map(|(key, entry)| (key.clone(), entry)));
    let reads = family.reads();
    let read = |all: &Entries| -> Entries {
        let used = |key: &String| reads.iter().any(|name| name.split('.').next() == Some(key));
        all.iter().filter(|(key, _)| used(key)).map(|(key, entry)| (key.clone(), entry.clone())).collect()
    };
    entries("default", &read(&family.default));
    entries("absent", &read(&family.absent));
    entries("let", &family.lets);
    entries("require", &family.require);
    outln!("\n{}", bold("[ignore]"));
    outln!("keys = {:?}", family.inert_keys);
    outln!("tensors = {:?}", family.inert_tensors);
    outln!("parts = {:?}", family.parts);
    for name in TABLES {
        let words = family.words.iter();
        let own = words.filter_map(|(word, entry)| {
            Some((word.strip_prefix(name)?.strip_prefix('.')?.to_owned(), entry))
        });
        table(name, own);
    }
    table("tensors", family.tensors.iter().map(|(roles, entry)| (joined(roles), entry)));
    table("bias", family.bias.iter().map(|(role, entry)| (role.to_string(), entry)));
    entries("tokenizer", &family.tokenizer);
    entries("chat", &family.chat);
    entries("gguf", &family.gguf.words);
    entries("gguf.config", &family.gguf.config);
    table("gguf.tensors", family.gguf.tensors.iter().map(|(roles, entry)| (joined(roles), entry)));
}

fn joined(roles: &[camelid_families::Role]) -> String {
    roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

fn entries(name: &str, entries: &Entries) {
    table(name, entries.iter().map(|(key, entry)| (key.clone(), entry)));
}

fn table<'e>(name: &str, entries: impl Iterator<Item = (String, &'e Entry)>) {
    let lines: Vec<_> = entries.map(|(key, entry)| (key_of(&key), entry)).collect();
    if lines.is_empty() {
        return;
    }
    outln!("\n{}", bold(format!("[{name}]")));
    let written: Vec<_> = lines
        .iter()
        .map(|(key, entry)| (format!("{key} = {}", entry.expr.written()), &entry.origin))
        .collect();
    let width = written.iter().map(|(line, _)| line.chars().count()).filter(|n| *n <= 72).max().unwrap_or(0);
    for (line, origin) in written {
        outln!("{line:<width$}  {}", dim(format!("# {origin}")));
    }
}

/// A key as TOML takes it.
fn key_of(key: &str) -> String {
    let bare = key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
    if bare { key.to_owned() } else { format!("{key:?}") }
}
