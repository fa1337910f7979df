//! What a sequence leaves behind.

use std::sync::Arc;

use ndarray::ArrayView3;

use crate::settings::Settings;

/// S `[value_heads, value_dim, key_dim]`; zeros at the start. `Clone` forks it: memory is shared until one side goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub(crate) heads: Arc<Vec<f32>>,
    shape: [usize; 3],
}

impl State {
    pub(crate) fn new(settings: &Settings) -> Self {
        let shape = [settings.value_heads, settings.value_dim, settings.key_dim];
        State { heads: Arc::new(vec![0.0; settings.numbers()]), shape }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.heads.len() * size_of::<f32>()
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.heads = Arc::new(vec![0.0; self.heads.len()]);
    }

    /// S as it stands.
    #[must_use]
    pub fn view(&self) -> ArrayView3<'_, f32> {
        ArrayView3::from_shape(self.shape, &self.heads).expect("as many as the shape holds")
    }
}
