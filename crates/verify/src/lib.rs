//! Proves a family's composition equal to its original implementation, and says what differs first where it is not.
//!
//! A [`Case`] is a tiny checkpoint with what the original made of it. [`verify`] counts the parameters of every published
//! size, runs every case, and compares at every tap, in logits and in greedy tokens. What differs is [diagnosed](diagnose):
//! every stage is computed again from the same input by a second implementation, so that a component whose code is wrong is
//! told from a declaration that says the wrong thing; then known mistakes are tried as single changes. With
//! [`Depth::Prove`] every word of the declaration is changed in turn, and some case must fail for it. The result is a
//! [`FamilyReport`], whose fields are those of `--json`.

mod case;
mod change;
mod compare;
mod diagnose;
mod error;
mod every_word;
mod exact;
mod family;
mod oracle;
mod parallel;
mod prove;
mod report;
mod run;

pub use case::{Case, Reference};
pub use compare::Distance;
pub use diagnose::diagnose;
pub use error::Error;
pub use family::{
    Depth, Progress, Settings, TOLERANCE, compare, compare_subject, form, stage_name, verify, verify_case,
};
pub use prove::stale;
pub use report::{
    CaseReport, Divergence, Failure, FamilyReport, Fault, Greedy, Outcome, Parameters, Proof, ProofReport,
    TapReport,
};
pub use run::{Course, Decoding, Meddle, Run, Shown, Subject, continued, decode, run};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
