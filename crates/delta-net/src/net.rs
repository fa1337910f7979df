//! The rule over the tokens of one call, in the cheaper of two forms.

use std::sync::Arc;

use camelid_kernels::{Backend, DeltaStep};
use ndarray::{Array3, ArrayView2, ArrayView3, Axis, Slice};

use crate::head::OfHead;
use crate::settings::{Decay, Error, Settings};
use crate::state::State;

/// Tokens of a chunk, where nobody says another number.
const CHUNK: usize = 64;

/// From so many tokens on, a chunk costs less than its steps.
const WORTH: usize = 16;

/// Below it a decay is 0 in f32; bounded so that sums of it keep their last digits.
pub(crate) const LEAST: f32 = -200.0;

/// The rule for one layer.
#[derive(Clone, Debug)]
pub struct DeltaNet {
    settings: Settings,
    chunk: usize,
}

/// What a call brings, for each token.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// q `[tokens, key_heads, key_dim]`, of any length.
    pub queries: ArrayView3<'a, f32>,
    /// k `[tokens, key_heads, key_dim]`, of any length.
    pub keys: ArrayView3<'a, f32>,
    /// v `[tokens, value_heads, value_dim]`.
    pub values: ArrayView3<'a, f32>,
    /// g ≤ 0, `[tokens, value_heads]`; with [`Decay::Feature`] `[tokens, value_heads · key_dim]`.
    pub decay: ArrayView2<'a, f32>,
    /// β `[tokens, value_heads]`.
    pub rate: ArrayView2<'a, f32>,
}

/// The two forms, which give the same numbers within their rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Products of matrices over chunks.
    Chunked,
    /// One token after another.
    Stepwise,
}

