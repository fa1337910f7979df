//! The model that an architecture and a checkpoint's tensors compose: ids in, hidden states and logits out.

use camelid_attention::Reach;
use camelid_kernels::Backend;
use camelid_linear::{Linear, Weight};
use camelid_norm::Norm;
use ndarray::{Array2, ArrayView2, Axis};

use crate::composed::cache::{Cache, Prefixed};
use crate::composed::layer::LayerParts;
use crate::composed::layered::Layered;
use crate::composed::pass::{Pass, Sequence};
use crate::composed::rotary::{Places, Rotary, Turns};
use crate::composed::rows;
use crate::composed::tap::{Observer, Stage, Tap};
use crate::error::Error;
use crate::waist::architecture::{Architecture, Prefix};

/// A model, ready to run. It is never changed: what a sequence leaves behind is in the caller's [`Cache`].
#[derive(Debug)]
pub struct Model {
    pub(crate) architecture: Architecture,
    pub(crate) backend: Backend,
    pub(crate) embedding: Weight,
    /// What an embedding is multiplied by after look-up.
    pub(crate) embedding_scale: f32,
    pub(crate) embedding_norm: Option<Norm>,
    pub(crate) layered: Option<Layered>,
    pub(crate) prefix: Option<Prefix>,
    pub(crate) layers: Vec<LayerParts>,
    pub(crate) rotaries: Vec<Rotary>,
    pub(crate) final_norm: Option<Norm>,
    pub(crate) head: Head,
}

/// The next tokens of a sequence: a whole prompt, a part of one, or a single token; and what its tokens so far left behind.
#[derive(Debug)]
pub struct Next<'a> {
    /// The tokens.
    pub tokens: &'a [u32],
    /// The sequence's own cache.
    pub cache: &'a mut Cache,
}

/// A call of one sequence, checked.
struct Prepared {
    first: usize,
    first_length: usize,
    prefix: Option<Prefixed>,
    turns: Vec<Turns>,
}

/// A sequence within a pass, and where its hidden states go.
struct Member<'m, 'n> {
    next: &'m mut Next<'n>,
    prepared: Prepared,
    made: &'m mut Array2<f32>,
}

/// From the normed stream to logits.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) linear: Linear,
    /// What each logit is multiplied by: rows brought to length one, and the output's scale.
    pub(crate) factors: Option<Vec<f32>>,
    pub(crate) softcap: Option<f32>,
}

impl Head {
    fn forward(&self, hidden: ArrayView2<'_, f32>, backend: &Backend) -> Array2<f32> {
        let mut logits = self.linear.forward(hidden, backend);
        for mut row in logits.axis_iter_mut(Axis(0)) {
            if let Some(factors) = &self.factors {
                row.iter_mut().zip(factors).for_each(|(logit, factor)| *logit *= factor);
            }
            if let (Some(cap), Some(row)) = (self.softcap, row.as_slice_mut()) {
                camelid_attention::softcap(row, cap, backend);
            }
        }
        logits
    }
}

impl Model {
    /// What the model was composed from.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Where and how the arithmetic runs.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// An empty cache for one sequence.
    #[must_use]
    pub fn cache(&self) -> Cache {
        let kept = |(index, layer): (usize, &LayerParts)| {
            layer.attention.kept(self.backend.compute(), self.seen(index))
        };
        let layers = self.layers.iter().enumerate().map(kept);
        Cache { layers: layers.collect(), first: 0, prefix: None, mark: None }
    }

    /// What is seen of a layer's keys: all where those who read them differ, see a prefix both ways, or in chunks that look
    /// back to all before.
    fn seen(&self, layer: usize) -> Reach {
        let mut seen = None;
        for (source, reach, turn) in self.layers.iter().filter_map(|reader| reader.attention.reads()) {
            let chunks = turn.is_some_and(|turn| self.rotaries[turn].dual_chunk.is_some());
            let reach = if chunks || self.prefix.is_some() { Reach::Causal } else { reach };
            if source == layer {
                seen = Some(seen.filter(|other| *other != reach).map_or(reach, |_| Reach::Causal));
            }
        }
        seen.unwrap_or(Reach::Causal)
    }

    /// The hidden states `[tokens, width]` after the final norm, for the next tokens of a sequence: a whole prompt, a part
    /// of one, or a single token.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no token, an id is not in the vocabulary, or a two-way prefix does not arrive whole in
    /// the first call. The cache is then as before.
    pub fn forward(
        &self,
        tokens: &[u32],
        cache: &mut Cache,
        observer: &mut impl Observer,
    ) -> Result<Array2<f32>, Error> {
        let mut made = self.forward_all(&mut [Next { tokens, cache }], observer)?;
        Ok(made.swap_remove(0))
    }

