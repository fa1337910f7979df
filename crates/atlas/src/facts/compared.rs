//! In what two families differ: in the formulas that they declare, and in the values that these come to at two sizes.

use std::collections::BTreeSet;

use camelid_families::{Declaration, Entries, Entry, Expr, Fields, Role, words};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value as Json;

use crate::Error;
use crate::facts::side::Side;
use crate::facts::text::text;

/// In what two families differ. A word stands in one part only.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Differences {
    /// Words of which the two declarations say another thing, whatever the size.
    pub mathematics: Vec<Difference>,
    /// Tensors that are named otherwise or lie otherwise, that one lacks, or that have a bias in one.
    pub tensors: Vec<Difference>,
    /// How config.json is read: keys that are called otherwise or are worth another thing where they are absent.
    pub reading: Vec<Difference>,
    /// Words of which both say the same, and to which the two sizes give another value; sums over tensors.
    pub sizes: Vec<Difference>,
    /// How text becomes ids.
    pub tokenizer: Vec<Difference>,
    /// How a conversation becomes text.
    pub chat: Vec<Difference>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The word, the roles of the tensor, or the key.
    pub word: String,
    /// What it is on the one side.
    pub a: Told,
    /// And on the other.
    pub b: Told,
    /// What the word means, whole.
    pub meaning: String,
}

/// What one side says.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Told {
    /// What it comes to at the size; null for none. Where layers differ, one value for each.
    pub value: Json,
    /// What the declaration says, as it is written; the word's default where it says nothing.
    pub formula: Option<String>,
    /// The file and line where that is said.
    pub origin: Option<String>,
}

impl Differences {
    /// The parts by name, each with what stands in it.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, &'static str, &[Difference]); 6] {
        let Differences { mathematics, tensors, reading, sizes, tokenizer, chat } = self;
        [
            ("mathematics", "what the declarations say, whatever the size", mathematics),
            ("tensors", "how the checkpoint's tensors are called and lie", tensors),
            ("reading", "what keys of config.json are called, and are worth where they are absent", reading),
            ("sizes", "where both declarations say the same, and config.json makes the difference", sizes),
            ("tokenizer", "how text becomes ids", tokenizer),
            ("chat", "how a conversation becomes text", chat),
        ]
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts().iter().all(|(.., lines)| lines.is_empty())
    }
}

/// In what two families differ at two sizes.
///
/// # Errors
/// A formula of `[tokenizer]` or `[chat]` lacks a key of config.json.
pub fn compared(a: &Side, b: &Side) -> Result<Differences, Error> {
    let mut found = Differences::default();
    let fields = [a.architecture.fields(), b.architecture.fields()];
    for word in words() {
        let name = format!("{}.{}", word.table, word.key);
        let default = word.default.as_deref();
        let [told_a, told_b] =
            [(a, &fields[0]), (b, &fields[1])].map(|(side, fields)| told(side, fields, &name, default));
        let line = |a, b| Difference { word: name.clone(), a, b, meaning: word.meaning.clone() };
        if told_a.formula != told_b.formula {
            found.mathematics.push(line(told_a, told_b));
        } else if told_a.value != told_b.value {
            found.sizes.push(line(told_a, told_b));
        }
    }
    found.sizes.splice(0..0, sums(a, b));
    found.tensors = tensors(a, b, &fields);
    found.reading = reading(&a.family, &b.family);
    found.tokenizer = tables(&a.family.tokenizer, &b.family.tokenizer);
    found.chat = tables(&a.family.chat, &b.family.chat);
    found.chat.extend(conversation(a, b)?);
    Ok(found)
}

fn told(side: &Side, fields: &Fields, word: &str, default: Option<&str>) -> Told {
    let entry = side.family.words.get(word);
    let written = entry.map(|entry| plain(&entry.expr));
    Told {
        value: fields.get(word).cloned().unwrap_or(Json::Null),
        formula: Some(written.unwrap_or_else(|| default.unwrap_or("none").to_owned())),
        origin: entry.map(|entry| entry.origin.to_string()),
    }
}

