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
