//! BPE over characters by a list of merges, in the manner of sentencepiece models that became a `tokenizer.json`.

use std::collections::HashSet;

use crate::merging::bpe::{ALONE, Merges, Scratch};
use crate::merging::symbols::{Seams, Symbols};

/// Characters to tokens, and their merges.
#[derive(Clone, Debug)]
pub(crate) struct Characters {
    pub(crate) symbols: Symbols,
    pub(crate) seams: Seams,
    pub(crate) merges: Merges,
    pub(crate) unknown: Unknown,
}

/// What a character without a token becomes. None of these merges with anything.
#[derive(Clone, Debug)]
pub(crate) enum Unknown {
    /// The tokens of its bytes; a byte without one is left out.
    Bytes(Box<[u32; 256]>),
    /// This token, each by itself.
    Each(u32),
    /// This token, once for a run.
    Run(u32),
}

impl Unknown {
    /// The tokens that may come of it.
    pub(crate) fn ids(&self) -> HashSet<u32> {
        match self {
            Unknown::Bytes(bytes) => bytes.iter().copied().collect(),
            Unknown::Each(id) | Unknown::Run(id) => HashSet::from([*id]),
        }
    }
}

impl Characters {
    /// Appends the ids of one word.
    pub(crate) fn encode(&self, word: &str, ids: &mut Vec<u32>) {
        let (mut symbols, mut scratch) = (Vec::new(), Scratch::default());
        let mut flush = |symbols: &mut Vec<u32>, ids: &mut Vec<u32>| {
            self.merges.apply(symbols, &mut scratch);
            ids.append(symbols);
        };
        let mut last = None;
        let mut after_unknown = false;
        for character in word.chars() {
            let symbol = self.symbols.get(character);
            let seam = last.is_some_and(|last| self.seams.between(last, character));
            if seam || symbol == ALONE {
                flush(&mut symbols, ids);
            }
            match &self.unknown {
                _ if symbol != ALONE => symbols.push(symbol),
                Unknown::Bytes(bytes) => {
                    let mut utf8 = [0; 4];
                    let utf8 = character.encode_utf8(&mut utf8).bytes();
                    ids.extend(utf8.map(|byte| bytes[usize::from(byte)]).filter(|id| *id != ALONE));
                }
                Unknown::Run(_) if after_unknown => {}
                Unknown::Each(id) | Unknown::Run(id) => ids.push(*id),
            }
            after_unknown = symbol == ALONE;
            last = Some(character);
        }
        flush(&mut symbols, ids);
    }
}
