//! The prompt agrees and what is decoded from it does not: the cache, or what is counted from call to call.

use camelid_families::Tap;
use ndarray::{Array2, Axis, Slice};

use super::code::{Fault, Track, rank};
use super::{Evidence, cause};
use crate::case::Case;
use crate::compare::Distance;
use crate::error::Error;
use crate::family::{DECODED, TOLERANCE};
use crate::oracle::{Oracle, Sight};
use crate::report::{CaseReport, Divergence};
use crate::run::{Run, Subject, arg_max, decode};

/// What is decoded over the cache differs.
pub(crate) fn cached(
    subject: Subject<'_>,
    case: &Case,
    oracle: &Oracle<'_>,
    report: &CaseReport,
) -> Result<Divergence, Error> {
    let reference = &case.reference;
    let limit = DECODED * report.tolerance;
    let prompt = reference.input_ids.len();
    let text =
        [&reference.input_ids[..], &reference.greedy_ids[..reference.greedy_ids.len().saturating_sub(1)]]
            .concat();
    let sight = Sight::decoding(prompt, text.len());
    let ours = Track::of(&decode(subject, &text, prompt)?);
    let theirs = |oracle: &Oracle<'_>, tolerance: f64| {
        let logits = oracle.run(&text, &sight, &mut |_: Tap, value| value)?;
        let rows = logits.slice_axis(Axis(0), Slice::from(prompt - 1..)).to_owned();
        continued(oracle, case, &rows, [tolerance, limit])
    };
    let by_step = |oracle: &Oracle<'_>, tolerance: f64| {
        let mut faults = ours.faults(oracle, &text, &sight, tolerance)?;
        faults.sort_by_key(|fault| (fault.first_token(tolerance), rank(fault.tap)));
        Ok(faults)
    };
    let scene = Evidence {
        subject,
        case,
        oracle,
        ids: &text,
        code: by_step(oracle, TOLERANCE)?,
        reference: theirs(oracle, TOLERANCE)?,
    };
    let found = scene.judge(&by_step, &theirs)?;
    let step =
        found.first_token.filter(|_| !scene.code.is_empty()).map(|token| (token + 1).saturating_sub(prompt));
    let whole = one_call(subject, &text)?;
    let one_call_agrees =
        Track::of(&whole).faults(oracle, &text, &Sight::whole(text.len()), TOLERANCE)?.is_empty();
    Ok(told(
        found,
        "decode",
        step.unwrap_or(report.greedy.matched),
        one_call_agrees && !scene.code.is_empty(),
    ))
}

/// What is computed anew for each token differs at the step `matched`.
pub(crate) fn anew(
    subject: Subject<'_>,
    case: &Case,
    oracle: &Oracle<'_>,
    matched: usize,
) -> Result<Divergence, Error> {
    let reference = &case.reference;
    let ids = reference.greedy_ids_nocache.as_deref().unwrap_or_default();
    let text = [&reference.input_ids[..], &ids[..matched]].concat();
    let sight = Sight::whole(text.len());
    let ours = Track::of(&one_call(subject, &text)?);
    let theirs = |oracle: &Oracle<'_>, tolerance: f64| {
        let logits = oracle.run(&text, &sight, &mut |_: Tap, value| value)?;
        let mut faults = Track::reference(reference).faults(
            oracle,
            &reference.input_ids,
            &Sight::whole(reference.input_ids.len()),
            tolerance.max(TOLERANCE),
        )?;
        if arg_max(logits.row(text.len() - 1)) != ids[matched] {
            faults.push(token_fault(&logits));
        }
        Ok(faults)
    };
    let code = |oracle: &Oracle<'_>, tolerance: f64| ours.faults(oracle, &text, &sight, tolerance);
    let judges: [cause::Judge<'_>; 2] = [&code, &theirs];
    let scene = Evidence {
        subject,
        case,
        oracle,
        ids: &text,
        code: code(oracle, TOLERANCE)?,
        reference: theirs(oracle, TOLERANCE)?,
    };
    let found = scene.judge(judges[0], judges[1])?;
    Ok(told(found, "decode anew", matched, false))
}

/// What the reference decodes: its logits where the case has them, else the tokens that are chosen from ours.
fn continued(
    oracle: &Oracle<'_>,
    case: &Case,
    rows: &Array2<f64>,
    [tolerance, limit]: [f64; 2],
) -> Result<Vec<Fault>, Error> {
    let reference = &case.reference;
    let prompt = &reference.input_ids;
    let mut faults = Track::reference(reference).faults(
        oracle,
        prompt,
        &Sight::whole(prompt.len()),
        tolerance.max(TOLERANCE),
    )?;
    let chosen = (0..rows.nrows()).all(|step| arg_max(rows.row(step)) == reference.greedy_ids[step]);
    match reference.greedy_logits.as_ref().filter(|theirs| theirs.dim() == rows.dim()) {
        Some(theirs) => {
            let distance = Distance::between(rows.view(), theirs.view());
            if distance.relative > limit {
                faults.push(Fault { tap: None, distance, value: theirs.clone(), oracle: rows.clone() });
            }
        }
        None if !chosen => faults.push(token_fault(rows)),
        None => {}
    }
    Ok(faults)
}

/// Another token: as far as can be.
fn token_fault(logits: &Array2<f64>) -> Fault {
    let distance = Distance { max_abs: 1.0, relative: 1.0 };
    Fault { tap: None, distance, value: Array2::zeros(logits.dim()), oracle: logits.clone() }
}

fn one_call(subject: Subject<'_>, text: &[u32]) -> Result<Run, Error> {
    decode(subject, text, text.len())
}

fn told(mut found: Divergence, stage: &str, step: usize, one_call_agrees: bool) -> Divergence {
    found.within = Some(std::mem::replace(&mut found.stage, stage.to_owned()));
    found.step = Some(step);
    if one_call_agrees {
        found.likely_cause.push_str(
            "; the same tokens in one call agree, so it is the cache, or what is counted from call to call",
        );
    }
    found
}