/// As a declaration writes it, where none is none.
pub(crate) fn plain(expr: &Expr) -> String {
    match expr {
        Expr::Literal(Json::Null) => "none".into(),
        Expr::Formula(formula) => format!("= {}", formula.source()),
        Expr::Literal(_) | Expr::List(_) | Expr::Table(_) => expr.written(),
    }
}

fn sums(a: &Side, b: &Side) -> Vec<Difference> {
    let value = |value: u64| Told { value: value.into(), ..Told::default() };
    let line = |word: &str, meaning: &str, of: &dyn Fn(&Side) -> u64| {
        (of(a) != of(b)).then(|| Difference {
            word: word.into(),
            a: value(of(a)),
            b: value(of(b)),
            meaning: meaning.into(),
        })
    };
    let lines = [
        line("parameters", "How many numbers the tensors hold.", &|side| {
            side.architecture.plan().parameters()
        }),
        line("cache of a token", "Bytes of keys and values, or latents, of one token in bf16.", &|side| {
            side.architecture.cache_bytes(256) / 512
        }),
        line("states", "Bytes of all states, however long the text, in f32.", &|side| {
            side.architecture.state_bytes()
        }),
    ];
    lines.into_iter().flatten().collect()
}

fn tensors(a: &Side, b: &Side, [fields_a, fields_b]: &[Fields; 2]) -> Vec<Difference> {
    let names: indexmap::IndexSet<&String> =
        fields_a.keys().chain(fields_b.keys()).filter(|word| word.starts_with("tensors.")).collect();
    let told = |side: &Side, fields: &Fields, word: &str, roles: &str| {
        let entry = side.family.tensors.iter().find(|(known, _)| joined(known) == roles);
        Told {
            value: fields.get(word).cloned().unwrap_or(Json::Null),
            formula: entry.map(|(_, entry)| plain(&entry.expr)),
            origin: entry.map(|(_, entry)| entry.origin.to_string()),
        }
    };
    let mut lines = Vec::new();
    for word in names {
        let roles = word.trim_start_matches("tensors.").trim_matches('"');
        let (a, b) = (told(a, fields_a, word, roles), told(b, fields_b, word, roles));
        if a.value != b.value {
            lines.push(Difference { word: roles.to_owned(), a, b, meaning: String::new() });
        }
    }
    lines.extend(biases(a, b));
    lines
}

fn joined(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" | ")
}

/// Biases, role by role; those of which the same is said stand together.
fn biases(a: &Side, b: &Side) -> Vec<Difference> {
    let told = |side: &Side, role: Role| {
        let entry = side.family.bias.get(&role);
        let layer = Some(0).filter(|_| role.per_layer());
        let named = side.architecture.tensor(layer, role);
        Told {
            value: named.is_some_and(|named| named.bias).into(),
            formula: Some(entry.map_or_else(|| "false".into(), |entry| plain(&entry.expr))),
            origin: entry.map(|entry| entry.origin.to_string()),
        }
    };
    let mut groups: Vec<(Vec<Role>, Told, Told)> = Vec::new();
    for role in Role::ALL {
        let (a, b) = (told(a, role), told(b, role));
        if a.formula == b.formula {
            continue;
        }
        let same = |(_, known_a, known_b): &&mut (_, Told, Told)| {
            (&known_a.formula, &known_b.formula) == (&a.formula, &b.formula)
        };
        match groups.iter_mut().find(same) {
            Some((roles, ..)) => roles.push(role),
            None => groups.push((vec![role], a, b)),
        }
    }
    let line = |(roles, a, b): (Vec<Role>, _, _)| Difference {
        word: format!("bias of {}", joined(&roles)),
        a,
        b,
        meaning: "Whether something is added after the projection or the norm.".into(),
    };
    groups.into_iter().map(line).collect()
}

