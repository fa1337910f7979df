//! What is told of a comparison: distances, the names of stages, and the report.

mod distance;
mod report;
mod stages;

pub use distance::Distance;
<<<<<<< HEAD
pub(crate) use distance::{Spread, factor};
pub(crate) use report::NOISE;
=======
pub(crate) use distance::{NOISE, Spread, factor};
>>>>>>> main
pub use report::{
    CaseReport, Divergence, Failure, FamilyReport, Fault, Greedy, Outcome, Parameters, Proof, ProofReport,
    TapReport,
};
pub(crate) use stages::DECODED;
pub use stages::{TOLERANCE, stage_name};
