//! What the integration tests and `fuzz/` share.

pub mod fuzz;