fn reading(a: &Declaration, b: &Declaration) -> Vec<Difference> {
    let meaning = |word: &str| {
        match word.split('.').next().unwrap_or_default() {
            "rename" => "What the key is called from here on.",
            "default" => "What the key is worth where it is absent or null.",
            "absent" => "What the key is worth where it is absent; a null is another thing.",
            _ => "A name of the declaration's own, which its formulas share.",
        }
        .to_owned()
    };
    let lines = differing(&reading_of(a), &reading_of(b)).into_iter();
    lines.map(|line| Difference { meaning: meaning(&line.word), ..line }).collect()
}

/// `rename.KEY`, `default.KEY`, `absent.KEY` and `let.NAME`, as far as a formula of the family reads them.
pub(crate) fn reading_of(family: &Declaration) -> IndexMap<String, Told> {
    let renames: Entries = family.rename.iter().cloned().collect();
    let tables = [
        ("rename", &renames),
        ("default", &family.default),
        ("absent", &family.absent),
        ("let", &family.lets),
    ];
    let reads = family.reads();
    let mut out = IndexMap::new();
    for (table, entries) in tables {
        for (key, told) in table_of(entries) {
            if table == "rename" || reads.contains(&key) {
                out.insert(format!("{table}.{key}"), told);
            }
        }
    }
    out
}

/// The keys of a table that differ, as they are written; of a table within it, its own keys.
fn tables(a: &Entries, b: &Entries) -> Vec<Difference> {
    differing(&table_of(a), &table_of(b))
}

fn differing(a: &IndexMap<String, Told>, b: &IndexMap<String, Told>) -> Vec<Difference> {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let told = |entries: &IndexMap<String, Told>, key: &String| entries.get(key).cloned().unwrap_or_default();
    keys.into_iter()
        .filter(|key| a.get(*key).map(|t| &t.formula) != b.get(*key).map(|t| &t.formula))
        .map(|key| Difference { word: key.clone(), a: told(a, key), b: told(b, key), meaning: String::new() })
        .collect()
}

/// A table's keys, each as it is written; a table within it by its own keys, and what is none left out.
pub(crate) fn table_of(entries: &Entries) -> IndexMap<String, Told> {
    let mut out = IndexMap::new();
    for (key, Entry { expr, origin }) in entries {
        let told = |expr: &Expr| Told {
            value: match expr {
                Expr::Literal(value) => value.clone(),
                Expr::Formula(_) | Expr::List(_) | Expr::Table(_) => Json::Null,
            },
            formula: Some(plain(expr)),
            origin: Some(origin.to_string()),
        };
        match expr {
            Expr::Table(table) => {
                out.extend(table.iter().map(|(inner, expr)| (format!("{key}.{inner}"), told(expr))));
            }
            Expr::Literal(Json::Null) => {}
            Expr::Literal(_) | Expr::Formula(_) | Expr::List(_) => drop(out.insert(key.clone(), told(expr))),
        }
    }
    out
}

/// `bias of ROLE` → the formula that says whether it has one, for every role of which something is said.
pub(crate) fn biases_of(family: &Declaration) -> IndexMap<String, String> {
    family.bias.iter().map(|(role, entry)| (format!("bias of {role}"), plain(&entry.expr))).collect()
}

/// The same question, as each side's model reads it.
fn conversation(a: &Side, b: &Side) -> Result<Option<Difference>, Error> {
    let [said_a, said_b] =
        [text(&a.family, &a.config)?.conversation, text(&b.family, &b.config)?.conversation];
    let told = |said: Option<String>| Told { value: said.into(), ..Told::default() };
    Ok((said_a != said_b).then(|| Difference {
        word: "a question".into(),
        a: told(said_a),
        b: told(said_b),
        meaning: format!("How the model reads the question \"{}\".", crate::QUESTION),
    }))
}
