//! Short causal convolution, each channel by itself, with the few tokens that it must remember.
//!
//! ```text
//! y[t, c] = b[c] + Σ_w W[c, w] · x[t − (width − 1) + w, c]        0 ≤ w < width; x before the first token is 0
//! ```
//! x and y `[tokens, channels]`, W `[channels, width]`; the last tap, w = width − 1, is the token itself. What a sequence leaves
//! behind is its last width − 1 inputs: the size of [`State`] does not grow with the text.
//!
//! Gated delta nets (Qwen3-Next, Qwen 3.5, Kimi Linear, OLMo Hybrid) run queries, keys and values through one of width 4.
//!
//! ```
//! use camelid_kernels::Backend;
//! use camelid_short_conv::ShortConv;
//! use ndarray::array;
//!
//! let conv = ShortConv::new(array![[10.0, 1.0]].view(), None)?; // one channel: ten times the token before, and the token
//! let mut state = conv.state();
//! let y = conv.forward(array![[1.0], [2.0]].view(), &mut state, &Backend::serial());
//! assert_eq!(y, array![[1.0], [12.0]]);
//! let y = conv.forward(array![[3.0]].view(), &mut state, &Backend::serial());
//! assert_eq!(y, array![[23.0]]);
//! # Ok::<(), camelid_short_conv::Error>(())
//! ```

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis, Slice, concatenate};

pub use camelid_kernels::Backend;
/// The arrays that stand in the signatures.
pub use ndarray;

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No channel, or no tap.
    #[error("a convolution of {channels} channels and width {width}: there must be at least one of each")]
    Empty {
        /// Rows of the weight.
        channels: usize,
        /// Its columns.
        width: usize,
    },
    /// A bias of another length.
    #[error("a bias of {bias} for a convolution of {channels} channels")]
    Bias {
        /// Numbers of the bias.
        bias: usize,
        /// Rows of the weight.
        channels: usize,
    },
}

/// The convolution.
#[derive(Clone, Debug)]
pub struct ShortConv {
    /// `[width, channels]`: taps lie apart, so that a tap of all channels is one run.
    taps: Array2<f32>,
    bias: Option<Vec<f32>>,
}

/// The inputs that the next token still meets, `[width − 1, channels]`; zeros at the start. `Clone` forks it.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    before: Arc<Array2<f32>>,
}

impl State {
    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.before.len() * size_of::<f32>()
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.before = Arc::new(Array2::zeros(self.before.dim()));
    }
}

impl ShortConv {
    /// `weight` is `[channels, width]`.
    ///
    /// # Errors
    /// Where there is no channel or no tap, and where the bias is of another length.
    pub fn new(weight: ArrayView2<'_, f32>, bias: Option<Vec<f32>>) -> Result<Self, Error> {
        let (channels, width) = weight.dim();
        if channels == 0 || width == 0 {
            return Err(Error::Empty { channels, width });
        }
        if let Some(bias) = bias.as_ref().filter(|bias| bias.len() != channels) {
            return Err(Error::Bias { bias: bias.len(), channels });
        }
        Ok(Self { taps: weight.reversed_axes().as_standard_layout().into_owned(), bias })
    }

    /// Channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.taps.ncols()
    }

    /// Taps: how many tokens one result is made of.
    #[must_use]
    pub fn width(&self) -> usize {
        self.taps.nrows()
    }

    /// What a sequence has left behind before its first token.
    #[must_use]
    pub fn state(&self) -> State {
        State { before: Arc::new(Array2::zeros((self.width() - 1, self.channels()))) }
    }

    /// x `[tokens, channels]`, the next tokens of the sequence that `state` belongs to → y `[tokens, channels]`.
    ///
    /// The same bits for any number of threads, and for any cut of the tokens into calls.
    ///
    /// # Panics
    /// Where x has another number of channels, or the state is another convolution's.
    #[track_caller]
    #[must_use]
    pub fn forward(&self, x: ArrayView2<'_, f32>, state: &mut State, backend: &Backend) -> Array2<f32> {
        let (width, channels) = self.taps.dim();
        let shapes = (x.ncols(), state.before.dim());
        assert!(
            shapes == (channels, (width - 1, channels)),
            "an input {:?} and a state {:?} for a convolution of {channels} channels and width {width}",
            x.shape(),
            state.before.shape()
        );
        let all = concatenate(Axis(0), &[state.before.view(), x]).expect("as many channels");
        let rows = all.as_slice().expect("just made");
        let taps = self.taps.as_slice().expect("in standard layout");
        let mut y = Array2::zeros((x.nrows(), channels));
        let out = y.as_slice_mut().expect("just made");
        backend.run_chunks(out, channels, |token, out| {
            if let Some(bias) = &self.bias {
                out.copy_from_slice(bias);
            }
            let seen = &rows[token * channels..(token + width) * channels];
            for (x, tap) in seen.chunks_exact(channels).zip(taps.chunks_exact(channels)) {
                out.iter_mut().zip(x).zip(tap).for_each(|((y, x), w)| *y += w * x);
            }
        });
        let rest = all.slice_axis(Axis(0), Slice::from(x.nrows()..));
        state.before = Arc::new(rest.to_owned());
        y
    }
}
