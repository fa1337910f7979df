//! The command `camelid`, run as its users run it.

mod broken;
mod classes;
mod convert;
#[cfg(feature = "fetch")]
mod fetch;
mod folders;
mod forms;
mod generate;
mod hands;
mod models;
mod ports;
mod refusals;
mod shown;
mod talks;
