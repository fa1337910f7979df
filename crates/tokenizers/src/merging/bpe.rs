//! Byte-pair merges: replace the best adjacent pair, leftmost first, until none is left.
//!
//! One engine for all formats, since they differ only in the table: a pair of symbols has a rank (lower merges first)
//! and becomes another symbol. Short words scan for the best pair; long ones keep the pairs in a heap,
//! so that a word of n symbols takes n log n, whatever it holds.
//! Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016 (arXiv:1508.07909).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

/// A symbol that merges with nothing.
pub(crate) const ALONE: u32 = u32::MAX;

/// Which pairs of symbols merge, how early, and into what.
#[derive(Clone, Debug)]
pub(crate) struct Merges {
    pairs: HashMap<u64, Merge>,
    /// The pairs of low symbols, `left * LOW + right`: where bytes are symbols, they mostly are the first ones, and every
    /// pair of bytes is asked for.
    low: Vec<Merge>,
}

/// What a pair becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Merge {
    /// The lower merges first.
    pub(crate) rank: u32,
    /// The symbol that it becomes.
    pub(crate) symbol: u32,
}

/// No pair: its rank is larger than any.
const NO_MERGE: Merge = Merge { rank: u32::MAX, symbol: ALONE };

/// Symbols below it are low.
const LOW: u32 = 256;

/// Up to here, scanning all pairs for the best beats a heap.
const SHORT: usize = 48;

/// Buffers that one call after another uses.
#[derive(Default)]
pub(crate) struct Scratch {
    /// By place: what the symbol there and the next one become.
    pairs: Vec<Merge>,
    /// Rank and place in one number, so that the least is the best pair, the leftmost among equals.
    heap: BinaryHeap<Reverse<u64>>,
    next: Vec<u32>,
    previous: Vec<u32>,
}

impl Merges {
    pub(crate) fn with_capacity(pairs: usize) -> Self {
        Self { pairs: HashMap::with_capacity(pairs), low: vec![NO_MERGE; (LOW * LOW) as usize] }
    }

    /// Says what `left right` becomes; the first word on a pair stands.
    pub(crate) fn insert(&mut self, left: u32, right: u32, merge: Merge) {
        match low(left, right).and_then(|at| self.low.get_mut(at)) {
            Some(pair) if *pair == NO_MERGE => *pair = merge,
            Some(_) => {}
            None => {
                self.pairs.entry(key(left, right)).or_insert(merge);
            }
        }
    }

    #[inline]
    pub(crate) fn get(&self, left: u32, right: u32) -> Merge {
        match low(left, right).and_then(|at| self.low.get(at)) {
            Some(&pair) => pair,
            None => self.pairs.get(&key(left, right)).copied().unwrap_or(NO_MERGE),
        }
    }

    /// Merges `symbols` in place.
    pub(crate) fn apply(&self, symbols: &mut Vec<u32>, scratch: &mut Scratch) {
        match symbols.len() {
            0 | 1 => {}
            2..=SHORT => self.scan(symbols, &mut scratch.pairs),
            _ => self.apply_watched(symbols, scratch, |_, _, _| {}),
        }
    }

    fn scan(&self, symbols: &mut Vec<u32>, pairs: &mut Vec<Merge>) {
        pairs.clear();
        pairs.extend(symbols.windows(2).map(|pair| self.get(pair[0], pair[1])));
        loop {
            let mut best = 0;
            let mut rank = u32::MAX;
            for (at, pair) in pairs.iter().enumerate() {
                if pair.rank < rank {
                    (best, rank) = (at, pair.rank);
                }
            }
            if rank == u32::MAX {
                return;
            }
            symbols[best] = pairs[best].symbol;
            symbols.remove(best + 1);
            pairs.remove(best);
            if best > 0 {
                pairs[best - 1] = self.get(symbols[best - 1], symbols[best]);
            }
            if best < pairs.len() {
                pairs[best] = self.get(symbols[best], symbols[best + 1]);
            }
        }
    }

