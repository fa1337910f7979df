//! Slips of the pen: a name in a formula that is nearly one that is there.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::written::expr::Entry;
use crate::written::file::File;
use crate::written::formula::root;

/// Shorter names differ by as much and mean different things.
const SHORTEST: usize = 6;

/// The one of `known` that was meant by `name`: another by one or two letters.
pub(crate) fn meant<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let near = known
        .into_iter()
        .map(|other| (distance(name, other), other))
        .filter(|(far, other)| (1..=2).contains(far) && name.len().min(other.len()) >= SHORTEST);
    near.min().map(|(_, other)| other)
}

/// A formula of the file that misspells `key`, as the error that says so. `known` tells names that mean something else.
pub(crate) fn misspelt(own: &File, key: &str, known: impl Fn(&str) -> bool) -> Option<Error> {
    let words = own.words.iter().map(|(word, entry)| (word.clone(), entry));
    let named = |(roles, entry): &'_ (Vec<crate::Role>, Entry)| {
        (crate::waist::named::write_roles(roles), entry.clone())
    };
    let lists = own.tensors.iter().chain(&own.bias).map(named).collect::<Vec<_>>();
    let lists = lists.iter().map(|(word, entry)| (word.clone(), entry));
    let lets = own.lets.iter().map(|(name, entry)| (name.clone(), entry));
    words.chain(lets).chain(lists).find_map(|(word, entry)| {
        let read: BTreeSet<String> =
            entry.expr.formulas().iter().flat_map(|f| f.variables().clone()).collect();
        let slip =
            read.iter().map(|name| root(name)).find(|name| !known(name) && meant(name, [key]).is_some())?;
        let message = format!("{word} = {} reads `{slip}`; is `{key}` meant?", entry.expr.written());
        Some(Error::Declaration { origin: entry.origin.clone(), message })
    })
}

/// How many letters must be put in, taken out or changed to make one text of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let changed = corner + usize::from(letter != *other);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_that_differs_by_a_letter_or_two() {
        let known = ["sliding_window", "rope_theta", "head_dim", "num_hidden_layers"];
        assert_eq!(meant("sliding_windw", known), Some("sliding_window"));
        assert_eq!(meant("rope_thtea", known), Some("rope_theta"));
        assert_eq!(meant("rope_theta", known), None, "the name itself is no slip");
        assert_eq!(meant("logit_scale", known), None);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
