//! An architecture meets its tensors: weights by role, the layers, and the model that runs.

pub(crate) mod attending;
pub(crate) mod cache;
pub(crate) mod layer;
pub(crate) mod layered;
pub(crate) mod loaded;
pub(crate) mod model;
pub(crate) mod pass;
pub(crate) mod rotary;
pub(crate) mod rows;
pub(crate) mod sparse;
pub(crate) mod tap;
