//! The thread that owns the model: sequences that join and leave, each pass over the weights shared by all.

pub(crate) mod job;
pub(crate) mod place;
pub(crate) mod prefixes;
pub(crate) mod scheduler;
pub(crate) mod scores;
pub(crate) mod sequence;
