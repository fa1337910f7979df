//! Proves a family's composition equal to its original implementation, and says what differs first where it is not.
//!
//! A [`Case`] is a tiny checkpoint with what the original made of it. [`verify`] counts the parameters of every published
//! size, runs every case, and compares at every tap, in logits and in greedy tokens; what differs is re-run stage by stage
//! from the reference's own input. The result is a [`FamilyReport`], whose fields are those of `--json`.

mod case;
mod compare;
mod diagnose;
mod error;
mod family;
mod report;
mod run;

pub use case::{Case, Reference};
pub use compare::Distance;
pub use error::Error;
pub use family::{TOLERANCE, compare, form, stage_name, verify, verify_case};
pub use report::{CaseReport, Divergence, Failure, FamilyReport, Greedy, Parameters, TapReport};
pub use run::{Course, Decoding, Run, greedy, run};
