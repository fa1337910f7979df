//! A model held to a case: taps, logits and greedy tokens.

use camelid_families::{Model, Tap};
use ndarray::ArrayView2;

use super::case::Case;
use super::exact::settle;
use super::run::{Course, Decoding, Subject, arg_max, continued, run};
use crate::error::Error;
use crate::told::{CaseReport, Distance, Greedy, NOISE, TOLERANCE, TapReport, stage_name};

/// Holds a model to a case: taps, logits and greedy tokens.
///
/// # Errors
/// The model refuses the prompt, or shapes differ.
pub fn compare(model: &Model, case: &Case) -> Result<CaseReport, Error> {
    compare_subject(Subject::new(model), case)
}

/// The same of a model that may have a fault put into it.
///
/// # Errors
/// As [`compare`].
pub fn compare_subject(subject: Subject<'_>, case: &Case) -> Result<CaseReport, Error> {
    let mut report = compare_prompt(subject, case)?;
    let reference = &case.reference;
    let decoded = continued(subject, &reference.input_ids, &reference.greedy_ids, Decoding::Cached)?;
    report.greedy = matched(decoded.view(), &reference.greedy_ids);
    let theirs = reference.greedy_logits.as_ref().filter(|theirs| theirs.dim() == decoded.dim());
    report.greedy_error = theirs.map(|theirs| Distance::between(decoded.view(), theirs.view()).relative);
    if let Some(ids) = &reference.greedy_ids_nocache {
        let anew = continued(subject, &reference.input_ids, ids, Decoding::Anew)?;
        report.greedy_nocache = Some(matched(anew.view(), ids));
    }
    let whole = |greedy: &Greedy| greedy.matched == greedy.of;
    report.passed =
        !report.prompt_differs() && !report.decoding_differs() && report.greedy_nocache.iter().all(whole);
    Ok(report)
}

/// The prompt alone, in one call; no token is decoded yet.
pub(crate) fn compare_prompt(subject: Subject<'_>, case: &Case) -> Result<CaseReport, Error> {
    let reference = &case.reference;
    let free = run(subject, case, Course::Free)?;
    let logits = Distance::between(free.logits.view(), reference.logits.view());
    let exact = reference.logits_f64.as_ref();
    let ours = exact.map(|exact| Distance::between(free.logits.view(), exact.view()).relative);
    let theirs = exact.map(|exact| Distance::between(reference.logits.view(), exact.view()).relative);
    let mut taps: Vec<(Tap, TapReport)> =
        free.distances(case)?.into_iter().map(|(tap, distance)| (tap, tap_report(tap, distance))).collect();
    if taps.iter().any(|(_, report)| !report.equal()) {
        settle(subject.model.architecture(), case, &free, &mut taps)?;
    }
    Ok(CaseReport {
        name: case.name.clone(),
        passed: false,
        form: String::new(),
        matches: Vec::new(),
        taps: taps.into_iter().map(|(_, report)| report).collect(),
        logits,
        greedy: Greedy { matched: 0, of: reference.greedy_ids.len() },
        greedy_error: None,
        greedy_nocache: None,
        error_vs_f64: ours,
        reference_error_vs_f64: theirs,
        tolerance: theirs
            .filter(|theirs| *theirs <= NOISE)
            .map_or(TOLERANCE, |theirs| TOLERANCE.max(2.0 * theirs)),
        first_divergence: None,
    })
}

fn tap_report(tap: Tap, distance: Distance) -> TapReport {
    TapReport {
        stage: stage_name(tap.stage).to_owned(),
        layer: tap.layer,
        distance,
        error_vs_f64: None,
        reference_error_vs_f64: None,
    }
}

/// How many tokens of a continuation, from the first, are those that ours would choose.
fn matched(logits: ArrayView2<'_, f32>, theirs: &[u32]) -> Greedy {
    let chosen = logits.outer_iter().map(arg_max).zip(theirs);
    let matched = chosen.take_while(|(ours, theirs)| ours == *theirs).count();
    Greedy { matched, of: theirs.len() }
}
