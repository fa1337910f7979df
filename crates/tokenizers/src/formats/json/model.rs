//! The model of a usual file: BPE over bytes or over characters.

use std::collections::HashMap;

use super::file::{Behavior, Merge as Line, Model, Pattern, PreTokenizer, check};
use crate::merging::bpe::{ALONE, Merge, Merges};
use crate::merging::bytes::{ByteEncoder, WholeWords};
use crate::merging::characters::{Characters, Unknown};
use crate::merging::level::coded_bytes;
use crate::merging::symbols::{Seams, Symbols};
use crate::merging::vocabulary::Vocabulary;
use crate::text::split::{Gaps, Splitter};

/// A model of bytes, behind the `cuts` into words, the last of which is `ByteLevel`.
pub(super) fn bytes(
    model: Model<'_>,
    pieces: &Vocabulary,
    cuts: &[PreTokenizer],
) -> Result<ByteEncoder, String> {
    check_plain(&model)?;
    let mut bytes = Box::new([ALONE; 256]);
    let mut whole = vec![false; pieces.len()];
    for (token, &id) in &model.vocab {
        let Some(coded) = coded_bytes(token) else { continue };
        if let [byte] = coded[..] {
            bytes[usize::from(byte)] = id;
        }
        // A word is looked up as the model spells it, not as an added token of another id may.
        check(!model.ignore_merges || pieces.id(&coded) == Some(id), "a token that is spelled twice")?;
        whole[id as usize] = true;
    }
    check(!bytes.contains(&ALONE), "a byte without a token")?;
    let splitters = cuts.iter().map(splitter).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let merges = merges(&model.vocab, &model.merges, |_, _, _| Ok(()))?;
    let encoder = ByteEncoder { bytes, merges, splitters, whole };
    match model.ignore_merges {
        true => Ok(encoder),
        false => Ok(encoder.with_whole_words(pieces, WholeWords::Merge)),
    }
}

/// What GPT-2 splits by, where a file asks for that by `use_regex`.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

fn splitter(cut: &PreTokenizer) -> Result<Option<(Splitter, Gaps)>, String> {
    match cut {
        PreTokenizer::ByteLevel { add_prefix_space: false, use_regex: false, .. } => Ok(None),
        PreTokenizer::ByteLevel { add_prefix_space: false, use_regex: true, .. } => {
            Ok(Some((Splitter::new(GPT2)?, Gaps::Keep)))
        }
        PreTokenizer::Digits { individual_digits: true } => Ok(Some((Splitter::Digits, Gaps::Keep))),
        PreTokenizer::Split { pattern, behavior, invert } => {
            let gaps = match (behavior, invert) {
                (Behavior::Isolated, false) => Gaps::Keep,
                (Behavior::Removed, true) => Gaps::Drop,
                _ => return Err("a split is unusual".into()),
            };
            let splitter = match pattern {
                Pattern::Regex(pattern) => Splitter::new(pattern)?,
                Pattern::String(text) => Splitter::new(&fancy_regex::escape(text))?,
            };
            Ok(Some((splitter, gaps)))
        }
        _ => Err("the pre-tokenizer is unusual".into()),
    }
}

/// A model of characters.
pub(super) fn characters(model: Model<'_>) -> Result<Characters, String> {
    check_plain(&model)?;
    check(!model.ignore_merges, "a whole text that may be a token")?;
    let mut symbols = Symbols::default();
    for (token, &id) in &model.vocab {
        let mut characters = token.chars();
        if let (Some(only), None) = (characters.next(), characters.next()) {
            symbols.insert(only, id);
        }
    }
    let unknown = unknown(&model, &symbols)?;
    let mut seams = Seams::new();
    let apart = unknown.ids();
    let merges = merges(&model.vocab, &model.merges, |left, right, ids| {
        check(ids.iter().all(|id| !apart.contains(id)), "a merge of what stands for the unknown")?;
        if let (Some(last), Some(first)) = (left.chars().next_back(), right.chars().next()) {
            seams.close(last, first);
        }
        Ok(())
    })?;
    Ok(Characters { symbols, seams, merges, unknown })
}

fn unknown(model: &Model<'_>, symbols: &Symbols) -> Result<Unknown, String> {
    if model.byte_fallback {
        let mut bytes = Box::new([ALONE; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(bytes.iter_mut()) {
            match model.vocab.get(&format!("<0x{byte:02X}>")) {
                Some(&id) => *slot = id,
                // A byte that is a character which has a token is never asked for.
                None => {
                    let needless = byte.is_ascii() && symbols.get(char::from(byte)) != ALONE;
                    check(needless, "a byte without a token")?;
                }
            }
        }
        return Ok(Unknown::Bytes(bytes));
    }
    let id = model.unk_token.as_ref().and_then(|token| model.vocab.get(token));
    let id = *id.ok_or("no token for what is unknown is unusual")?;
    Ok(if model.fuse_unk { Unknown::Run(id) } else { Unknown::Each(id) })
}

/// Whether the model is BPE with nothing that the engines here lack.
fn check_plain(model: &Model<'_>) -> Result<(), String> {
    let empty = |affix: &Option<String>| affix.as_deref().is_none_or(str::is_empty);
    check(model.kind == "BPE", "the model")?;
    check(model.dropout.is_none(), "dropout")?;
    check(empty(&model.continuing_subword_prefix) && empty(&model.end_of_word_suffix), "an affix")
}

/// The merges of a file, each shown to `see` with the ids of both sides. Of two of the same pair, the last stands.
fn merges(
    vocab: &HashMap<String, u32>,
    lines: &[Line],
    mut see: impl FnMut(&str, &str, [u32; 2]) -> Result<(), String>,
) -> Result<Merges, String> {
    let mut merges = Merges::with_capacity(lines.len());
    let mut joined = String::new();
    for (rank, line) in lines.iter().enumerate().rev() {
        let (left, right) = pair(line)?;
        joined.clear();
        joined.extend([left, right]);
        let id = |token: &str| vocab.get(token).copied().ok_or("a merge of unknown tokens is unusual");
        let ids = [id(left)?, id(right)?];
        see(left, right, ids)?;
        merges.insert(ids[0], ids[1], Merge { rank: rank as u32, symbol: id(&joined)? });
    }
    Ok(merges)
}

fn pair(line: &Line) -> Result<(&str, &str), String> {
    let (left, right) = match line {
        Line::Pair(left, right) => (&**left, &**right),
        // A line of another kind, "#version" among them, is for who knows all of them.
        Line::Line(line) => line.split_once(' ').ok_or("a merge is unusual")?,
    };
    let usual = !left.is_empty() && !right.is_empty();
    let plain = matches!(line, Line::Pair(..)) || !right.contains(' ') && !left.starts_with("#version");
    check(usual && plain, "a merge")?;
    Ok((left, right))
}
