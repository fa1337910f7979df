//! Tensors of a checkpoint taken apart by role, and composed to the parts of a model.

pub(crate) mod delta;
pub(crate) mod experts;
pub(crate) mod fit;
pub(crate) mod head;
pub(crate) mod held;
pub(crate) mod load;
pub(crate) mod memory;
pub(crate) mod mixers;
pub(crate) mod norms;
pub(crate) mod stored;
pub(crate) mod weights;
