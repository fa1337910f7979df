//! An architecture meets its tensors: weights by role, the layers, and the model that runs.

pub(crate) mod branch;
pub(crate) mod cache;
pub(crate) mod fit;
pub(crate) mod head;
pub(crate) mod layer;
pub(crate) mod load;
pub(crate) mod model;
pub(crate) mod rotary;
pub(crate) mod rows;
pub(crate) mod tap;
pub(crate) mod weights;
