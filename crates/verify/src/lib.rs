//! Proves a family's composition equal to its original implementation, and says what differs first where it is not.
//!
//! A [`Case`] is a tiny checkpoint with what the original made of it. [`verify`] counts the parameters of every published
//! size, runs every case, and compares at every tap, in logits and in greedy tokens. What differs is [diagnosed](diagnose):
//! every stage is computed again from the same input by a second implementation, so that a component whose code is wrong is
//! told from a declaration that says the wrong thing; then known mistakes are tried as single changes. With
//! [`Depth::Prove`] every word of the declaration is changed in turn, and some case must fail for it. The result is a
//! [`FamilyReport`], whose fields are those of `--json`.

mod changes;
mod comparing;
mod error;
mod explaining;
mod family;
mod locating;
mod oracle;
mod parallel;
mod proving;
mod running;
mod told;

pub use comparing::{
    About, Compared, Dump, FirstDivergence, Heat, Names, Port, Precision, StageReport, TraceReport, Truth,
    Verdict, compare_trace, page, truth,
};
pub use error::Error;
pub use explaining::diagnose;
pub use family::{verify, verify_case};
pub use proving::stale;
pub use running::{
    Case, Course, Decoding, Depth, Meddle, Progress, Reference, Run, Settings, Shown, Subject, compare,
    compare_subject, continued, decode, form, run,
};
pub use told::{
    CaseReport, Distance, Divergence, Failure, FamilyReport, Fault, Greedy, Outcome, Parameters, Proof,
    ProofReport, TOLERANCE, TapReport, stage_name,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