impl DeltaNet {
    /// # Errors
    /// Where the settings don't fit one another.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        Ok(DeltaNet { settings, chunk: CHUNK })
    }

    /// With chunks of another size.
    ///
    /// # Errors
    /// Where it is 0.
    pub fn with_chunk(self, chunk: usize) -> Result<Self, Error> {
        if chunk == 0 {
            return Err(Error::Zero { name: "chunk" });
        }
        Ok(DeltaNet { chunk, ..self })
    }

    /// The sizes.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The state of a sequence before its first token.
    #[must_use]
    pub fn state(&self) -> State {
        State::new(&self.settings)
    }

    /// o `[tokens, value_heads, value_dim]` of the next tokens of the sequence that `state` belongs to, in the cheaper form.
    ///
    /// The same bits for any number of threads; within rounding for any cut into calls.
    ///
    /// # Panics
    /// Where the shapes don't fit the settings or one another.
    #[track_caller]
    #[must_use]
    pub fn forward(&self, tokens: &Tokens<'_>, state: &mut State, backend: &Backend) -> Array3<f32> {
        let form = if tokens.queries.shape()[0] < WORTH { Form::Stepwise } else { Form::Chunked };
        self.forward_as(form, tokens, state, backend)
    }

    /// The same in a form of one's choice.
    ///
    /// # Panics
    /// As [`DeltaNet::forward`].
    #[track_caller]
    #[must_use]
    pub fn forward_as(
        &self,
        form: Form,
        tokens: &Tokens<'_>,
        state: &mut State,
        backend: &Backend,
    ) -> Array3<f32> {
        self.fits(tokens, state);
        let Settings { value_heads, key_dim, value_dim, .. } = self.settings;
        let count = tokens.queries.shape()[0];
        let held = Arc::make_mut(&mut state.heads);
        let mut heads: Vec<_> = held.chunks_exact_mut(key_dim * value_dim).map(|s| (s, Vec::new())).collect();
        backend.run_each(&mut heads, |head, (state, out)| {
            let own = self.of_head(tokens, head);
            *out = vec![0.0; count * value_dim];
            match form {
                Form::Chunked => self.chunks(&own, state, out, backend),
                Form::Stepwise => self.steps(&own, state, out, backend),
            }
        });
        let mut o = Array3::zeros((count, value_heads, value_dim));
        for (mut head, (_, out)) in o.axis_iter_mut(Axis(1)).zip(&heads) {
            let out = ArrayView2::from_shape((count, value_dim), out).expect("as many");
            head.assign(&out);
        }
        o
    }

    #[track_caller]
    fn fits(&self, tokens: &Tokens<'_>, state: &State) {
        let Settings { key_heads, value_heads, key_dim, value_dim, .. } = self.settings;
        let Tokens { queries, keys, values, decay, rate } = tokens;
        let count = queries.shape()[0];
        let fits = [queries.shape(), keys.shape()] == [[count, key_heads, key_dim]; 2]
            && values.shape() == [count, value_heads, value_dim]
            && decay.shape() == [count, self.settings.decays()]
            && rate.shape() == [count, value_heads]
            && state.view().shape() == [value_heads, value_dim, key_dim];
        assert!(
            fits,
            "q {:?}, k {:?}, v {:?}, g {:?}, β {:?} and S {:?} don't fit {:?}",
            queries.shape(),
            keys.shape(),
            values.shape(),
            decay.shape(),
            rate.shape(),
            state.view().shape(),
            self.settings
        );
    }

    fn of_head(&self, tokens: &Tokens<'_>, head: usize) -> OfHead {
        let Settings { key_dim, decay, eps, .. } = self.settings;
        let key_head = self.settings.key_head(head);
        let unit = |x: ArrayView3<'_, f32>, length: f64| -> Vec<f32> {
            let own = x.index_axis_move(Axis(1), key_head);
            let mut out = Vec::with_capacity(own.len());
            for row in own.outer_iter() {
                let squares: f64 = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
                let factor = length / (squares + eps).sqrt();
                out.extend(row.iter().map(|x| (f64::from(*x) * factor) as f32));
            }
            out
        };
        let features = match decay {
            Decay::Head => head..head + 1,
            Decay::Feature => head * key_dim..(head + 1) * key_dim,
        };
        let fading = tokens.decay.slice_axis(Axis(1), Slice::from(features));
        OfHead {
            queries: unit(tokens.queries, (key_dim as f64).powf(-0.5)),
            keys: unit(tokens.keys, 1.0),
            values: tokens.values.index_axis(Axis(1), head).iter().copied().collect(),
            decay: fading.iter().map(|g| g.max(LEAST)).collect(),
            rate: tokens.rate.column(head).to_vec(),
        }
    }

    fn steps(&self, own: &OfHead, state: &mut [f32], out: &mut [f32], backend: &Backend) {
        let Settings { key_dim, value_dim, .. } = self.settings;
        let each = own.decay.len() / own.rate.len().max(1);
        for (token, (rate, out)) in own.rate.iter().zip(out.chunks_exact_mut(value_dim)).enumerate() {
            let keys = token * key_dim..(token + 1) * key_dim;
            let mut decay = own.decay[token * each..(token + 1) * each].to_vec();
            backend.exp(&mut decay);
            decay.resize(key_dim, decay[0]);
            let step = DeltaStep {
                decay: &decay,
                key: &own.keys[keys.clone()],
                query: &own.queries[keys],
                values: &own.values[token * value_dim..(token + 1) * value_dim],
                rate: *rate,
            };
            backend.delta_step(step, state, out);
        }
    }

    fn chunks(&self, own: &OfHead, state: &mut [f32], out: &mut [f32], backend: &Backend) {
        let sizes = [self.settings.key_dim, self.settings.value_dim];
        let each = own.decay.len() / own.rate.len().max(1);
        for (index, out) in out.chunks_mut(self.chunk * sizes[1]).enumerate() {
            let first = index * self.chunk;
            let places = first..first + out.len() / sizes[1];
            let part = |x: &[f32], size: usize| x[places.start * size..places.end * size].to_vec();
            let own = OfHead {
                queries: part(&own.queries, sizes[0]),
                keys: part(&own.keys, sizes[0]),
                values: part(&own.values, sizes[1]),
                decay: part(&own.decay, each),
                rate: part(&own.rate, 1),
            };
            crate::chunk::forward(&own, sizes, state, out, backend);
        }
    }
}