    /// As [`Self::apply`] for any length; `watch(left, right, merged)` hears of every pair when it comes to be possible.
    pub(crate) fn apply_watched(
        &self,
        symbols: &mut Vec<u32>,
        scratch: &mut Scratch,
        mut watch: impl FnMut(u32, u32, u32),
    ) {
        let mut pair = |symbols: &[u32], left: u32, right: u32| {
            let (a, b) = (symbols[left as usize], symbols[right as usize]);
            let merge = self.get(a, b);
            if merge != NO_MERGE {
                watch(a, b, merge.symbol);
            }
            merge
        };
        let length = symbols.len() as u32;
        scratch.begin(length);
        for right in 1..length {
            scratch.offer(right - 1, pair(symbols, right - 1, right));
        }
        while let Some((left, merge)) = scratch.best() {
            let right = scratch.next[left as usize];
            let after = scratch.next[right as usize];
            let before = scratch.previous[left as usize];
            symbols[left as usize] = merge.symbol;
            scratch.pairs[right as usize] = NO_MERGE;
            scratch.next[left as usize] = after;
            if before < length {
                scratch.offer(before, pair(symbols, before, left));
            }
            if after < length {
                scratch.previous[after as usize] = left;
                scratch.offer(left, pair(symbols, left, after));
            } else {
                scratch.pairs[left as usize] = NO_MERGE;
            }
        }
        compact(symbols, &scratch.next);
    }
}

impl Scratch {
    /// Links `length` places, none of which merges with its next one yet.
    fn begin(&mut self, length: u32) {
        let Self { pairs, heap, next, previous } = self;
        pairs.clear();
        pairs.resize(length as usize, NO_MERGE);
        heap.clear();
        next.clear();
        next.extend(1..=length);
        previous.clear();
        previous.extend((0..length).map(|at| at.wrapping_sub(1)));
    }

    /// What the symbol at a place and the next one become.
    fn offer(&mut self, at: u32, pair: Merge) {
        self.pairs[at as usize] = pair;
        if pair != NO_MERGE {
            self.heap.push(Reverse(u64::from(pair.rank) << 32 | u64::from(at)));
        }
    }

    /// The best pair that there is still: its place and what it becomes.
    fn best(&mut self) -> Option<(u32, Merge)> {
        loop {
            let Reverse(best) = self.heap.pop()?;
            let (rank, at) = ((best >> 32) as u32, best as u32);
            let pair = self.pairs[at as usize];
            // A pair that has been merged since is another pair, or gone.
            if pair.rank == rank {
                return Some((at, pair));
            }
        }
    }
}

/// Keeps the symbols that the links still pass.
fn compact(symbols: &mut Vec<u32>, next: &[u32]) {
    let (mut from, mut to) = (0, 0);
    while from < symbols.len() {
        symbols[to] = symbols[from];
        to += 1;
        from = next[from] as usize;
    }
    symbols.truncate(to);
}

#[inline]
fn low(left: u32, right: u32) -> Option<usize> {
    (left < LOW && right < LOW).then(|| (left * LOW + right) as usize)
}

fn key(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Random tables of low symbols and others, in which a pair never becomes one of its own parts (no vocabulary has an empty piece).
    fn tables() -> impl Strategy<Value = Merges> {
        proptest::collection::vec((250u32..262, 250u32..262, 0u32..6), 0..60).prop_map(|pairs| {
            let mut merges = Merges::with_capacity(0);
            for (at, (left, right, rank)) in pairs.into_iter().enumerate() {
                merges.insert(left, right, Merge { rank, symbol: 254 + at as u32 % 20 });
            }
            merges
        })
    }

    proptest! {
        #[test]
        fn the_heap_and_the_scan_merge_alike(
            merges in tables(),
            symbols in proptest::collection::vec(250u32..256, 0..40),
        ) {
            let (mut scanned, mut heaped) = (symbols.clone(), symbols);
            merges.scan(&mut scanned, &mut Vec::new());
            merges.apply_watched(&mut heaped, &mut Scratch::default(), |_, _, _| {});
            prop_assert_eq!(scanned, heaped);
        }
    }
}
