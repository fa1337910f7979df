//! ALiBi: instead of positions in the embedding, a bias on every score that falls with the distance.
//!
//! ```text
//! score(i, j) = qᵢ·kⱼ · scale − mₕ · (i − j)       query at i, key at j, one slope mₕ for each head
//!
//! mₕ = 2^(−8h / heads), h = 1 … heads              where heads is a power of two
//! ```
//!
//! For any other count, the slopes of the next lower power of two come first, and then every second slope of
//! the next higher one, until there are enough. Baichuan's 13B models (40 heads) and BLOOM use it.
//! Since softmax ignores what all keys share, any bias that grows by mₕ from key to key is the same: the
//! released codes add mₕ · j, and no maximum length is built into this form.
//!
//! ```
//! use camelid_alibi::{bias, slopes};
//!
//! assert_eq!(slopes(4), [0.25, 0.0625, 0.015625, 0.00390625]);
//! assert_eq!(slopes(3), [0.0625, 0.00390625, 0.25]); // two heads' slopes, then the first of four heads'
//! assert_eq!(bias(0.25, 7, 5), -0.5); // two tokens back
//! ```
//!
//! Paper: arXiv:2108.12409.

/// One slope for each head, each positive and below 1.
pub fn slopes(heads: usize) -> Vec<f32> {
    if heads == 0 {
        return Vec::new();
    }
    let lower = 1_usize << heads.ilog2(); // the greatest power of two that is not above
    let own = (1..=lower).map(|head| slope(head, lower));
    let between = (1..=lower).map(|head| slope(2 * head - 1, 2 * lower));
    own.chain(between).take(heads).collect()
}

/// 2^(−8 · head / heads).
fn slope(head: usize, heads: usize) -> f32 {
    (-8.0 * head as f64 / heads as f64).exp2() as f32
}

/// −slope · (query − key): what is added to the score of a query for a key, by their positions.
///
/// Zero at the query's own position; the distance is taken in integers, so that only it matters, at any position.
pub fn bias(slope: f32, query: usize, key: usize) -> f32 {
    let distance = query.abs_diff(key) as f32;
    if key > query { slope * distance } else { -slope * distance }
}

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
