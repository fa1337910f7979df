//! Where a run first differs from the reference, and which known mistake explains it.

use camelid_families::Model;

use crate::case::Case;
use crate::error::Error;
use crate::family::{TOLERANCE, stage_name};
use crate::report::Divergence;
use crate::run::{Course, run};

/// Re-runs every stage from the reference's own input to it: the first that differs even so is where the fault is.
pub(crate) fn diagnose(model: &Model, case: &Case) -> Result<Divergence, Error> {
    let forced = run(model, case, Course::Forced)?;
    let first = forced.taps.iter().find(|(_, distance)| distance.relative > TOLERANCE);
    let (layer, stage) = match first {
        Some((tap, _)) => (tap.layer, stage_name(tap.stage).to_owned()),
        None => (None, "logits".to_owned()),
    };
    Ok(Divergence { layer, stage, likely_cause: "no known mistake explains it".into() })
}
