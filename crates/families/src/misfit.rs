//! How a misfit is told: three lines at most, one fault once and not once a layer. The error itself keeps every problem.

use std::fmt;

use crate::error::Problem;

/// So many faults of tensors are named; of the others, how many.
const SHOWN: usize = 4;
/// The same of keys and words, each of which is a fault of its own.
const SHOWN_KEYS: usize = 32;
/// How faults of config.json begin, said once.
const CONFIG: &str = "config.json: ";

/// The problems of a misfit, as lines after its headline: one for config.json and the declaration, one for the tensors.
pub(crate) struct Told<'a>(pub(crate) &'a [Problem]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut config, mut keys) = (Vec::new(), Vec::new());
        let (mut missing, mut surplus, mut wrong) = (Groups::default(), Groups::default(), Groups::default());
        for problem in self.0 {
            match problem {
                Problem::UnknownKey { key, value } => keys.push((key, value)),
                Problem::Required { .. }
                | Problem::MissingKey { .. }
                | Problem::Renamed { .. }
                | Problem::Value { .. }
                | Problem::MissingRole { .. } => config.push(problem.to_string()),
                Problem::MissingTensor { name, .. } => missing.add(name, problem),
                Problem::SurplusTensor { name, .. } => surplus.add(name, problem),
                // Alike is what is wrong in the same way, whatever the name.
                Problem::WrongTensor { message, .. } => wrong.add(message, problem),
                Problem::MissingHead { name, .. } | Problem::Untied { name } => wrong.add(name, problem),
            }
        }
        let config = [unknown(&keys), joined(&config, SHOWN_KEYS)];
        let tensors = [wrong.told(), missing.told(), surplus.told(), surplus.way_out()];
        for line in [&config[..], &tensors[..]] {
            let parts: Vec<&str> = line.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
            if !parts.is_empty() {
                write!(f, "\n  - {}", parts.join("; "))?;
            }
        }
        Ok(())
    }
}

/// Keys that nothing reads, and how to wave them through.
fn unknown(keys: &[(&String, &String)]) -> String {
    match keys {
        [] => String::new(),
        [(key, value)] => Problem::UnknownKey { key: (*key).clone(), value: (*value).clone() }.to_string(),
        many => {
            let written = |(key, value): &(&String, &String)| format!("`{key}` = {}", short(value));
            let shown: Vec<_> = many.iter().take(SHOWN_KEYS).map(written).collect();
            let allow: Vec<_> =
                many.iter().take(SHOWN_KEYS).map(|(key, _)| format!("--allow-key {key}")).collect();
            format!(
                "{CONFIG}{}{} are not known: nothing reads them; if they change nothing, add {}",
                shown.join(", "),
                more(many.len().saturating_sub(SHOWN_KEYS)),
                allow.join(" ")
            )
        }
    }
}

/// A value that may be a whole table.
fn short(value: &str) -> String {
    match value.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// Faults one after the other; that they are config.json's is said by the first.
fn joined(faults: &[String], most: usize) -> String {
    let bare = |(at, fault): (usize, &String)| match fault.strip_prefix(CONFIG) {
        Some(rest) if at > 0 && faults[at - 1].starts_with(CONFIG) => rest.to_owned(),
        Some(_) | None => fault.clone(),
    };
    let shown: Vec<_> = faults.iter().enumerate().take(most).map(bare).collect();
    format!("{}{}", shown.join("; "), more(faults.len().saturating_sub(most)))
}

fn more(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" and {count} more") }
}

/// Faults of tensors whose names differ in numbers only, with the first of each and how many there are.
#[derive(Default)]
struct Groups<'a>(Vec<(String, &'a Problem, usize)>);

impl<'a> Groups<'a> {
    fn add(&mut self, name: &str, problem: &'a Problem) {
        let pattern = pattern(name);
        match self.0.iter_mut().find(|(known, ..)| *known == pattern) {
            Some((_, _, count)) => *count += 1,
            None => self.0.push((pattern, problem, 1)),
        }
    }

    fn told(&self) -> String {
        let told = |(_, problem, count): &(String, &Problem, usize)| match count {
            1 => problem.to_string(),
            _ => format!("{problem} ({count} like it)"),
        };
        joined(&self.0.iter().map(told).collect::<Vec<_>>(), SHOWN)
    }

    /// How to wave through what has no place.
    fn way_out(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let allow: Vec<_> =
            self.0.iter().take(SHOWN).map(|(pattern, ..)| format!("--allow-tensor '{pattern}'")).collect();
        let more = if self.0.len() > SHOWN { " …" } else { "" };
        format!("if they change nothing, add {}{more}", allow.join(" "))
    }
}

/// A name with `*` for each number.
fn pattern(name: &str) -> String {
    let star = |part: &str| {
        let number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if number { "*".to_owned() } else { part.to_owned() }
    };
    name.split('.').map(star).collect::<Vec<_>>().join(".")
}
