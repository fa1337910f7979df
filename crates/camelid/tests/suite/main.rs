//! The command `camelid`, run as its users run it.

mod broken;
mod convert;
mod generate;
mod models;
mod refusals;
mod shown;
mod talks;
