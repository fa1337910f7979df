//! Subcommands that say what a family or a checkpoint is, and write it in other terms.

pub mod describe;
pub mod diff;
pub mod families;
pub mod manual;
pub(super) mod set;
pub(super) mod tree;
