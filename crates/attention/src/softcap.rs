//! Bounded scores: cap·tanh(x / cap).

use camelid_kernels::Backend;

/// x ← cap·tanh(x / cap): nearly x near 0, never beyond ± cap. For scores before bias and mask, and for logits.
pub fn softcap(x: &mut [f32], cap: f32, backend: &Backend) {
    x.iter_mut().for_each(|x| *x /= cap);
    backend.tanh(x);
    backend.scale(cap, x);
}
