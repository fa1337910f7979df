//! The attention branch of one layer: project, norm, turn, attend, project back.

use std::num::NonZeroUsize;

use camelid_attention::{Attention, Cache, Reach, Segment, log_n};
use camelid_kernels::Backend;
use camelid_linear::{Linear, forward_all};
use camelid_norm::Norm;
use camelid_rope::{Pairing, Table};
use ndarray::{Array2, Array3, Axis, Slice};

use crate::composed::rotary::Turns;
use crate::composed::rows;
use crate::composed::tap::{Observer, Stage, Tap};
use crate::waist::architecture::{At, Per};

/// What all layers of one call share.
pub(crate) struct Pass<'a> {
    /// The place of the first token.
    pub(crate) first: usize,
    /// Where the two-way prefix ends, if there is one.
    pub(crate) prefix: Option<usize>,
    /// For each distinct rotary setting.
    pub(crate) turns: &'a [Turns],
    pub(crate) backend: &'a Backend,
}

/// A norm of queries or of keys.
#[derive(Debug)]
pub(crate) struct HeadNorm {
    pub(crate) norm: Norm,
    pub(crate) per: Per,
    pub(crate) at: At,
}

/// The attention of one layer.
#[derive(Debug)]
pub(crate) struct AttentionBranch {
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    pub(crate) output: Linear,
    pub(crate) query_norm: Option<HeadNorm>,
    pub(crate) key_norm: Option<HeadNorm>,
    /// Which of the pass's turns.
    pub(crate) turn: Option<usize>,
    pub(crate) logn: Option<usize>,
    pub(crate) window: Option<NonZeroUsize>,
    pub(crate) core: Attention,
}

impl AttentionBranch {
    /// `[tokens, width]` → `[tokens, width]`; keys and values go to the cache.
    pub(crate) fn forward<O: Observer>(
        &self,
        x: &Array2<f32>,
        layer: usize,
        pass: &Pass<'_>,
        cache: &mut Cache,
        observer: &mut O,
    ) -> Array2<f32> {
        let settings = self.core.settings();
        let mut show = |stage, value| observer.at(Tap { layer: Some(layer), stage }, value);
        let [queries, keys, values] =
            forward_all([&self.query, &self.key, &self.value], x.view(), pass.backend);
        let mut queries = heads(queries, settings.heads);
        let mut keys = heads(keys, settings.kv_heads);
        normalise(&self.query_norm, &mut queries, At::BeforeRope, pass);
        normalise(&self.key_norm, &mut keys, At::BeforeRope, pass);
        self.turn_both(&mut queries, &mut keys, pass);
        normalise(&self.query_norm, &mut queries, At::AfterRope, pass);
        normalise(&self.key_norm, &mut keys, At::AfterRope, pass);
        self.sharpen(&mut queries, pass.first);
        let queries = heads(show(Stage::Query, flat(queries)), settings.heads);
        let keys = heads(show(Stage::Key, flat(keys)), settings.kv_heads);
        let values = heads(show(Stage::Value, values), settings.kv_heads);
        cache.append(keys.view(), values.view(), pass.backend);
        let summed = show(Stage::Heads, flat(self.attend(&queries, pass, cache)));
        show(Stage::AttentionOutput, self.output.forward(summed.view(), pass.backend))
    }

    fn turn_both(&self, queries: &mut Array3<f32>, keys: &mut Array3<f32>, pass: &Pass<'_>) {
        match self.turn.map(|turn| &pass.turns[turn]) {
            None => {}
            Some(Turns::Axes(tables, pairing)) => {
                turn_heads(queries, tables, *pairing, pass);
                turn_heads(keys, tables, *pairing, pass);
            }
            // The three turns of a query are made where its runs are known.
            Some(Turns::Chunks(chunks)) => chunks.turn_keys(keys.view_mut()),
        }
    }

    fn sharpen(&self, queries: &mut Array3<f32>, first: usize) {
        let Some(trained) = self.logn else { return };
        for (token, mut query) in queries.axis_iter_mut(Axis(0)).enumerate() {
            query *= log_n(first + token, trained);
        }
    }

    fn attend(&self, queries: &Array3<f32>, pass: &Pass<'_>, cache: &Cache) -> Array3<f32> {
        if let Some(Turns::Chunks(chunks)) = self.turn.map(|turn| &pass.turns[turn]) {
            return chunks.attend(&self.core, queries.view(), cache, pass.backend);
        }
        let rule = match (pass.prefix, self.window) {
            (Some(prefix), _) => Reach::Prefix(prefix),
            (None, Some(window)) => Reach::Window(window),
            (None, None) => Reach::Causal,
        };
        let reach = rule.runs(pass.first..pass.first + queries.shape()[0]);
        self.core.forward(&[Segment { queries: queries.view(), reach: &reach }], cache, pass.backend)
    }
}

/// One table turns the leading features of a head; two turn one half of the head each.
fn turn_heads(x: &mut Array3<f32>, tables: &[Table], pairing: Pairing, pass: &Pass<'_>) {
    let part = x.shape()[2] / tables.len();
    for (axis, table) in tables.iter().enumerate() {
        let half = x.slice_axis_mut(Axis(2), Slice::from(axis * part..(axis + 1) * part));
        rows::each_heads(half, pass.backend, |heads| table.turn(heads, pairing));
    }
}

fn normalise(norm: &Option<HeadNorm>, x: &mut Array3<f32>, at: At, pass: &Pass<'_>) {
    let Some(norm) = norm.as_ref().filter(|norm| norm.at == at) else { return };
    match norm.per {
        Per::Head => rows::each_heads(x.view_mut(), pass.backend, |heads| norm.norm.forward_heads(heads)),
        Per::EachHead => norm.norm.forward_heads(x.view_mut()),
        Per::Width => {
            let count = x.shape()[1];
            let mut wide = flat(std::mem::take(x));
            rows::normalise(&norm.norm, &mut wide, pass.backend);
            *x = heads(wide, count);
        }
    }
}

/// `[tokens, heads · head_dim]` → `[tokens, heads, head_dim]`.
fn heads(x: Array2<f32>, heads: usize) -> Array3<f32> {
    let (tokens, width) = x.dim();
    let shape = (tokens, heads, width / heads);
    x.into_shape_with_order(shape)
        .expect("a projection's result is contiguous, and its width is heads · head_dim")
}

/// `[tokens, heads, head_dim]` → `[tokens, heads · head_dim]`.
fn flat(x: Array3<f32>) -> Array2<f32> {
    let (tokens, heads, head_dim) = x.dim();
    x.into_shape_with_order((tokens, heads * head_dim)).expect("heads are contiguous")
}
