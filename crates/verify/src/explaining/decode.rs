//! The prompt agrees and what is decoded from it does not: the cache, or what is counted from call to call.

use camelid_families::Tap;
use ndarray::{Array2, Axis, Slice};

use super::cause;
use super::evidence::{Evidence, Parties};
use crate::error::Error;
use crate::locating::{Fault, Track, Until};
use crate::oracle::{Halt, Oracle, Sight};
use crate::running::{Case, Run, Subject, arg_max, decode};
use crate::told::{CaseReport, DECODED, Distance, Divergence, TOLERANCE};

/// What is decoded over the cache differs.
pub(super) fn cached(parties: Parties<'_>, report: &CaseReport) -> Result<Divergence, Error> {
    let Parties { subject, case, oracle, .. } = parties;
    let reference = &case.reference;
    let limit = DECODED * report.tolerance;
    let prompt = reference.input_ids.len();
    let text =
        [&reference.input_ids[..], &reference.greedy_ids[..reference.greedy_ids.len().saturating_sub(1)]]
            .concat();
    let sight = Sight::decoding(prompt, text.len());
    let ours = Track::of(&decode(subject, &text, prompt)?);
    let theirs = |oracle: &Oracle<'_>, tolerance: f64, until: Until| {
        let mut faults = prompt_faults(oracle, case, tolerance, until)?;
        if until == Until::FirstFault && !faults.is_empty() {
            return Ok(faults);
        }
        let logits = logits(oracle, &text, &sight)?;
        faults.extend(continued(
            case,
            &logits.slice_axis(Axis(0), Slice::from(prompt - 1..)).to_owned(),
            limit,
        ));
        Ok(faults)
    };
    let by_step = |oracle: &Oracle<'_>, tolerance: f64, until: Until| {
        let mut faults = ours.faults(oracle, &text, &sight, tolerance, until)?;
        faults.iter_mut().for_each(|fault| fault.decoded = true);
        faults.sort_by_key(Fault::key);
        Ok::<_, Error>(faults)
    };
    let scene = Evidence {
        parties,
        ids: &text,
        code: by_step(oracle, TOLERANCE, Until::End)?,
        reference: theirs(oracle, TOLERANCE, Until::End)?,
    };
    let found = scene.judge(&by_step, &theirs)?;
    let step =
        found.first_token.filter(|_| !scene.code.is_empty()).map(|token| (token + 1).saturating_sub(prompt));
    let whole = one_call(subject, &text)?;
    let one_call_agrees =
        Track::of(&whole).faults(oracle, &text, &Sight::whole(text.len()), TOLERANCE, Until::End)?.is_empty();
    Ok(told(
        found,
        "decode",
        step.unwrap_or(report.greedy.matched),
        one_call_agrees && !scene.code.is_empty(),
    ))
}

/// What is computed anew for each token differs at the step `matched`.
pub(super) fn anew(parties: Parties<'_>, matched: usize) -> Result<Divergence, Error> {
    let Parties { subject, case, oracle, .. } = parties;
    let reference = &case.reference;
    let ids = reference.greedy_ids_nocache.as_deref().unwrap_or_default();
    let text = [&reference.input_ids[..], &ids[..matched]].concat();
    let sight = Sight::whole(text.len());
    let ours = Track::of(&one_call(subject, &text)?);
    let theirs = |oracle: &Oracle<'_>, tolerance: f64, until: Until| {
        let mut faults = prompt_faults(oracle, case, tolerance, until)?;
        let logits = logits(oracle, &text, &sight)?;
        if arg_max(logits.row(text.len() - 1)) != ids[matched] {
            faults.push(token_fault(&logits));
        }
        Ok(faults)
    };
    let code = |oracle: &Oracle<'_>, tolerance: f64, until: Until| {
        ours.faults(oracle, &text, &sight, tolerance, until)
    };
    let judges: [cause::Judge<'_>; 2] = [&code, &theirs];
    let scene = Evidence {
        parties,
        ids: &text,
        code: code(oracle, TOLERANCE, Until::End)?,
        reference: theirs(oracle, TOLERANCE, Until::End)?,
    };
    let found = scene.judge(judges[0], judges[1])?;
    Ok(told(found, "decode anew", matched, false))
}

/// What differs in the prompt, one stage after the other.
fn prompt_faults(
    oracle: &Oracle<'_>,
    case: &Case,
    tolerance: f64,
    until: Until,
) -> Result<Vec<Fault>, Error> {
    let prompt = &case.reference.input_ids;
    let sight = Sight::whole(prompt.len());
    Track::reference(&case.reference).faults(oracle, prompt, &sight, tolerance.max(TOLERANCE), until)
}

fn logits(oracle: &Oracle<'_>, text: &[u32], sight: &Sight) -> Result<Array2<f64>, Error> {
    oracle.run(text, sight, &mut |_: Tap, value| Ok(value)).map_err(|halt| match halt {
        Halt::Wrong(error) => error,
        Halt::Enough => Error::Oracle("it was broken off".into()),
    })
}

/// What the reference decodes: its logits where the case has them, else the tokens that are chosen from the oracle's.
fn continued(case: &Case, rows: &Array2<f64>, limit: f64) -> Option<Fault> {
    let reference = &case.reference;
    match &reference.greedy_logits {
        Some(theirs) if theirs.dim() == rows.dim() => Fault::between(None, theirs, rows, limit),
        Some(_) | None => {
            let chosen = (0..rows.nrows()).all(|step| arg_max(rows.row(step)) == reference.greedy_ids[step]);
            (!chosen).then(|| token_fault(rows))
        }
    }
}

/// Another token: as far as can be.
fn token_fault(logits: &Array2<f64>) -> Fault {
    Fault {
        tap: None,
        distance: Distance { max_abs: 1.0, relative: 1.0 },
        token: 0,
        decoded: false,
        value: Array2::zeros(logits.dim()),
        oracle: logits.clone(),
    }
}

fn one_call(subject: Subject<'_>, text: &[u32]) -> Result<Run, Error> {
    decode(subject, text, text.len())
}

fn told(mut found: Divergence, stage: &str, step: usize, one_call_agrees: bool) -> Divergence {
    found.within = Some(std::mem::replace(&mut found.stage, stage.to_owned()));
    found.step = Some(step);
    if one_call_agrees {
        if !found.components.contains(&"families") {
            found.components.push("families");
        }
        found.likely_cause.push_str(
            "; the same tokens in one call agree, so it is the cache, or what `families` counts from call to call",
        );
    }
    found
}
