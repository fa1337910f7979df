//! How the families differ: facts and pictures, each number computed by the crates that run the models.
//!
//! [`turns`], [`sights`] and [`text`] say what follows from one family at one size; [`compared`] says in what two differ;
//! [`site`] gives the pages of docs/atlas.
//!
#![doc = include_str!("../README.md")]

mod error;
mod facts;
mod site;

pub use error::Error;
pub use facts::compared::{Difference, Differences, Told, compared};
pub use facts::said::{places, significant, thousands, written};
pub use facts::side::{Side, cache_of_thousand};
pub use facts::sight::{Seen, Sight, sights};
pub use facts::text::{QUESTION, Text, text};
pub use facts::turns::{Band, Change, Turns, turns};
pub use site::site;
pub use site::tokens::{Tokens, Vocabulary};
