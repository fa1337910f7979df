//! The attention branch of a layer whose keys and values are made of a latent.

use std::ops::Range;

use camelid_attention::Reach;
use camelid_latent::{Compression, Latent, Queries};
use camelid_linear::Linear;
use ndarray::{Array2, Array3, Axis, Slice};

use crate::composed::attending::grown::Grown;
use crate::composed::attending::heads::{flat, gated, heads};
use crate::composed::cache::Kept;
use crate::composed::pass::Pass;
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
    /// `[tokens, width]` → `[tokens, width]`; the latent and the turned part of the key go to the cache.
    pub(crate) fn forward<O: Observer>(
        &self,
        x: &Array2<f32>,
        layer: usize,
        pass: &Pass<'_>,
        kept: &mut Kept,
        observer: &mut O,
    ) -> Array2<f32> {
        let Kept::Latent(cache) = kept else { unreachable!("the cache was made by this model") };
        let settings = self.core.settings();
        let mut show = |stage, value| observer.at(Tap { layer: Some(layer), stage }, value);
        let mut queries = heads(self.queries.forward(x.view(), pass.backend), settings.heads);
        let (c, k_r) = self.compression.forward(x.view(), pass.backend);
        let mut k_r = k_r.insert_axis(Axis(1));
        self.turn(&mut queries, &mut k_r, pass);
        self.grown.apply(&mut queries, pass.first);
        let queries = heads(show(Stage::Query, flat(queries)), settings.heads);
        cache.append(c.view(), k_r.index_axis(Axis(1), 0), pass.backend);
        let reach: Vec<Range<usize>> = self.reach.runs(pass.first..pass.first + x.nrows());
        let summed = flat(self.core.forward(queries.view(), &reach, cache, pass.backend));
        let summed = gated(&self.gate, show(Stage::Heads, summed), x, settings.heads, pass);
        show(Stage::AttentionOutput, self.output.forward(summed.view(), pass.backend))
    }

    /// The trailing features of queries, and all of k_r.
    fn turn(&self, queries: &mut Array3<f32>, k_r: &mut Array3<f32>, pass: &Pass<'_>) {
        let unturned = self.core.settings().unturned;
        if let Some(Turns::Axes(tables, pairing)) = self.turn.map(|turn| &pass.turns[turn]) {
            tables.iter().for_each(|table| {
                table.turn(queries.slice_axis_mut(Axis(2), Slice::from(unturned..)), *pairing);
                table.turn(k_r.view_mut(), *pairing);
            });
        }
    }
}
