//! The tokens that a family and a folder name, checked against the file.

use crate::{AddedToken, Error, Settings, Special, Tokenizer};

/// The special tokens that the family names (else those of the file) and those that the folder adds, which go first.
pub(super) fn tokens(inner: &dyn Tokenizer, settings: &Settings) -> Result<Vec<AddedToken>, Error> {
    let of_family = match settings.special.is_empty() {
        true => shift(inner.specials(), settings.offset),
        false => settings.specials()?,
    };
    let added = added(inner, settings);
    let of_family = of_family
        .into_iter()
        .filter(|special| !added.iter().any(|token| token.id == special.id || token.content == special.name));
    let of_family: Vec<_> = of_family.collect();
    if !settings.special.is_empty() {
        check(inner, &of_family, settings.offset)?;
    }
    let of_family = of_family.iter().map(|special| AddedToken::plain(special.id, &special.name, true));
    let tokens: Vec<_> = added.into_iter().chain(of_family).collect();
    check_reach(&tokens)?;
    Ok(tokens)
}

/// What the folder adds. A token that the vocabulary has already keeps the id that it has there, whatever the folder says: so
/// does transformers.
fn added(inner: &dyn Tokenizer, settings: &Settings) -> Vec<AddedToken> {
    let own =
        |token: &AddedToken| inner.id(token.content.as_bytes()).map(|id| id.saturating_add(settings.offset));
    let mut added = settings.added.clone();
    added.iter_mut().for_each(|token| token.id = own(token).unwrap_or(token.id));
    added
}

fn shift(specials: &[Special], offset: u32) -> Vec<Special> {
    specials
        .iter()
        .map(|special| Special { name: special.name.clone(), id: special.id.saturating_add(offset) })
        .collect()
}

/// The largest id that is believed, a hundred times that of any vocabulary: a table of all ids is made.
pub(super) const LARGEST_ID: u32 = 1 << 24;

fn check_reach(tokens: &[AddedToken]) -> Result<(), Error> {
    for AddedToken { content, id, .. } in tokens {
        if *id > LARGEST_ID {
            let reason = format!("the id {id} is beyond any vocabulary");
            return Err(Error::setting(format!("special.{content:?}"), reason));
        }
        if content.is_empty() {
            return Err(Error::setting("special.\"\"", format!("the token {id} has no name")));
        }
    }
    let mut ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::setting("special", format!("two tokens have the id {}", pair[0]))),
        None => Ok(()),
    }
}

/// A special token is either an entry of the file, with the same name and id, or lies beyond the file.
fn check(inner: &dyn Tokenizer, specials: &[Special], offset: u32) -> Result<(), Error> {
    for Special { name, id } in specials {
        let wrong = |reason: String| Err(Error::setting(format!("special.{name:?}"), reason));
        let own = inner.id(name.as_bytes()).map(|own| own + offset);
        if own.is_some_and(|own| own != *id) {
            return wrong(format!("is {id} here and {} in the file", own.unwrap_or_default()));
        }
        let other = id.checked_sub(offset).and_then(|inner_id| inner.piece(inner_id));
        if own.is_none()
            && let Some(other) = other
        {
            return wrong(format!(
                "has the id {id}, which is {:?} in the file",
                String::from_utf8_lossy(other)
            ));
        }
    }
    Ok(())
}
