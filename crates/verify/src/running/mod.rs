//! A case, and our own composition run on it and held to it.

mod case;
mod exact;
mod held;
mod run;
mod settings;

pub(crate) use case::order;
pub use case::{Case, Reference};
pub use held::{compare, compare_subject};
pub(crate) use run::arg_max;
pub use run::{Course, Decoding, Meddle, Run, Shown, Subject, continued, decode, run};
pub(crate) use settings::loaded;
pub use settings::{Depth, Progress, Settings, form};
