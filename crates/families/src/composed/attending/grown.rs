//! How queries grow with their place.

use camelid_attention::{log_n, warmth};
use ndarray::{ArrayViewMut3, Axis};

use crate::waist::tables::temperature::Temperature;

/// How queries grow with their place.
#[derive(Debug)]
pub(crate) struct Grown {
    pub(crate) logn: Option<usize>,
    pub(crate) temperature: Option<Temperature>,
}

impl Grown {
    /// Queries `[tokens, heads, head_dim]`, the first of which is at place `first`.
    pub(crate) fn apply(&self, mut queries: ArrayViewMut3<'_, f32>, first: usize) {
        for (token, mut query) in queries.axis_iter_mut(Axis(0)).enumerate() {
            if let Some(trained) = self.logn {
                query *= log_n(first + token, trained);
            }
            if let Some(Temperature { beta, length, from }) = self.temperature {
                query *= warmth(first + token + from, beta, length);
            }
        }
    }
}
