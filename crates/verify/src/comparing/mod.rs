//! A dump of another engine, in its own precision, against the family: where it first differs, and the word that explains it.
//!
//! Every stage is computed from the port's own input to it, in f32. What the port's precision does to a stage is not configured
//! but computed: the same stage once more, its weights and values rounded as the port rounds them. A stage that is further away
//! than that differs, and at the first one changes are tried on that stage alone.

mod bench;
mod compare;
mod divergence;
mod dump;
mod glob;
mod names;
mod page;
mod precision;
mod search;
mod stage;
mod truth;
mod verdict;

pub use compare::{Compared, Port, compare_trace};
pub use dump::Dump;
pub use names::Names;
pub use page::{About, page};
pub use precision::Precision;
pub use truth::{Truth, truth};
pub use verdict::{FirstDivergence, Heat, StageReport, TraceReport, Verdict};
