//! The attention branch of one layer: project, norm, turn, attend, project back.

use camelid_attention::{Attention, Cache, Reach, Segment};
use camelid_linear::{Linear, forward_all};
use camelid_norm::Norm;
use camelid_rope::{Pairing, Table};
use ndarray::{Array2, Array3, ArrayViewMut3, Axis, Slice};

use crate::composed::attending::grown::Grown;
use crate::composed::attending::heads::{flat, gated, heads};
use crate::composed::cache::Kept;
use crate::composed::pass::{AllKept, Pass, Sequence};
use crate::composed::rotary::Turns;
use crate::composed::rows;
use crate::composed::tap::{Observer, Stage, Tap};
use crate::waist::named::{At, Per};

/// A norm of queries, keys or values.
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
    /// Nothing where another layer's keys and values are read.
    pub(crate) keys: Option<Keys>,
    /// The layer whose keys and values are read: its own, or an earlier one's.
    pub(crate) source: usize,
    pub(crate) gate: Option<Linear>,
    pub(crate) output: Linear,
    pub(crate) query_norm: Option<HeadNorm>,
    /// Which of the pass's turns.
    pub(crate) turn: Option<usize>,
    pub(crate) grown: Grown,
    pub(crate) reach: Reach,
    pub(crate) core: Attention,
}

/// Where a layer's own keys and values come from.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) key: Linear,
    /// Nothing where values are what `key` projects.
    pub(crate) value: Option<Linear>,
    pub(crate) key_norm: Option<HeadNorm>,
    pub(crate) value_norm: Option<HeadNorm>,
}

impl AttentionBranch {
    /// `[tokens, width]` → `[tokens, width]`; keys and values go to each sequence's cache.
    pub(crate) fn forward<O: Observer>(
        &self,
        x: &Array2<f32>,
        layer: usize,
        pass: &Pass<'_>,
        kept: &mut AllKept<'_>,
        observer: &mut O,
    ) -> Array2<f32> {
        let settings = self.core.settings();
        let mut show = |stage, value| observer.at(Tap { layer: Some(layer), stage }, value);
        let (queries, own) = match &self.keys {
            Some(keys) => {
                let (queries, key, value) = keys.project(&self.query, x, settings.kv_heads, pass);
                (queries, Some((keys, key, value)))
            }
            None => (self.query.forward(x.view(), pass.backend), None),
        };
        let mut queries = heads(queries, settings.heads);
        normalise(&self.query_norm, &mut queries, At::BeforeRope, pass);
        for sequence in pass.sequences {
            self.turn_queries(sequence.of_mut(&mut queries), sequence, pass);
        }
        normalise(&self.query_norm, &mut queries, At::AfterRope, pass);
        for sequence in pass.sequences {
            self.grown.apply(sequence.of_mut(&mut queries), sequence.first);
        }
        let queries = heads(show(Stage::Query, flat(queries)), settings.heads);
        if let Some((keys, mut key, value)) = own {
            normalise(&keys.key_norm, &mut key, At::BeforeRope, pass);
            for sequence in pass.sequences {
                self.turn_keys(sequence.of_mut(&mut key), sequence, pass);
            }
            normalise(&keys.key_norm, &mut key, At::AfterRope, pass);
            let key = heads(show(Stage::Key, flat(key)), settings.kv_heads);
            let value = heads(show(Stage::Value, flat(value)), settings.kv_heads);
            for (sequence, kept) in pass.sequences.iter().zip(kept.iter_mut()) {
                heads_of(&mut kept[self.source]).append(sequence.of(&key), sequence.of(&value), pass.own);
            }
        }
        let summed = pass.each(kept, |kept, sequence| {
            self.attend(&queries, sequence, pass, heads_of(&mut kept[self.source]))
        });
        let summed = show(Stage::Heads, flat(summed));
        let summed = gated(&self.gate, summed, x, settings.heads, pass);
        show(Stage::AttentionOutput, self.output.forward(summed.view(), pass.backend))
    }

    /// The three turns of a query in chunks are made where its runs are known.
    fn turn_queries(&self, queries: ArrayViewMut3<'_, f32>, sequence: &Sequence, pass: &Pass<'_>) {
        if let Some(Turns::Axes(tables, pairing)) = self.turn.map(|turn| &sequence.turns[turn]) {
            turn_heads(queries, tables, *pairing, pass);
        }
    }

    fn turn_keys(&self, keys: ArrayViewMut3<'_, f32>, sequence: &Sequence, pass: &Pass<'_>) {
        match self.turn.map(|turn| &sequence.turns[turn]) {
            None => {}
            Some(Turns::Axes(tables, pairing)) => turn_heads(keys, tables, *pairing, pass),
            Some(Turns::Chunks(chunks)) => chunks.turn_keys(keys),
        }
    }

    fn attend(
        &self,
        queries: &Array3<f32>,
        sequence: &Sequence,
        pass: &Pass<'_>,
        cache: &Cache,
    ) -> Array3<f32> {
        let queries = sequence.of(queries);
        if let Some(Turns::Chunks(chunks)) = self.turn.map(|turn| &sequence.turns[turn]) {
            return chunks.attend(&self.core, queries, cache, pass.own);
        }
        let rule = sequence.prefix.map_or(self.reach, Reach::Prefix);
        let reach = rule.runs(sequence.first..sequence.first + sequence.rows.len());
        self.core.forward(&[Segment { queries, reach: &reach }], cache, pass.own)
    }
}

/// The keys and values that a layer keeps.
fn heads_of(kept: &mut Kept) -> &mut Cache {
    match kept {
        Kept::Heads(cache, _) => cache,
        Kept::Latent(_) | Kept::State(_) | Kept::Nothing => unreachable!("the cache was made by this model"),
    }
}

impl Keys {
    /// Queries `[tokens, heads · head_dim]`; keys and values `[tokens, kv_heads, head_dim]`, the values normed.
    fn project(
        &self,
        query: &Linear,
        x: &Array2<f32>,
        kv_heads: usize,
        pass: &Pass<'_>,
    ) -> (Array2<f32>, Array3<f32>, Array3<f32>) {
        let (queries, key, value) = match &self.value {
            Some(value) => {
                let [queries, key, value] = forward_all([query, &self.key, value], x.view(), pass.backend);
                (queries, key, value)
            }
            None => {
                let [queries, key] = forward_all([query, &self.key], x.view(), pass.backend);
                let value = key.clone();
                (queries, key, value)
            }
        };
        let (key, mut value) = (heads(key, kv_heads), heads(value, kv_heads));
        normalise(&self.value_norm, &mut value, At::BeforeRope, pass);
        (queries, key, value)
    }
}

/// One table turns the leading features of a head; two turn one half of the head each.
fn turn_heads(mut x: ArrayViewMut3<'_, f32>, tables: &[Table], pairing: Pairing, pass: &Pass<'_>) {
    let part = x.shape()[2] / tables.len();
    for (axis, table) in tables.iter().enumerate() {
        let half = x.slice_axis_mut(Axis(2), Slice::from(axis * part..(axis + 1) * part));
        rows::each_heads(half, pass.own, |heads| table.turn(heads, pairing));
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
