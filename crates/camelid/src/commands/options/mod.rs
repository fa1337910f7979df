//! What is asked on the command line by more than one subcommand.

pub(super) mod elsewhere;
#[cfg(feature = "fetch")]
pub(super) mod fetching;
pub(super) mod input;
pub mod model;
pub(super) mod name;
pub(super) mod number;
pub(super) mod which;
