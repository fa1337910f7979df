//! The door: the prompt first, then what is decoded from it.

use super::decode;
use super::evidence::{Evidence, Parties};
use crate::error::Error;
use crate::locating::{Track, Until};
use crate::oracle::{Bank, Oracle, Sight};
use crate::running::{Case, Course, Subject, run};
use crate::told::{CaseReport, Divergence, TOLERANCE};

/// Locates the first difference of a case that did not pass, and looks for its cause.
///
/// # Errors
/// The model refuses the prompt.
pub fn diagnose(subject: Subject<'_>, case: &Case, report: &CaseReport) -> Result<Divergence, Error> {
    let bank = Bank::read(&case.checkpoint)?;
    let oracle = Oracle::new(subject.model.architecture(), &bank)?;
    let parties = Parties { subject, case, oracle: &oracle, bank: &bank };
    if report.prompt_differs() {
        return prompt(parties);
    }
    if report.decoding_differs() {
        return decode::cached(parties, report);
    }
    match report.greedy_nocache {
        Some(anew) if anew.matched < anew.of => decode::anew(parties, anew.matched),
        Some(_) | None => prompt(parties),
    }
}

/// The prompt in one call: every stage from the reference's own input to it.
fn prompt(parties: Parties<'_>) -> Result<Divergence, Error> {
    let Parties { subject, case, oracle, .. } = parties;
    let ids = &case.reference.input_ids;
    let sight = Sight::whole(ids.len());
    let forced = run(subject, case, Course::Forced)?;
    let ours = Track::of(&forced);
    let theirs = Track::reference(&case.reference);
    let scene = Evidence {
        parties,
        ids,
        code: ours.faults(oracle, ids, &sight, TOLERANCE, Until::End)?,
        reference: theirs.faults(oracle, ids, &sight, TOLERANCE, Until::End)?,
    };
    scene.judge(
        &|oracle, tolerance, until| ours.faults(oracle, ids, &sight, tolerance, until),
        &|oracle, tolerance, until| theirs.faults(oracle, ids, &sight, tolerance, until),
    )
}
