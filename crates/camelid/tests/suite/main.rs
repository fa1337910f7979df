//! The command `camelid`, run as its users run it.

mod broken;
mod classes;
mod convert;
mod engines;
mod folders;
mod generate;
mod models;
mod ports;
mod refusals;
mod shown;
mod talks;
