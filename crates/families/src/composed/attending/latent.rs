//! The attention branch of a layer whose keys and values are made of a latent.

use std::ops::Range;

use camelid_attention::Reach;
use camelid_latent::{Compression, Latent, Queries};
use camelid_linear::Linear;
use ndarray::{Array2, ArrayViewMut3, Axis, Slice};

use crate::composed::attending::grown::Grown;
use crate::composed::attending::heads::{flat, gated, heads};
use crate::composed::cache::Kept;
use crate::composed::pass::{AllKept, Pass, Sequence};
use crate::composed::rotary::Turns;
use crate::composed::tap::{Observer, Stage, Tap};

/// Latent attention of one layer.
#[derive(Debug)]
pub(crate) struct LatentBranch {
    pub(crate) queries: Queries,
    pub(crate) compression: Compression,
    pub(crate) core: Latent,
    pub(crate) gate: Option<Linear>,
    pub(crate) output: Linear,
    /// Which of the pass's turns.
    pub(crate) turn: Option<usize>,
    pub(crate) grown: Grown,
    pub(crate) reach: Reach,
}

impl LatentBranch {
    /// `[tokens, width]` → `[tokens, width]`; the latent and the turned part of the key go to each sequence's cache.
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
        let mut queries = heads(self.queries.forward(x.view(), pass.backend), settings.heads);
        let (c, k_r) = self.compression.forward(x.view(), pass.backend);
        let mut k_r = k_r.insert_axis(Axis(1));
        for sequence in pass.sequences {
            self.turn(sequence.of_mut(&mut queries), sequence.of_mut(&mut k_r), sequence);
            self.grown.apply(sequence.of_mut(&mut queries), sequence.first);
        }
        let queries = heads(show(Stage::Query, flat(queries)), settings.heads);
        let summed = pass.each(kept, |kept, sequence| {
            let Kept::Latent(cache) = &mut kept[layer] else {
                unreachable!("the cache was made by this model")
            };
            let k_r = sequence.of(&k_r);
            cache.append(sequence.of(&c), k_r.index_axis(Axis(1), 0), pass.own);
            let places = sequence.first..sequence.first + sequence.rows.len();
            let reach: Vec<Range<usize>> = self.reach.runs(places);
            self.core.forward(sequence.of(&queries), &reach, cache, pass.own)
        });
        let summed = gated(&self.gate, show(Stage::Heads, flat(summed)), x, settings.heads, pass);
        show(Stage::AttentionOutput, self.output.forward(summed.view(), pass.backend))
    }

    /// The trailing features of queries, and all of k_r.
    fn turn(
        &self,
        mut queries: ArrayViewMut3<'_, f32>,
        mut k_r: ArrayViewMut3<'_, f32>,
        sequence: &Sequence,
    ) {
        let unturned = self.core.settings().unturned;
        if let Some(Turns::Axes(tables, pairing)) = self.turn.map(|turn| &sequence.turns[turn]) {
            tables.iter().for_each(|table| {
                table.turn(queries.slice_axis_mut(Axis(2), Slice::from(unturned..)), *pairing);
                table.turn(k_r.view_mut(), *pairing);
            });
        }
    }
}
