//! Byte-pair encoding in sentencepiece's manner: two neighbours merge if their joined text is a piece,
//! the piece of the highest score first, the leftmost first among equals.

use std::collections::HashMap;

use super::pieces::{Pieces, Sink};
use crate::merging::bpe::{ALONE, Merge, Merges, Scratch};
use crate::merging::symbols::{Seams, Symbols};
use crate::text::trie::Trie;

/// The merges of a vocabulary, over symbols: the ids of pieces, and ids beyond them for characters that stand
/// inside pieces without being one.
#[derive(Clone, Debug)]
pub(super) struct Bpe {
    merges: Merges,
    symbols: Symbols,
    seams: Seams,
    /// Whether some piece only serves merges and is taken apart again afterwards.
    unused: bool,
}

/// Set in a symbol that is a user-defined piece: it merges with nothing.
const FROZEN: u32 = 1 << 31;

impl Bpe {
    pub(super) fn new(pieces: &Pieces) -> Self {
        let mut symbols = Symbols::default();
        let mut seams = Seams::new();
        for (id, piece) in pieces.matched() {
            let mut characters = piece.chars();
            if let (Some(only), None) = (characters.next(), characters.next()) {
                symbols.insert(only, id);
            }
        }
        let mut beyond = pieces.len() as u32;
        for (_, piece) in pieces.matched() {
            for character in piece.chars() {
                if symbols.get(character) == ALONE {
                    symbols.insert(character, beyond);
                    beyond += 1;
                }
            }
            for (left, right) in piece.chars().zip(piece.chars().skip(1)) {
                seams.close(left, right);
            }
        }
        let merges = merges(pieces, &symbols);
        Self { merges, symbols, seams, unused: pieces.matched().any(|(id, _)| pieces.is_unused(id)) }
    }

    pub(super) fn encode(&self, text: &str, user_defined: Option<&Trie>, sink: &mut Sink<'_>) {
        let mut work =
            Work { bpe: self, scratch: Scratch::default(), symbols: Vec::new(), split: HashMap::new() };
        let mut begin = 0;
        let mut end = 0;
        let mut last = '\0';
        let kept = user_defined.map_or([false; 256], Trie::first_bytes);
        while end < text.len() {
            let rest = &text[end..];
            let frozen = if kept[usize::from(rest.as_bytes()[0])] {
                user_defined.and_then(|trie| trie.longest(rest.as_bytes()))
            } else {
                None
            };
            let Some(character) = rest.chars().next() else { break };
            // No merge reaches over a seam, so what stands between two of them is encoded by itself.
            let seam = frozen.is_some() || self.seams.between(last, character);
            if seam && !self.unused {
                work.flush(&text[begin..end], sink);
                begin = end;
            }
            match frozen {
                Some((length, id)) => {
                    work.symbols.push(id | FROZEN);
                    end += length;
                    last = '\0';
                    if !self.unused {
                        work.flush(&text[begin..end], sink);
                        begin = end;
                    }
                }
                None => {
                    work.symbols.push(self.symbols.get(character));
                    end += character.len_utf8();
                    last = character;
                }
            }
        }
        work.flush(&text[begin..], sink);
    }
}

/// One call's buffers.
struct Work<'a> {
    bpe: &'a Bpe,
    scratch: Scratch,
    symbols: Vec<u32>,
    /// Which two symbols an unused piece was last about to be made from.
    split: HashMap<u32, (u32, u32)>,
}

impl Work<'_> {
    /// Merges the symbols of `text` and hands them on.
    fn flush(&mut self, text: &str, sink: &mut Sink<'_>) {
        let Self { bpe, scratch, symbols, split } = self;
        if bpe.unused {
            bpe.merges.apply_watched(symbols, scratch, |left, right, merged| {
                if sink.pieces.is_unused(merged) {
                    split.insert(merged, (left, right));
                }
            });
        } else {
            bpe.merges.apply(symbols, scratch);
        }
        let mut rest = text;
        for &symbol in symbols.iter() {
            let length = self.bpe.length(symbol, rest, sink.pieces);
            let (piece, after) = rest.split_at(length);
            rest = after;
            match split.get(&symbol) {
                Some(_) => resegment(symbol, piece, self.bpe, split, sink),
                None => sink.put(usable(symbol, sink.pieces), piece),
            }
        }
        symbols.clear();
    }
}

impl Bpe {
    /// The bytes of `symbol`, which stands at the beginning of `text`.
    fn length(&self, symbol: u32, text: &str, pieces: &Pieces) -> usize {
        match known(symbol, pieces) {
            Some(id) => pieces.text(id).len(),
            None => text.chars().next().map_or(0, char::len_utf8),
        }
    }
}

/// The piece that `symbol` is, none for a character that is no piece.
fn known(symbol: u32, pieces: &Pieces) -> Option<u32> {
    if symbol == ALONE {
        return None;
    }
    let id = symbol & !FROZEN;
    ((id as usize) < pieces.len()).then_some(id)
}

/// Takes an unused piece apart, again and again, with a stack of its own.
fn resegment(symbol: u32, text: &str, bpe: &Bpe, split: &HashMap<u32, (u32, u32)>, sink: &mut Sink<'_>) {
    let mut rest = text;
    let mut stack = vec![symbol];
    while let Some(symbol) = stack.pop() {
        if let Some(&(left, right)) = split.get(&symbol) {
            stack.extend([right, left]);
            continue;
        }
        let (piece, after) = rest.split_at(bpe.length(symbol, rest, sink.pieces));
        rest = after;
        sink.put(usable(symbol, sink.pieces), piece);
    }
}

/// The piece that `symbol` is, none for one that only served merges and can't be taken apart.
fn usable(symbol: u32, pieces: &Pieces) -> Option<u32> {
    known(symbol, pieces).filter(|&id| !pieces.is_unused(id))
}

/// Every way in which a piece is two symbols: the merges that can make it.
fn merges(pieces: &Pieces, symbols: &Symbols) -> Merges {
    let ranks = ranks(pieces);
    let mut merges = Merges::with_capacity(pieces.len() * 2);
    for (id, piece) in pieces.matched() {
        let merge = Merge { rank: ranks[id as usize], symbol: id };
        for (at, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(at);
            if let (Some(left), Some(right)) = (symbol(left, pieces, symbols), symbol(right, pieces, symbols))
            {
                merges.insert(left, right, merge);
            }
        }
    }
    merges
}

fn symbol(text: &str, pieces: &Pieces, symbols: &Symbols) -> Option<u32> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(only), None) => Some(symbols.get(only)),
        _ => pieces.matched_id(text),
    }
}

/// Ranks by falling score; equal scores have equal ranks.
fn ranks(pieces: &Pieces) -> Vec<u32> {
    let mut order: Vec<u32> = (0..pieces.len() as u32).collect();
    order.sort_by(|&a, &b| pieces.score(b).total_cmp(&pieces.score(a)));
    let mut ranks = vec![0; pieces.len()];
    let mut rank = 0;
    for pair in order.windows(2) {
        rank += u32::from(pieces.score(pair[0]) != pieces.score(pair[1]));
        ranks[pair[1] as usize] = rank;
    }
    ranks
}
