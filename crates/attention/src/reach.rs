//! Which keys a query sees: always one contiguous run, so a mask is a range and never a matrix.

use std::ops::Range;

/// The rule that gives each query its run of keys.
///
/// ```text
///   Causal        Window(2)     Chunk(2)      Prefix(2)
/// i 0 1 2 3 → j
/// 0 x . . .       x . . .       x . . .       x x . .
/// 1 x x . .       x x . .       x x . .       x x . .
/// 2 x x x .       . x x .       . . x .       x x x .
/// 3 x x x x       . . x x       . . x x       x x x x
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Query i sees the keys 0 ≤ j ≤ i.
    Causal,
    /// Query i sees W keys, its own among them: 0 ≤ i − j < W. With 0 it sees none.
    Window(usize),
    /// Query i sees the keys of its own chunk of c ≥ 1 positions, up to itself: ⌊j / c⌋ = ⌊i / c⌋, j ≤ i.
    Chunk(usize),
    /// The first P tokens see each other both ways; every later query is causal.
    Prefix(usize),
}

impl Reach {
    /// The keys that the query at position `i` sees. With a prefix they may lie after `i`: the prefix must be in the
    /// cache whole. The runs of later positions begin no earlier.
    ///
    /// # Panics
    /// With chunks of 0 positions.
    #[track_caller]
    pub fn run(self, i: usize) -> Range<usize> {
        match self {
            Self::Causal => 0..i + 1,
            Self::Window(keys) => (i + 1).saturating_sub(keys)..i + 1,
            Self::Chunk(size) => i / size * size..i + 1,
            Self::Prefix(prefix) => 0..prefix.max(i + 1),
        }
    }

    /// One run of keys for each of the queries at these positions.
    ///
    /// # Panics
    /// With chunks of 0 positions.
    #[track_caller]
    pub fn runs(self, queries: Range<usize>) -> Vec<Range<usize>> {
        queries.map(|i| self.run(i)).collect()
    }
}
