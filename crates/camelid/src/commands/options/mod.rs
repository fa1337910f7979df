//! What is asked on the command line by more than one subcommand.

pub mod model;
pub(super) mod which;
