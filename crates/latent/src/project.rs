//! From the stream to queries, and to what is cached.

use camelid_kernels::Backend;
use camelid_linear::Linear;
use camelid_norm::Norm;
use ndarray::{Array2, ArrayView2, Axis, Slice};

/// The projection to queries, `[heads · (unturned + turned)]` for each token.
#[derive(Clone, Debug)]
pub enum Queries {
    /// q = x W_q
    Straight(Linear),
    /// q = n(x W_qa) W_qb
    Latent {
        /// W_qa, `[query rank, width]`.
        down: Linear,
        /// n, of `query rank` features.
        norm: Norm,
        /// W_qb, `[heads · (unturned + turned), query rank]`.
        up: Linear,
    },
}

impl Queries {
    /// q `[tokens, heads · (unturned + turned)]` of x `[tokens, width]`.
    ///
    /// # Panics
    /// Where the shapes don't fit.
    #[track_caller]
    pub fn forward(&self, x: ArrayView2<'_, f32>, backend: &Backend) -> Array2<f32> {
        match self {
            Self::Straight(linear) => linear.forward(x, backend),
            Self::Latent { down, norm, up } => {
                let mut c = down.forward(x, backend);
                norm.forward_in_place(c.view_mut());
                up.forward(c.view(), backend)
            }
        }
    }
}

/// The projection to the latent and to the turned part of the key.
#[derive(Clone, Debug)]
pub struct Compression {
    /// W_kva, `[rank + turned, width]`: the latent first.
    pub down: Linear,
    /// n, of `rank` features.
    pub norm: Norm,
    /// Numbers of the latent.
    pub rank: usize,
}

impl Compression {
    /// c `[tokens, rank]`, normed, and k_r `[tokens, turned]`, not yet turned, of x `[tokens, width]`.
    ///
    /// # Panics
    /// Where the shapes don't fit.
    #[track_caller]
    pub fn forward(&self, x: ArrayView2<'_, f32>, backend: &Backend) -> (Array2<f32>, Array2<f32>) {
        let both = self.down.forward(x, backend);
        let part = |which: Slice| both.slice_axis(Axis(1), which).to_owned();
        let mut c = part(Slice::from(..self.rank));
        self.norm.forward_in_place(c.view_mut());
        (c, part(Slice::from(self.rank..)))
    }
}
