//! One layer of latent attention: its weights, and which form is computed.

use std::ops::Range;
use std::sync::OnceLock;

use camelid_attention::Attention;
use camelid_kernels::{Backend, Compute};
use camelid_linear::{Linear, Weight};
use ndarray::{Array3, ArrayView3};

use crate::cache::Cache;
use crate::settings::{Error, Settings};

/// Latent attention over cached latents.
#[derive(Debug)]
pub struct Latent {
    pub(crate) settings: Settings,
    /// W_kvb, `[heads · (unturned + value_dim), rank]`.
    pub(crate) up: Linear,
    /// W_kᵀ of each head, `[rank, unturned]`: made when first asked for.
    carried: OnceLock<Vec<Linear>>,
    /// W_v of each head, `[value_dim, rank]`.
    pub(crate) values: Vec<Linear>,
    pub(crate) expanded: Attention,
    pub(crate) absorbed: Attention,
}

/// The two ways to compute the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Keys and values of every head are made.
    Expanded,
    /// Queries are carried into the latent space.
    Absorbed,
}

impl Latent {
    /// Latent attention with `up`, `[heads · (unturned + value_dim), rank]`: for each head its keys' rows, then its values'.
    ///
    /// # Errors
    /// Where the settings are out of range, the weight has another shape, or a bias.
    pub fn new(settings: Settings, up: Linear) -> Result<Self, Error> {
        settings.check()?;
        let Settings { heads, rank, unturned, value_dim, scale, .. } = settings;
        let (found, wanted) = ([up.weight.rows(), up.weight.cols()], [heads * (unturned + value_dim), rank]);
        if found != wanted {
            return Err(Error::Shape { what: "the projection from the latent", found, wanted });
        }
        if up.bias.is_some() {
            return Err(Error::Bias);
        }
        let attention = |kv_heads: usize, head_dim: usize| {
            let plain = camelid_attention::Settings::plain(heads, kv_heads, head_dim);
            Attention::new(camelid_attention::Settings { scale, ..plain })
                .expect("sizes and scale were checked above")
        };
        let values = (0..heads).map(|head| {
            let start = head * (unturned + value_dim) + unturned;
            Linear { weight: up.weight.slice_rows(start..start + value_dim), bias: None }
        });
        Ok(Self {
            values: values.collect(),
            carried: OnceLock::new(),
            expanded: attention(heads, settings.key_dim().max(value_dim)),
            absorbed: attention(1, settings.cached()),
            settings,
            up,
        })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An empty cache for this attention.
    pub fn cache(&self, compute: Compute) -> Cache {
        Cache::new(self.settings.rank, self.settings.turned, compute)
    }

    /// y `[tokens, heads, value_dim]` of queries `[tokens, heads, unturned + turned]`, of which the trailing part is turned;
    /// query t sees the positions `reach[t]` of the cache. In the form that costs less.
    ///
    /// # Panics
    /// Where the shapes of settings, queries, reach and cache differ, or a run ends beyond the cache.
    #[track_caller]
    pub fn forward(
        &self,
        queries: ArrayView3<'_, f32>,
        reach: &[Range<usize>],
        cache: &Cache,
        backend: &Backend,
    ) -> Array3<f32> {
        self.forward_as(self.cheaper(queries.shape()[0]), queries, reach, cache, backend)
    }

    /// The same in a given form.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    #[track_caller]
    pub fn forward_as(
        &self,
        form: Form,
        queries: ArrayView3<'_, f32>,
        reach: &[Range<usize>],
        cache: &Cache,
        backend: &Backend,
    ) -> Array3<f32> {
        let Settings { heads, rank, turned, .. } = self.settings;
        let wanted = [reach.len(), heads, self.settings.key_dim()];
        assert_eq!(queries.shape(), wanted, "queries {:?}, not {wanted:?}", queries.shape());
        let held = [cache.rank(), cache.turned()];
        assert_eq!(held, [rank, turned], "a cache of {held:?} for a latent of {:?}", [rank, turned]);
        let end = reach.iter().map(|run| run.end).max().unwrap_or(0);
        assert!(end <= cache.len(), "a run to {end} in a cache of {} positions", cache.len());
        match form {
            Form::Expanded => self.expanded(queries, reach, cache, backend),
            Form::Absorbed => self.absorbed(queries, reach, cache, backend),
        }
    }

    /// Expanding costs rank · (unturned + value_dim) for each position and head; absorbing, for each query besides,
    /// 2 · rank − unturned − value_dim more than the expanded scores and sums do.
    fn cheaper(&self, tokens: usize) -> Form {
        let Settings { rank, unturned, value_dim, .. } = self.settings;
        let wider = (2 * rank).saturating_sub(unturned + value_dim);
        if tokens * wider > rank * (unturned + value_dim) { Form::Expanded } else { Form::Absorbed }
    }

    /// W_kᵀ of each head.
    pub(crate) fn carried(&self) -> &[Linear] {
        self.carried.get_or_init(|| {
            let Settings { heads, unturned, value_dim, .. } = self.settings;
            let turned_over = |head: usize| -> Weight {
                let start = head * (unturned + value_dim);
                self.up.weight.slice_rows(start..start + unturned).transposed()
            };
            (0..heads).map(|head| Linear { weight: turned_over(head), bias: None }).collect()
        })
    }
}
