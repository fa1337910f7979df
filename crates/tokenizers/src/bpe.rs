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
#[derive(Clone, Debug, Default)]
pub(crate) struct Merges {
    pairs: HashMap<u64, Merge>,
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

/// Up to here, scanning all pairs for the best beats a heap.
const SHORT: usize = 48;

/// Buffers that one call after another uses.
#[derive(Default)]
pub(crate) struct Scratch {
    pairs: Vec<Merge>,
    heap: BinaryHeap<Reverse<(u32, u32, u32, u32)>>,
    next: Vec<u32>,
    previous: Vec<u32>,
}

impl Merges {
    pub(crate) fn with_capacity(pairs: usize) -> Self {
        Self { pairs: HashMap::with_capacity(pairs) }
    }

    /// Says what `left right` becomes; the first word on a pair stands.
    pub(crate) fn insert(&mut self, left: u32, right: u32, merge: Merge) {
        self.pairs.entry(key(left, right)).or_insert(merge);
    }

    #[inline]
    pub(crate) fn get(&self, left: u32, right: u32) -> Merge {
        self.pairs.get(&key(left, right)).copied().unwrap_or(NO_MERGE)
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
        let Scratch { heap, next, previous, .. } = scratch;
        let length = symbols.len() as u32;
        heap.clear();
        next.clear();
        next.extend(1..=length);
        previous.clear();
        previous.extend((0..length).map(|at| at.wrapping_sub(1)));
        let mut offer = |symbols: &[u32], heap: &mut BinaryHeap<_>, left: u32, right: u32| {
            let (a, b) = (symbols[left as usize], symbols[right as usize]);
            let merge = self.get(a, b);
            if merge != NO_MERGE {
                watch(a, b, merge.symbol);
                heap.push(Reverse((merge.rank, left, a, b)));
            }
        };
        for right in 1..length {
            offer(symbols, heap, right - 1, right);
        }
        while let Some(Reverse((_, left, a, b))) = heap.pop() {
            let right = next[left as usize];
            // A symbol that has been merged since is another symbol, or gone.
            if symbols[left as usize] != a || right >= length || symbols[right as usize] != b {
                continue;
            }
            symbols[left as usize] = self.get(a, b).symbol;
            symbols[right as usize] = ALONE;
            let after = next[right as usize];
            next[left as usize] = after;
            if previous[left as usize] < length {
                offer(symbols, heap, previous[left as usize], left);
            }
            if after < length {
                previous[after as usize] = left;
                offer(symbols, heap, left, after);
            }
        }
        compact(symbols, next);
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

fn key(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Random tables, in which a pair never becomes one of its own parts (no vocabulary has an empty piece).
    fn tables() -> impl Strategy<Value = Merges> {
        proptest::collection::vec((0u32..12, 0u32..12, 0u32..6), 0..60).prop_map(|pairs| {
            let mut merges = Merges::default();
            for (at, (left, right, rank)) in pairs.into_iter().enumerate() {
                merges.insert(left, right, Merge { rank, symbol: 4 + at as u32 % 20 });
            }
            merges
        })
    }

    proptest! {
        #[test]
        fn the_heap_and_the_scan_merge_alike(
            merges in tables(),
            symbols in proptest::collection::vec(0u32..6, 0..40),
        ) {
            let (mut scanned, mut heaped) = (symbols.clone(), symbols);
            merges.scan(&mut scanned, &mut Vec::new());
            merges.apply_watched(&mut heaped, &mut Scratch::default(), |_, _, _| {});
            prop_assert_eq!(scanned, heaped);
        }
    }
}
