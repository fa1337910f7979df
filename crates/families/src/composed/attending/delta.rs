//! The branch of a layer whose memory is a state: project, convolve, step the state on, norm and gate, project back.

use camelid_delta_net::{DeltaNet, Forget, Tokens};
use camelid_linear::{Linear, forward_all};
use camelid_mlp::Activation;
use camelid_norm::Norm;
use camelid_short_conv::ShortConv;
use ndarray::{Array2, Array3};

use crate::composed::attending::heads::{flat, heads};
use crate::composed::cache::{Kept, Stepped};
use crate::composed::pass::{AllKept, Pass};
use crate::composed::rows;
use crate::composed::tap::{Observer, Stage, Tap};

/// A gated delta net of one layer.
#[derive(Debug)]
pub(crate) struct DeltaBranch {
    /// To queries, keys and values.
    pub(crate) projections: [Linear; 3],
    /// Behind each of them.
    pub(crate) convs: [ShortConv; 3],
    pub(crate) activation: Activation,
    pub(crate) rate: Linear,
    pub(crate) rate_scale: f32,
    pub(crate) decay: Narrowed,
    pub(crate) forget: Forget,
    pub(crate) core: DeltaNet,
    pub(crate) norm: Option<Norm>,
    pub(crate) gate: Narrowed,
    pub(crate) opened_by: Activation,
    pub(crate) output: Linear,
}

/// A projection, by way of fewer numbers where it has a rank.
#[derive(Debug)]
pub(crate) struct Narrowed {
    pub(crate) down: Option<Linear>,
    pub(crate) up: Linear,
}

impl Narrowed {
    fn forward(&self, x: &Array2<f32>, pass: &Pass<'_>) -> Array2<f32> {
        match &self.down {
            Some(down) => self.up.forward(down.forward(x.view(), pass.backend).view(), pass.backend),
            None => self.up.forward(x.view(), pass.backend),
        }
    }
}

impl DeltaBranch {
    /// What a sequence has left behind before its first token.
    pub(crate) fn state(&self) -> Stepped {
        let convs = self.convs.each_ref().map(ShortConv::state);
        Stepped { tokens: 0, convs, heads: self.core.state() }
    }

    /// `[tokens, width]` → `[tokens, width]`; each sequence's state goes on.
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
        let projections = self.projections.each_ref();
        let [queries, keys, values] = forward_all(projections, x.view(), pass.backend);
        let mut mixed = |which: usize, x: Array2<f32>| self.convolved((which, layer), &x, kept, pass);
        let queries = show(Stage::Query, mixed(0, queries));
        let keys = show(Stage::Key, mixed(1, keys));
        let values = show(Stage::Value, mixed(2, values));
        let mut rate = self.rate.forward(x.view(), pass.backend);
        pass.backend.sigmoid(rate.as_slice_mut().expect("a result of linear is contiguous"));
        rate *= self.rate_scale;
        let decay = self.forget.of(self.decay.forward(x, pass).view(), pass.backend);
        let (queries, keys) = (heads(queries, settings.key_heads), heads(keys, settings.key_heads));
        let values = heads(values, settings.value_heads);
        let out = pass.each(kept, |kept, sequence| {
            let tokens = Tokens {
                queries: sequence.of(&queries),
                keys: sequence.of(&keys),
                values: sequence.of(&values),
                decay: sequence.of(&decay),
                rate: sequence.of(&rate),
            };
            let state = state_of(&mut kept[layer]);
            state.tokens += sequence.rows.len();
            self.core.forward(&tokens, &mut state.heads, pass.own)
        });
        let out = show(Stage::Heads, flat(out));
        let out = self.gated(heads(out, settings.value_heads), x, pass);
        show(Stage::AttentionOutput, self.output.forward(out.view(), pass.backend))
    }

    /// act(conv(x)) of queries, keys or values.
    fn convolved(
        &self,
        (which, layer): (usize, usize),
        x: &Array2<f32>,
        kept: &mut AllKept<'_>,
        pass: &Pass<'_>,
    ) -> Array2<f32> {
        let mut out = pass.each(kept, |kept, sequence| {
            let state = &mut state_of(&mut kept[layer]).convs[which];
            self.convs[which].forward(sequence.of(x), state, pass.own)
        });
        self.activation.apply(out.as_slice_mut().expect("just made"), pass.backend);
        out
    }

    /// n(o) ⊙ gate, head by head.
    fn gated(&self, mut out: Array3<f32>, x: &Array2<f32>, pass: &Pass<'_>) -> Array2<f32> {
        if let Some(norm) = &self.norm {
            rows::each_heads(out.view_mut(), pass.backend, |heads| norm.forward_heads(heads));
        }
        let mut by = self.gate.forward(x, pass);
        self.opened_by.apply(by.as_slice_mut().expect("a result of linear is contiguous"), pass.backend);
        flat(out) * by
    }
}

/// The state that a layer keeps.
fn state_of(kept: &mut Kept) -> &mut Stepped {
    match kept {
        Kept::State(state) => state,
        Kept::Heads(..) | Kept::Latent(_) | Kept::Nothing => unreachable!("the cache was made by this model"),
    }
}
