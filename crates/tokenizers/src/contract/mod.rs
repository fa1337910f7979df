//! What is asked and answered: the trait, a family's settings, the errors.

mod error;
mod kind;
mod settings;
mod tokenizer;

pub use error::Error;
pub use kind::Kind;
pub use settings::{AddedToken, DummyPrefix, File, Normalization, Replace, Settings, SpecialIn};
pub use tokenizer::{Decoder, Frame, Special, Specials, Stream, Tokenizer};
