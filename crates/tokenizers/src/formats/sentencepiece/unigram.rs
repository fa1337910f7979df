//! The Unigram model's best path: of all ways to cut a text into pieces, the one whose scores have the largest sum.
//!
//! best(end) = max over pieces that end there of best(start) + score. A character that is no piece by itself may
//! stand as unknown, at the lowest score less ten. Kudo, "Subword Regularization", 2018 (arXiv:1804.10959).
//! Paths of equal scores are common (a run of one character), and then rounding decides: sums are in f32 and from the left,
//! as in the reference, over the whole text.

use super::pieces::{Pieces, Sink};
use crate::text::trie::Trie;

/// How much worse than the worst piece an unknown character is.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A vocabulary to search in.
#[derive(Clone, Debug)]
pub(super) struct Unigram {
    trie: Trie,
    /// Per id: what the piece adds to a path.
    scores: Vec<Score>,
    unknown_score: f32,
}

#[derive(Clone, Copy, Debug)]
enum Score {
    Normal(f32),
    /// 0.1 for every byte but the first: far better than any piece that was trained, whose score is a logarithm.
    UserDefined,
    Unused,
}

/// The best path to a place in the text.
#[derive(Clone, Copy)]
struct Node {
    score: f32,
    start: u32,
    id: u32,
}

/// No path leads here yet.
const NOWHERE: Node = Node { score: 0.0, start: u32::MAX, id: UNKNOWN };
/// Not a piece.
const UNKNOWN: u32 = u32::MAX;

impl Unigram {
    pub(super) fn new(pieces: &Pieces) -> Self {
        let trie = Trie::new(pieces.matched().map(|(id, piece)| (piece.as_bytes(), id)));
        let ids = 0..pieces.len() as u32;
        let normal = ids.clone().filter(|&id| pieces.is_normal(id));
        let min_score = normal.map(|id| pieces.score(id)).fold(f32::MAX, f32::min);
        let scores = ids
            .map(|id| match () {
                () if pieces.is_unused(id) => Score::Unused,
                () if pieces.is_user_defined(id) => Score::UserDefined,
                () => Score::Normal(pieces.score(id)),
            })
            .collect();
        Self { trie, scores, unknown_score: min_score - UNKNOWN_PENALTY }
    }

    pub(super) fn encode(&self, text: &str, sink: &mut Sink<'_>) {
        let mut nodes = vec![NOWHERE; text.len() + 1];
        for (start, character) in text.char_indices() {
            self.extend(text.as_bytes(), start, character.len_utf8(), &mut nodes);
        }
        let mut path = Vec::new();
        let mut end = text.len();
        while end > 0 {
            let node = nodes[end];
            let start = node.start as usize;
            path.push((node.id, start..end));
            end = start;
        }
        for (id, range) in path.into_iter().rev() {
            sink.put((id != UNKNOWN).then_some(id), &text[range]);
        }
    }

    /// Offers every piece that begins at `start` to the place where it ends.
    fn extend(&self, text: &[u8], start: usize, character: usize, nodes: &mut [Node]) {
        let so_far = nodes[start].score;
        let mut single = false;
        let mut state = Trie::ROOT;
        for (at, &byte) in text[start..].iter().enumerate() {
            let Some(next) = self.trie.step(state, byte) else { break };
            state = next;
            let Some(id) = self.trie.value(state) else { continue };
            let length = at + 1;
            let score = match self.scores[id as usize] {
                Score::Normal(score) => score,
                Score::UserDefined => (0.1 * (length - 1) as f64) as f32,
                Score::Unused => continue,
            };
            let total = score + so_far;
            let node = &mut nodes[start + length];
            if node.start == u32::MAX || total > node.score {
                *node = Node { score: total, start: start as u32, id };
            }
            single |= length == character;
        }
        if !single {
            let total = self.unknown_score + so_far;
            let node = &mut nodes[start + character];
            if node.start == u32::MAX || total > node.score {
                *node = Node { score: total, start: start as u32, id: UNKNOWN };
            }
        }
    }
}
