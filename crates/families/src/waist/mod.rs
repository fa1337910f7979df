//! The narrow waist: the [`Architecture`](architecture::Architecture) in plain numbers, its roles, and the plan of tensors that follows.
//!
//! It knows nothing of files, formulas or arithmetic; every other room reads it.

pub(crate) mod architecture;
pub(crate) mod belongs;
pub(crate) mod chunks;
pub(crate) mod fields;
pub(crate) mod frequencies;
pub(crate) mod kinds;
pub(crate) mod memory;
pub(crate) mod named;
pub(crate) mod plan;
pub(crate) mod roles;
pub(crate) mod scaling;
pub(crate) mod tables;
