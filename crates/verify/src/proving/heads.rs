//! Changes of how many heads there are, which must leave the shapes of all tensors as they are.

use camelid_families::Architecture;

use super::kinds::Target;

impl Target<'_> {
    /// Whether some delta net has more heads of values than of keys, and of those several: else the order is one.
    pub(super) fn shares_keys(&self) -> bool {
        let mut deltas = self.editor.architecture.layers.iter().filter_map(|layer| layer.delta.as_ref());
        deltas.any(|delta| delta.key_heads > 1 && delta.value_heads > delta.key_heads)
    }

    /// So many times the heads, so many times as large: the tensors keep their shapes.
    pub(super) fn heads(&self, more: usize, larger: usize) -> Option<Architecture> {
        self.editor.changed(|architecture| {
            // Under a latent the parts of a head have words of their own.
            for layer in architecture.layers.iter_mut().filter(|layer| layer.latent.is_none()) {
                let attention = &mut layer.attention;
                let divides = |x: usize, by: usize, to: usize| (x * to).is_multiple_of(by);
                let whole = divides(attention.heads, larger, more)
                    && divides(attention.kv_heads, larger, more)
                    && divides(attention.head_dim, more, larger);
                let turning = attention.head_dim * larger / more;
                let even = layer.rope.as_ref().is_none_or(|rope| {
                    let turning = rope.rotary_dim(turning);
                    turning >= 2 && turning.is_multiple_of(2 * rope.axes)
                });
                if whole && even {
                    attention.heads = attention.heads * more / larger;
                    attention.kv_heads = attention.kv_heads * more / larger;
                    attention.head_dim = turning;
                }
            }
        })
    }

    /// So many times a delta net's key heads, so many times as large.
    pub(super) fn delta_heads(&self, more: usize, larger: usize) -> Option<Architecture> {
        self.editor.changed(|architecture| {
            for delta in architecture.layers.iter_mut().filter_map(|layer| layer.delta.as_mut()) {
                let whole = (delta.key_heads * more).is_multiple_of(larger)
                    && (delta.key_dim * larger).is_multiple_of(more);
                let heads = delta.key_heads * more / larger;
                if whole && heads > 0 && delta.value_heads.is_multiple_of(heads) {
                    (delta.key_heads, delta.key_dim) = (heads, delta.key_dim * larger / more);
                }
            }
        })
    }

    /// So many times a delta net's value heads, so many times as large.
    pub(super) fn value_heads(&self, more: usize, larger: usize) -> Option<Architecture> {
        self.editor.changed(|architecture| {
            for delta in architecture.layers.iter_mut().filter_map(|layer| layer.delta.as_mut()) {
                let whole = (delta.value_heads * more).is_multiple_of(larger)
                    && (delta.value_dim * larger).is_multiple_of(more);
                let heads = delta.value_heads * more / larger;
                if whole && heads > 0 && heads.is_multiple_of(delta.key_heads) {
                    (delta.value_heads, delta.value_dim) = (heads, delta.value_dim * larger / more);
                }
            }
        })
    }
}
