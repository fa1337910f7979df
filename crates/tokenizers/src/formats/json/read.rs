//! From what a usual file says to what encodes it; or what is unusual about it, in words.

use std::collections::{HashMap, HashSet};

use super::file::{File, Normalizer, Pattern, PostProcessor, PreTokenizer, TemplatePiece, check};
use super::model;
use super::scheme::{LARGEST_ID, Loaded, Scheme, piece};
use super::usual::{Spaces, Step, Usual, Words, normalize};
use crate::AddedToken;
use crate::merging::vocabulary::Vocabulary;
use crate::text::added::Added;
use crate::{Frame, Special};

/// Reads a file that is usual in all respects.
pub(super) fn read(file: &[u8], scheme: &Scheme) -> Result<Loaded<Usual>, String> {
    let file: File<'_> = serde_json::from_slice(file).map_err(|error| error.to_string())?;
    check(file.version.as_deref().is_none_or(|version| version == "1.0"), "the version")?;
    let mut steps = Vec::new();
    file.normalizer.into_iter().try_for_each(|normalizer| flatten_steps(normalizer, &mut steps))?;
    let mut cuts = Vec::new();
    file.pre_tokenizer.into_iter().for_each(|cut| flatten_cuts(cut, &mut cuts));

    check_added(&file.added_tokens, &file.model.vocab)?;
    let spelled: Vec<(String, &AddedToken)> = file
        .added_tokens
        .iter()
        .map(|token| match token.normalized {
            true => (normalize(&steps, &token.content).into_owned(), token),
            false => (token.content.clone(), token),
        })
        .collect();
    let pieces = pieces(&file.model.vocab, &spelled, scheme)?;
    let words = match cuts.last() {
        Some(PreTokenizer::ByteLevel { .. }) if *scheme == Scheme::ByteLevel => {
            Words::Bytes(model::bytes(file.model, &pieces, &cuts)?)
        }
        _ => Words::Characters(spaces(&cuts, &steps)?, model::characters(file.model)?),
    };
    let (normalized, raw): (Vec<_>, Vec<_>) = spelled.into_iter().partition(|(_, token)| token.normalized);
    let mut frame = Frame::default();
    let mut framed = false;
    let processors = file.post_processor.as_ref();
    processors.map_or(Ok(()), |processor| read_frame(processor, &mut frame, &mut framed))?;
    let engine = Usual { raw: Added::new(&raw)?, normalized: Added::new(&normalized)?, steps, words };
    Ok(Loaded { engine, pieces, specials: specials(&file.added_tokens), frame })
}

fn flatten_steps(normalizer: Normalizer, steps: &mut Vec<Step>) -> Result<(), String> {
    match normalizer {
        Normalizer::Nfc {} => steps.push(Step::Nfc),
        Normalizer::Prepend { prepend } => steps.push(Step::Prepend(prepend)),
        Normalizer::Replace { pattern: Pattern::String(from), content } if !from.is_empty() => {
            steps.push(Step::Replace(from, content));
        }
        Normalizer::Replace { .. } => return Err("a replaced pattern is unusual".into()),
        Normalizer::Sequence { normalizers } => {
            return normalizers.into_iter().try_for_each(|normalizer| flatten_steps(normalizer, steps));
        }
    }
    Ok(())
}

fn flatten_cuts(cut: PreTokenizer, cuts: &mut Vec<PreTokenizer>) {
    match cut {
        PreTokenizer::Sequence { pretokenizers } => {
            pretokenizers.into_iter().for_each(|cut| flatten_cuts(cut, cuts));
        }
        cut => cuts.push(cut),
    }
}

/// How spaces are treated where words are made of characters.
fn spaces(cuts: &[PreTokenizer], steps: &[Step]) -> Result<Option<Spaces>, String> {
    match cuts {
        [] => Ok(None),
        // What was replaced everywhere is not there to be split at.
        [PreTokenizer::Split { pattern: Pattern::String(at), invert: false, .. }]
            if matches!(steps.last(), Some(Step::Replace(from, to))
                if from == at && at.chars().count() == 1 && !to.contains(&**at)) =>
        {
            Ok(None)
        }
        [PreTokenizer::Metaspace(spaces)] if steps.is_empty() && spaces.add_prefix_space.is_none() => {
            Ok(Some(Spaces {
                symbol: spaces.replacement,
                prepend: spaces.prepend_scheme,
                split: spaces.split,
            }))
        }
        _ => Err("the pre-tokenizer is unusual".into()),
    }
}

/// An added token has the id of the model's token that is spelled so, or the next one that the model does not have.
fn check_added(added: &[AddedToken], vocab: &HashMap<String, u32>) -> Result<(), String> {
    let mut names = HashSet::new();
    let mut next = vocab.len() as u32;
    for AddedToken { id, content, .. } in added {
        let expected = vocab.get(content).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        check(*id == expected && !content.is_empty() && names.insert(content), "an added token")?;
    }
    Ok(())
}

/// The pieces by id: the model's, and the added ones as they are spelled where they are looked for.
fn pieces(
    vocab: &HashMap<String, u32>,
    spelled: &[(String, &AddedToken)],
    scheme: &Scheme,
) -> Result<Vocabulary, String> {
    let added: HashMap<u32, &str> = spelled.iter().map(|(name, token)| (token.id, &**name)).collect();
    let own = vocab.iter().map(|(token, &id)| (id, added.get(&id).copied().unwrap_or(token)));
    let beyond = spelled.iter().filter(|(_, token)| !vocab.contains_key(&token.content));
    let beyond = beyond.map(|(name, token)| (token.id, &**name));
    let mut tokens: Vec<(u32, &str)> = own.chain(beyond).collect();
    tokens.sort_unstable();
    check(tokens.last().is_none_or(|&(last, _)| last < LARGEST_ID), "an id")?;
    check(tokens.windows(2).all(|pair| pair[0].0 != pair[1].0), "an id that two tokens have")?;
    let mut pieces = Vocabulary::with_capacity(tokens.len());
    for (id, token) in tokens {
        while pieces.len() < id as usize {
            pieces.push_hole();
        }
        pieces.push(&piece(token, scheme));
    }
    Ok(pieces)
}

fn specials(added: &[AddedToken]) -> Vec<Special> {
    let specials = added.iter().filter(|token| token.special);
    let mut specials: Vec<_> =
        specials.map(|token| Special { name: token.content.clone(), id: token.id }).collect();
    specials.sort_by_key(|special| special.id);
    specials
}

/// What stands around a text; one template at most says so.
fn read_frame(processor: &PostProcessor, frame: &mut Frame, framed: &mut bool) -> Result<(), String> {
    match processor {
        PostProcessor::ByteLevel { .. } => Ok(()),
        PostProcessor::Sequence { processors } => {
            processors.iter().try_for_each(|processor| read_frame(processor, frame, framed))
        }
        PostProcessor::TemplateProcessing { single, special_tokens, .. } => {
            check(!std::mem::replace(framed, true), "a second template")?;
            let mut text = false;
            for piece in single {
                match piece {
                    TemplatePiece::Sequence { id, .. } => {
                        check(*id == 'A' && !std::mem::replace(&mut text, true), "the template")?;
                    }
                    TemplatePiece::SpecialToken { id, .. } => {
                        let token = special_tokens.get(id).ok_or("the template is unusual")?;
                        let side = if text { &mut frame.after } else { &mut frame.before };
                        side.extend(&token.ids);
                    }
                }
            }
            check(text, "the template")
        }
    }
}
