//! Where a run first leaves the reference, whose fault it is, and which known mistake explains it.
//!
//! Three computations are held against one another, stage by stage and each from the same input: the reference's, ours, and
//! that of the [oracle](crate::oracle), which shares no code with ours. Where ours alone is out, the code of a component is
//! wrong; where the reference alone is out, the declaration (or the checkpoint's layout) does not say what it computes.

mod cause;
mod code;
mod decode;
mod edits;
mod from_config;
mod mistakes;
mod words;

use camelid_families::{Allow, Architecture, Backend, Model};

use crate::case::Case;
use crate::error::Error;
use crate::family::{TOLERANCE, compare_subject};
use crate::oracle::{Bank, Oracle, Quirk, Sight};
use crate::report::{CaseReport, Divergence, Fault as Whose};
use crate::run::{Course, Subject, run};

use cause::{Explanation, Riddle};
use code::{Fault, Track, Until, components};
pub(crate) use mistakes::ACTIVATIONS;
use words::Located;

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

/// Whose computations are held against one another, and over what.
#[derive(Clone, Copy)]
struct Parties<'a> {
    subject: Subject<'a>,
    /// The reference's.
    case: &'a Case,
    oracle: &'a Oracle<'a>,
    bank: &'a Bank,
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

/// What the three computations say of one text.
struct Evidence<'a> {
    parties: Parties<'a>,
    ids: &'a [u32],
    /// Where ours is not the oracle's.
    code: Vec<Fault>,
    /// Where the reference is not the oracle's.
    reference: Vec<Fault>,
}