    /// The same for several sequences at once, which share each reading of the weights: hidden states `[tokens, width]` of
    /// each, the same bits as alone. Those that bring fewer than [`Backend::MANY`] tokens go together, and so do those that
    /// bring more, since products are summed in another order for many: where there are both, weights are read twice.
    ///
    /// # Errors
    /// As [`Model::forward`]; all caches are then as before.
    pub fn forward_all(
        &self,
        all: &mut [Next<'_>],
        observer: &mut impl Observer,
    ) -> Result<Vec<Array2<f32>>, Error> {
        let prepared = all.iter().map(|next| self.prepare(next)).collect::<Result<Vec<_>, _>>()?;
        let mut made = vec![Array2::default((0, 0)); all.len()];
        let members = all.iter_mut().zip(prepared).zip(&mut made);
        let members = members.map(|((next, prepared), made)| Member { next, prepared, made });
        let (few, many): (Vec<_>, Vec<_>) =
            members.partition(|member| member.next.tokens.len() < Backend::MANY);
        if !few.is_empty() {
            self.pass(few, (&self.backend.one_by_one(), true), observer);
        }
        if !many.is_empty() {
            self.pass(many, (&self.backend, false), observer);
        }
        all.iter_mut().for_each(|next| next.cache.forget());
        Ok(made)
    }

    /// Checks a call, and finds where its tokens stand. Nothing is changed.
    fn prepare(&self, next: &Next<'_>) -> Result<Prepared, Error> {
        let Next { tokens, cache } = next;
        self.check(tokens, cache)?;
        let prefix = cache.find_prefix(self.prefix.as_ref(), tokens)?;
        let (first, length) = (cache.len(), cache.len() + tokens.len());
        let first_length = if first == 0 { length } else { cache.first };
        let places = Places { tokens: first..length, axes: axes(first..length, prefix), first_length };
        let turns = self.rotaries.iter().map(|rotary| rotary.turns(&places));
        let turns = turns.collect::<Result<Vec<_>, String>>().map_err(Error::Input)?;
        Ok(Prepared { first, first_length, prefix, turns })
    }

    /// One pass over the weights.
    fn pass(
        &self,
        members: Vec<Member<'_, '_>>,
        (backend, one_by_one): (&Backend, bool),
        observer: &mut impl Observer,
    ) {
        let tokens = members.iter().flat_map(|member| member.next.tokens).copied().collect::<Vec<_>>();
        let (mut sequences, mut kept, mut results) = (Vec::new(), Vec::new(), Vec::new());
        let mut row = 0;
        for Member { next: Next { tokens, cache }, prepared, made } in members {
            let Prepared { first, first_length, prefix, turns } = prepared;
            (cache.first, cache.prefix) = (first_length, prefix);
            let (rows, prefix) = (row..row + tokens.len(), prefix.map(|prefix| prefix.end));
            row = rows.end;
            sequences.push(Sequence { rows, first, prefix, turns });
            kept.push(cache.layers.as_mut_slice());
            results.push(made);
        }
        let mut x = observer.at(Tap { layer: None, stage: Stage::Embedding }, self.embed(&tokens, backend));
        let layered = self.layered.as_ref().map(|layered| layered.of(&tokens, &x, backend));
        let layered = layered.as_ref();
        let pass = Pass { sequences: &sequences, layered, one_by_one, backend, own: &self.backend };
        for layer in &self.layers {
            x = layer.forward(x, &pass, &mut kept, observer);
        }
        if let Some(norm) = &self.final_norm {
            rows::normalise(norm, &mut x, backend);
        }
        let x = observer.at(Tap { layer: None, stage: Stage::FinalNorm }, x);
        match results.as_mut_slice() {
            [one] => **one = x,
            several => several
                .iter_mut()
                .zip(&sequences)
                .for_each(|(made, sequence)| **made = sequence.of(&x).to_owned()),
        }
    }

    /// The logits `[tokens, vocab]` of hidden states `[tokens, width]`. Ask for the rows that are needed: all of a long
    /// prompt's are large.
    #[must_use]
    pub fn logits(&self, hidden: ArrayView2<'_, f32>) -> Array2<f32> {
        self.head.forward(hidden, &self.backend)
    }

    /// The same, where each row's logits are the same bits as alone: for the last tokens of several sequences.
    #[must_use]
    pub fn logits_of_each(&self, hidden: ArrayView2<'_, f32>) -> Array2<f32> {
        self.head.forward(hidden, &self.backend.one_by_one())
    }

    fn check(&self, tokens: &[u32], cache: &Cache) -> Result<(), Error> {
        let vocab = self.embedding.rows();
        if tokens.is_empty() {
            return Err(Error::Input("there is no token to go on from".into()));
        }
        if cache.layers.len() != self.layers.len() {
            let message =
                format!("a cache of {} layers for a model of {}", cache.layers.len(), self.layers.len());
            return Err(Error::Input(message));
        }
        match tokens.iter().position(|token| *token as usize >= vocab) {
            Some(at) => Err(Error::Input(format!(
                "token {} at place {at} is not in the vocabulary of {vocab}",
                tokens[at]
            ))),
            None => Ok(()),
        }
    }

    fn embed(&self, tokens: &[u32], backend: &Backend) -> Array2<f32> {
        let mut x = Array2::zeros((tokens.len(), self.embedding.cols()));
        let scale = self.embedding_scale;
        for (mut row, token) in x.axis_iter_mut(Axis(0)).zip(tokens) {
            let row = row.as_slice_mut().expect("a row of a new array is contiguous");
            self.embedding.row(*token as usize, row);
        }
        if let Some(norm) = &self.embedding_norm {
            rows::normalise(norm, &mut x, backend);
        }
        if scale != 1.0 {
            x *= scale;
        }
        x
    }
}

/// The places on both axes. Without a prefix the first counts on and the second is not used.
fn axes(range: std::ops::Range<usize>, prefix: Option<Prefixed>) -> [Vec<usize>; 2] {
    match prefix {
        None => [range.collect(), Vec::new()],
        Some(Prefixed { end, hold }) => [
            range.clone().map(|i| if i < end { i } else { hold }).collect(),
            range.map(|i| (i + 1).saturating_sub(end)).collect(),
        ],
    }
}
