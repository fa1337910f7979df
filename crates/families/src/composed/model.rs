//! The model that an architecture and a checkpoint's tensors compose: ids in, hidden states and logits out.

use camelid_attention::Reach;
use camelid_kernels::Backend;
use camelid_linear::{Linear, Weight};
use camelid_norm::Norm;
use ndarray::{Array2, ArrayView2, Axis};

use crate::composed::cache::{Cache, Prefixed};
use crate::composed::layer::LayerParts;
use crate::composed::layered::Layered;
use crate::composed::pass::Pass;
use crate::composed::rotary::{Places, Rotary};
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

/// From the normed stream to logits.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) linear: Linear,
    /// What each logit is multiplied by: rows brought to length one, and the output's scale.
    pub(crate) factors: Option<Vec<f32>>,
    pub(crate) softcap: Option<f32>,
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
        self.check(tokens, cache)?;
        let prefix = cache.find_prefix(self.prefix.as_ref(), tokens)?;
        let (first, length) = (cache.len(), cache.len() + tokens.len());
        let first_length = if first == 0 { length } else { cache.first };
        let places = Places { tokens: first..length, axes: axes(first..length, prefix), first_length };
        let turns = self.rotaries.iter().map(|rotary| rotary.turns(&places));
        let turns = turns.collect::<Result<Vec<_>, String>>().map_err(Error::Input)?;
        (cache.first, cache.prefix) = (first_length, prefix);
        let end = prefix.map(|prefix| prefix.end);
        let mut x = observer.at(Tap { layer: None, stage: Stage::Embedding }, self.embed(tokens));
        let layered = self.layered.as_ref().map(|layered| layered.of(tokens, &x, &self.backend));
        let pass =
            Pass { first, prefix: end, turns: &turns, layered: layered.as_ref(), backend: &self.backend };
        for layer in &self.layers {
            x = layer.forward(x, &pass, &mut cache.layers, observer);
        }
        cache.forget();
        if let Some(norm) = &self.final_norm {
            rows::normalise(norm, &mut x, &self.backend);
        }
        Ok(observer.at(Tap { layer: None, stage: Stage::FinalNorm }, x))
    }

    /// The logits `[tokens, vocab]` of hidden states `[tokens, width]`. Ask for the rows that are needed: all of a long
    /// prompt's are large.
    #[must_use]
    pub fn logits(&self, hidden: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut logits = self.head.linear.forward(hidden, &self.backend);
        for mut row in logits.axis_iter_mut(Axis(0)) {
            if let Some(factors) = &self.head.factors {
                row.iter_mut().zip(factors).for_each(|(logit, factor)| *logit *= factor);
            }
            if let (Some(cap), Some(row)) = (self.head.softcap, row.as_slice_mut()) {
                camelid_attention::softcap(row, cap, &self.backend);
            }
        }
        logits
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

    fn embed(&self, tokens: &[u32]) -> Array2<f32> {
        let mut x = Array2::zeros((tokens.len(), self.embedding.cols()));
        let scale = self.embedding_scale;
        for (mut row, token) in x.axis_iter_mut(Axis(0)).zip(tokens) {
            let row = row.as_slice_mut().expect("a row of a new array is contiguous");
            self.embedding.row(*token as usize, row);
        }
        if let Some(norm) = &self.embedding_norm {
            rows::normalise(norm, &mut x, &self.backend);
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
