//! The words of a family's `[gguf]` table.

use serde_json::Value as Json;

use crate::error::Error;
use crate::waist::roles::Role;
use crate::written::declaration::Declaration;
use crate::written::expr::{Entry, Expr};

pub(crate) fn permuted(declaration: &Declaration) -> Result<Vec<Role>, Error> {
    list(declaration, "permuted", "a list of roles", |text| text.parse().ok())
}

pub(super) fn exponents(declaration: &Declaration) -> Result<Vec<Role>, Error> {
    list(declaration, "exponents", "a list of roles", |text| text.parse().ok())
}

/// The two tensors that hold `latent_up`: of each head what makes its keys, turned over, and what makes its values.
pub(super) fn halves(declaration: &Declaration) -> Result<Vec<String>, Error> {
    let word = "halves";
    let names =
        list(declaration, word, "a list of two names, of keys and of values", |text| Some(text.to_owned()))?;
    match (names.len(), declaration.gguf.words.get(word)) {
        (1 | 3.., Some(entry)) => Err(Error::Declaration {
            origin: entry.origin.clone(),
            message: format!("gguf.{word} must be two names, of keys and of values, not {}", names.len()),
        }),
        (_, _) => Ok(names),
    }
}

pub(super) fn globs(declaration: &Declaration) -> Result<Vec<glob::Pattern>, Error> {
    list(declaration, "ignore", "a list of names, with * for any run of letters", |text| {
        glob::Pattern::new(text).ok()
    })
}

/// A word of `[gguf]` that is a list; empty where it is not said.
fn list<T>(
    declaration: &Declaration,
    word: &str,
    wanted: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let Some(Entry { expr, origin }) = declaration.gguf.words.get(word) else { return Ok(Vec::new()) };
    let items = match expr {
        Expr::List(items) => items.iter().map(|item| item.text().and_then(&read)).collect::<Option<Vec<T>>>(),
        Expr::Literal(Json::Null) => Some(Vec::new()),
        Expr::Literal(_) | Expr::Formula(_) | Expr::Table(_) => None,
    };
    items.ok_or_else(|| Error::Declaration {
        origin: origin.clone(),
        message: format!("gguf.{word} must be {wanted}, not {}", expr.written()),
    })
}

pub(super) fn distinct(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}
