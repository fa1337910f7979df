//! Taps of a case whose reference is noisier than the tolerance: judged against the same network in f64.
//!
//! A case has its logits in f64, not its taps. Where the second implementation reproduces those logits, it also knows what
//! the taps are without rounding, and so how much of a difference is the reference's own.

use camelid_families::{Architecture, Tap};
use ndarray::Array2;

use super::case::Case;
use super::run::Run;
use crate::error::Error;
use crate::oracle::{Bank, Halt, Oracle, Sight};
use crate::told::{Distance, TapReport};

/// How close the second implementation must come to the reference's own f64 logits to be believed.
const REPRODUCED: f64 = 1e-9;

/// Says of each tap that is out of tolerance how far ours and the reference's f32 value are from the value in f64.
pub(crate) fn settle(
    architecture: &Architecture,
    case: &Case,
    run: &Run,
    taps: &mut [(Tap, TapReport)],
) -> Result<(), Error> {
    let Some(exact) = &case.reference.logits_f64 else { return Ok(()) };
    let mut values: Vec<(Tap, Array2<f64>)> = Vec::new();
    let mut keep = |tap: Tap, value: Array2<f64>| {
        if case.reference.tap(tap).is_some() {
            values.push((tap, value.clone()));
        }
        Ok(value)
    };
    let ids = &case.reference.input_ids;
    let bank = Bank::read(&case.checkpoint)?;
    let oracle = Oracle::new(architecture, &bank)?;
    let logits = match oracle.run(ids, &Sight::whole(ids.len()), &mut keep) {
        Ok(logits) => logits,
        Err(Halt::Enough) => return Ok(()),
        Err(Halt::Wrong(error)) => return Err(error),
    };
    if logits.dim() != exact.dim() || Distance::between(logits.view(), exact.view()).relative > REPRODUCED {
        return Ok(());
    }
    for (tap, report) in taps.iter_mut().filter(|(_, report)| !report.equal()) {
        let known = values.iter().find(|(known, _)| known == tap).map(|(_, value)| value);
        let (Some(value), Some(ours), Some(theirs)) = (known, run.value(*tap), case.reference.tap(*tap))
        else {
            continue;
        };
        report.error_vs_f64 = Some(Distance::between(ours.view(), value.view()).relative);
        report.reference_error_vs_f64 = Some(Distance::between(theirs.view(), value.view()).relative);
    }
    Ok(())
}
