//! Whether a declaration is proved, not only passed: every word of it is changed in turn, and some case must fail for it.

mod heads;
mod kinds;
mod known;
mod mutations;
mod proof;
mod table;
mod tensors;
mod vectors;

pub(crate) use proof::prove;
pub use proof::stale;
