//! What a known mistake may look at.

use camelid_families::Architecture;
use serde_json::{Map, Value as Json, json};

use crate::changes::Editor;

/// What a mistake may look at.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) editor: Editor<'a>,
    /// The prompt.
    pub(crate) ids: &'a [u32],
    /// The checkpoint's config.json: what a word should be is often a number that stands there.
    pub(crate) config: &'a Map<String, Json>,
    /// The first token that differs at the first stage that does.
    pub(crate) first_token: usize,
    /// The layers in which something differs.
    pub(crate) layers: &'a [usize],
}

impl Scene<'_> {
    pub(crate) fn width(&self) -> usize {
        self.editor.architecture.embedding.width
    }

    pub(crate) fn heads(&self) -> usize {
        self.editor.architecture.layers.first().map_or(1, |layer| layer.attention.heads)
    }

    pub(crate) fn head_dim(&self) -> usize {
        self.editor.architecture.layers.first().map_or(1, |layer| layer.attention.head_dim)
    }

    /// Places told by turns in every layer, where none turns.
    pub(crate) fn turning(&self) -> Option<Architecture> {
        let turns = self.editor.architecture.layers.iter().any(|layer| layer.rope.is_some());
        let edit = |json: &mut Json| {
            for layer in json["layers"].as_array_mut().into_iter().flatten() {
                layer["attention"]["position"] = json!("rope");
                layer["rope"] = json!({ "theta": 1e4, "pairing": "half" });
            }
        };
        if turns { None } else { self.editor.rewritten(edit) }
    }
}