impl Evidence<'_> {
    /// Says whose fault it is, and explains it.
    fn judge(&self, ours: cause::Judge<'_>, theirs: cause::Judge<'_>) -> Result<Divergence, Error> {
        match (self.code.first(), self.reference.first()) {
            (None, None) => self.rounding(),
            (Some(code), None) => {
                let as_if = self.riddle(ours).explain()?;
                Ok(self.code_fault(code, &as_if))
            }
            (None, Some(reference)) => {
                let causes = self.riddle(theirs).explain()?;
                Ok(self.declaration(reference, &causes))
            }
            (Some(code), Some(reference)) => {
                let (as_if, causes) = (self.riddle(ours).explain()?, self.riddle(theirs).explain()?);
                Ok(self.both(self.code_fault(code, &as_if), self.declaration(reference, &causes)))
            }
        }
    }

    fn riddle<'r>(&'r self, judge: cause::Judge<'r>) -> Riddle<'r> {
        Riddle {
            declared: self.parties.subject.model.architecture(),
            config: &self.parties.case.config,
            bank: self.parties.bank,
            ids: self.ids,
            judge,
            tolerance: TOLERANCE,
        }
    }

    /// Ours alone is out: a component's code.
    fn code_fault(&self, fault: &Fault, as_if: &Explanation) -> Divergence {
        let (crates, what) = components(fault, self.parties.oracle, TOLERANCE);
        let spread = fault.spread(self.parties.oracle, TOLERANCE);
        let mut text = format!(
            "the code of crate `{}` ({what}), not the declaration: from the same input an independent computation of it \
             gives another {}, {}",
            crates[0],
            words::stage(fault.tap),
            spread.words(),
        );
        if let Some(factor) = fault.factor(TOLERANCE) {
            text.push_str(&format!("; ours is {} × what it should be", words::number(factor)));
        }
        let whole = as_if.left.is_empty() && !as_if.changes.is_empty();
        if whole {
            text.push_str(&format!("; ours computes as if {}", words::all(as_if, "were")));
        }
        let located = Located { fault: Some(fault), spread: Some(spread) };
        let told = located.divergence(Whose::Code, crates, text, whole.then_some(as_if));
        Divergence { tried: as_if.tried, ..told }
    }

    /// The reference alone is out: the declaration says something else.
    fn declaration(&self, fault: &Fault, causes: &Explanation) -> Divergence {
        let text = if causes.changes.is_empty() {
            let factor = fault
                .factor(TOLERANCE)
                .map(|c| format!("; ours is {} × the reference's throughout", words::number(1.0 / c)));
            format!(
                "the declaration does not say what the reference computes (an independent computation of it agrees with \
                 ours), and none of the {} changes tried explains it{}",
                causes.tried,
                factor.unwrap_or_default()
            )
        } else {
            let left =
                causes.left.first().map(|left| format!("; then {} still differs", words::place(left.tap)));
            let agrees = match (&left, self.confirmed(causes)) {
                (Some(left), _) => left.clone(),
                (None, true) => "; with that the whole case agrees".to_owned(),
                (None, false) => "; with that every stage agrees".to_owned(),
            };
            format!("the declaration: the reference computes as if {}{agrees}", words::all(causes, "were"))
        };
        let mut spread = fault.spread(self.parties.oracle, TOLERANCE);
        spread.heads = spread.heads.or_else(|| self.heads(fault, causes));
        Located { fault: Some(fault), spread: Some(spread) }.divergence(
            Whose::Declaration,
            Vec::new(),
            text,
            Some(causes),
        )
    }

    /// Which heads a change moves in the layer of a fault.
    fn heads(&self, fault: &Fault, causes: &Explanation) -> Option<(Vec<usize>, usize)> {
        let layer = fault.tap?.layer?;
        let tap = camelid_families::Tap { layer: Some(layer), stage: camelid_families::Stage::Heads };
        let change = causes.changes.first()?;
        let repaired = Oracle::with(&change.architecture, self.parties.bank, change.quirk).ok()?;
        let theirs = Track::reference(&self.parties.case.reference);
        let sight = Sight::whole(self.parties.case.reference.input_ids.len());
        let value =
            |oracle: &Oracle<'_>| theirs.at(oracle, &self.parties.case.reference.input_ids, &sight, tap);
        let (before, after) = (value(self.parties.oracle)?, value(&repaired)?);
        if before.dim() != after.dim() {
            return None;
        }
        let spread = crate::compare::Spread::of_heads(
            before.view(),
            after.view(),
            TOLERANCE,
            self.parties.oracle.heads(tap)?,
        );
        spread.heads.filter(|(which, _)| !which.is_empty())
    }

    /// Whether our own composition passes the case with the changes.
    fn confirmed(&self, causes: &Explanation) -> bool {
        let Some(last) = causes.changes.last().filter(|last| last.quirk == Quirk::None) else { return false };
        let Some(model) = loaded(&last.architecture, self.parties.case, self.parties.subject.model.backend())
        else {
            return false;
        };
        compare_subject(Subject::new(&model), self.parties.case).is_ok_and(|report| report.passed)
    }

    fn both(&self, code: Divergence, declaration: Divergence) -> Divergence {
        let text = format!("two faults. First: {}. Second: {}", code.likely_cause, declaration.likely_cause);
        let tried = code.tried + declaration.tried;
        Divergence { likely_cause: text, causes: declaration.causes, fault: Whose::Both, tried, ..code }
    }

    /// No stage is out by itself.
    fn rounding(&self) -> Result<Divergence, Error> {
        let free = run(self.parties.subject, self.parties.case, Course::Free)?;
        let distances = free.distances(self.parties.case)?;
        let first = distances.iter().find(|(_, distance)| distance.relative > TOLERANCE);
        let text = "rounding: ours, the reference and an independent computation agree at every stage from the same input; \
                    only what has added up over the stages is out of tolerance";
        let mut out =
            Located { fault: None, spread: None }.divergence(Whose::Rounding, Vec::new(), text.into(), None);
        if let Some((tap, distance)) = first {
            (out.layer, out.stage) = (tap.layer, crate::family::stage_name(tap.stage).to_owned());
            out.relative = Some(distance.relative);
        }
        Ok(out)
    }
}

/// The model of a changed architecture over a case's checkpoint; tensors that are left over are waved through.
pub(crate) fn loaded(architecture: &Architecture, case: &Case, backend: &Backend) -> Option<Model> {
    let surplus =
        Allow { tensors: case.checkpoint.tensors().map(|t| t.name().to_owned()).collect(), keys: Vec::new() };
    Model::load(architecture.clone(), &case.checkpoint, backend.clone(), &surplus.tensors, &mut |_, _| {})
        .ok()
}
