//! Which laws there are, each with the number of its cases: the tests inside `proptest!`, read off the sources, and those
//! of whole models, which say it themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use proc_macro2::{TokenStream, TokenTree};

/// Cases of a law whose block does not say, as proptest has it.
const DEFAULT_CASES: u64 = 256;

/// Law → cases.
pub(crate) type Laws = BTreeMap<String, u64>;

/// The laws of one package, without those of the files that are `apart`.
///
/// # Errors
/// A source file can't be read or is no Rust.
pub(crate) fn of_package(folder: &Path, apart: &[PathBuf]) -> anyhow::Result<Laws> {
    let mut laws = Laws::new();
    let mut folders = vec![folder.join("src"), folder.join("tests")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !apart.contains(&path) {
                laws.extend(of_file(&path)?);
            }
        }
    }
    Ok(laws)
}

/// The laws of one file.
///
/// # Errors
/// It can't be read or is no Rust.
pub(crate) fn of_file(path: &Path) -> anyhow::Result<Laws> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let tokens: Result<TokenStream, _> = text.parse();
    let mut laws = Laws::new();
    find(tokens.map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?, &mut laws);
    Ok(laws)
}

/// The package whose tests hold the laws of whole models.
pub(crate) const MODELS: &str = "camelid-tests";

/// The laws of whole models: on how many cases each held, by its own account (`law NAME: 50 cases`).
pub(crate) fn of_models(printed: &[String]) -> Laws {
    let mut laws = Laws::new();
    for line in printed {
        let Some((law, cases)) = line.strip_prefix("law ").and_then(|rest| rest.split_once(": ")) else {
            continue;
        };
        let cases = cases.strip_suffix(" cases").and_then(|cases| cases.parse::<u64>().ok());
        *laws.entry(law.to_owned()).or_default() += cases.unwrap_or_default();
    }
    laws
}

/// Looks for `proptest! { … }` at any depth.
fn find(tokens: TokenStream, laws: &mut Laws) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let of_macro = at >= 2 && is_word(&tokens[at - 2], "proptest");
        if of_macro { block(group.stream(), laws) } else { find(group.stream(), laws) }
    }
}

fn block(tokens: TokenStream, laws: &mut Laws) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let cases = match tokens.first_chunk() {
        Some([_hash, _bang, TokenTree::Group(config)]) => cases(config.stream()),
        _ => None,
    };
    for pair in tokens.windows(2) {
        if is_word(&pair[0], "fn") {
            laws.insert(pair[1].to_string(), cases.unwrap_or_else(default_cases));
        }
    }
}

/// The number in `proptest_config(ProptestConfig::with_cases(48))`.
fn cases(config: TokenStream) -> Option<u64> {
    let text = config.to_string().replace(' ', "");
    text.split_once("with_cases(")?.1.split(')').next()?.parse().ok()
}

fn default_cases() -> u64 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_CASES)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_found_with_their_cases() {
        let text = "
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(48))]
                #[test]
                fn first(x in 0..9) { let f = |y| y; prop_assert!(f(x) < 9); }
            }
            fn none() {}
            mod tests { proptest! { #[test] fn second((a, b) in pair()) {} #[test] fn third(x in 0..2) {} } }
        ";
        let mut laws = Laws::new();
        find(text.parse().expect("it is Rust"), &mut laws);
        let found: Vec<_> = laws.iter().map(|(law, cases)| (law.as_str(), *cases)).collect();
        let printed = ["law b: 50 cases", "nothing", "law b: 3 cases"].map(str::to_owned);
        assert_eq!(of_models(&printed), Laws::from([("b".to_owned(), 53)]));
        assert_eq!(found, [("first", 48), ("second", default_cases()), ("third", default_cases())]);
    }
}
