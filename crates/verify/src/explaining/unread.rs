//! What engines leave unread, a word each: config keys that a loader does not know, with what it has in their place. One port
//! leaves several unread at once, so these are laid over one another where no single change explains a difference.

use camelid_families::{Architecture, Role};
use serde_json::json;

use super::edits::{biased_where, rounded, scaling_with, values};
use super::scene::Scene;
use crate::changes::{Change, Editor};
use crate::oracle::Quirk;

/// So many are laid over one another at most.
const MOST: usize = 4;
/// So many combinations of one size are tried.
const COMBINATIONS: usize = 800;

/// A key that is not read: the word, what it is called, and what stands in its place.
type Unread = (&'static str, &'static str, fn(&Scene<'_>) -> Vec<Option<Architecture>>);

/// Of each line one at most is taken: they are other values of the same.
const UNREAD: &[Unread] = &[
    ("rope.scaling", "the scaling of frequencies is not read", |s| {
        let mut all = values(s, "rope.scaling", &[json!(null)]);
        all.push(scaling_with(s, &[("attention_factor", json!(1.0))]));
        all.push(scaling_with(s, &[("truncate", json!(false))]));
        all
    }),
    ("rope.theta", "the base is the class's default", |s| {
        values(s, "rope.theta", &[1e4, 5e5, 1e6].map(|theta| json!(theta)))
    }),
    ("norm.eps", "eps is the class's default", |s| {
        values(s, "norm.eps", &[1e-6, 1e-5, 1e-12].map(|eps| json!(eps)))
    }),
    ("attention.window", "the window is not read", |s| values(s, "attention.window", &[json!(null)])),
    ("bias", "the biases are not read", |s| {
        let attention = [Role::Query, Role::Key, Role::Value];
        vec![
            biased_where(s, |_| true),
            biased_where(s, |role| attention.contains(&role)),
            biased_where(s, |role| !attention.contains(&role)),
        ]
    }),
    ("attention.softcap", "the cap of scores is not read", |s| {
        values(s, "attention.softcap", &[json!(null)])
    }),
    ("output.softcap", "the cap of logits is not read", |s| values(s, "output.softcap", &[json!(null)])),
    ("attention.scale", "the scale of scores comes from the head's size", |s| {
        values(s, "attention.scale", &[json!((s.head_dim() as f64).powf(-0.5))])
    }),
    ("mlp.activation", "the activation is another", |s| {
        values(s, "mlp.activation", &["gelu", "gelu_pytorch_tanh", "silu"].map(|name| json!(name)))
    }),
    ("embedding.scale", "the scale of the embedding is rounded or left out", |s| {
        let scaled = s.editor.values("embedding.scale").iter().any(|scale| *scale != json!(1.0));
        if !scaled {
            return Vec::new();
        }
        [values(s, "embedding.scale", &[json!(1.0)]), rounded(s, "embedding.scale")].concat()
    }),
    ("rope.fraction", "the whole head turns", |s| values(s, "rope.fraction", &[json!(1.0)])),
    ("output.unit_rows", "rows of the head are taken as they are", |s| {
        values(s, "output.unit_rows", &[json!(false)])
    }),
    ("attention.position", "places are told by turns", |s| vec![s.turning()]),
    ("attention.logn", "queries do not grow with their place", |s| {
        values(s, "attention.logn", &[json!(null)])
    }),
    ("attention.dual_chunk", "dual chunks are not read", |s| {
        values(s, "attention.dual_chunk", &[json!(null)])
    }),
    ("block.residual_scale", "the residual is not scaled", |s| {
        values(s, "block.residual_scale", &[json!(1.0)])
    }),
    ("block.branch_scale", "the branches are not scaled", |s| values(s, "block.branch_scale", &[json!(1.0)])),
    ("output.scale", "the logits are not scaled", |s| values(s, "output.scale", &[json!(1.0)])),
    ("norm.offset", "1 + w is w", |s| values(s, "norm.offset", &[json!(0.0)])),
];

/// What is tried together: for each size from two on, changes each laid over those before it.
pub(crate) struct Together<'a> {
    scene: &'a Scene<'a>,
    /// The line and the place in it of each value that would change something.
    options: Vec<(usize, usize)>,
}

impl<'a> Together<'a> {
    pub(crate) fn of(scene: &'a Scene<'a>) -> Together<'a> {
        let mut options = Vec::new();
        for (line, (_, _, edits)) in UNREAD.iter().enumerate() {
            for (place, _) in edits(scene).iter().enumerate().filter(|(_, edited)| edited.is_some()) {
                options.push((line, place));
            }
        }
        Together { scene, options }
    }

    /// The sizes that there are combinations of.
    pub(crate) fn sizes(&self) -> std::ops::RangeInclusive<usize> {
        2..=MOST.min(self.options.len())
    }

    /// Every combination of so many, as the changes that it is made of.
    pub(crate) fn combinations(&self, size: usize) -> Vec<Vec<Change>> {
        let mut all: Vec<Vec<(usize, usize)>> = vec![Vec::new()];
        for _ in 0..size {
            let longer = |chosen: &Vec<(usize, usize)>| {
                let after = chosen.last().map_or(0, |(line, _)| line + 1);
                let next = self.options.iter().filter(move |(line, _)| *line >= after);
                next.map(|option| [chosen.as_slice(), &[*option]].concat()).collect::<Vec<_>>()
            };
            all = all.iter().flat_map(longer).collect();
        }
        all.truncate(COMBINATIONS);
        all.iter().filter_map(|chosen| self.laid(chosen)).collect()
    }

    /// Each over those before it; `None` where one of them has no effect any more.
    fn laid(&self, chosen: &[(usize, usize)]) -> Option<Vec<Change>> {
        let mut changes: Vec<Change> = Vec::new();
        for (line, place) in chosen {
            let (word, name, edits) = UNREAD[*line];
            let below = changes.last().map_or(self.scene.editor.architecture, |last| &last.architecture);
            let scene = Scene { editor: Editor::new(below), ..*self.scene };
            let architecture = edits(&scene).into_iter().nth(*place)??;
            let (word, name) = (word.to_owned(), name.to_owned());
            changes.push(Change { word, name, architecture, quirk: Quirk::None });
        }
        Some(changes)
    }
}
