//! What the three computations say of one text: whose fault a difference is, and what explains it.

use camelid_families::{Stage, Tap};

use super::cause::{self, Explanation, Riddle};
use super::words::{self, Located};
use crate::error::Error;
use crate::locating::{Fault, Track, components};
use crate::oracle::{Bank, Oracle, Quirk, Sight};
use crate::running::{Case, Course, Subject, compare_subject, loaded, run};
use crate::told::{Divergence, Fault as Whose, Spread, TOLERANCE, stage_name};

/// Whose computations are held against one another, and over what.
#[derive(Clone, Copy)]
pub(super) struct Parties<'a> {
    pub(super) subject: Subject<'a>,
    /// The reference's.
    pub(super) case: &'a Case,
    pub(super) oracle: &'a Oracle<'a>,
    pub(super) bank: &'a Bank,
}

/// What the three computations say of one text.
pub(super) struct Evidence<'a> {
    pub(super) parties: Parties<'a>,
    pub(super) ids: &'a [u32],
    /// Where ours is not the oracle's.
    pub(super) code: Vec<Fault>,
    /// Where the reference is not the oracle's.
    pub(super) reference: Vec<Fault>,
}

impl Evidence<'_> {
    /// Says whose fault it is, and explains it.
    pub(super) fn judge(
        &self,
        ours: cause::Judge<'_>,
        theirs: cause::Judge<'_>,
    ) -> Result<Divergence, Error> {
        match (self.code.first(), self.reference.first()) {
            (None, None) => self.rounding(),
            (None, Some(reference)) if !reference.is_finite() => Ok(self.not_finite(reference)),
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
        let (mut crates, what) = components(fault, self.parties.oracle, TOLERANCE);
        let whole = as_if.left.is_empty() && !as_if.changes.is_empty();
        if whole && as_if.changes.iter().any(|change| change.word == "tensors") {
            crates.sort_by_key(|name| *name != "families");
        }
        let spread = fault.spread(self.parties.oracle, TOLERANCE);
        let mut text = format!(
            "the code of {} ({what}), not the declaration: an independent computation of the declaration agrees with the \
             reference, and from the same input it differs from ours at {}, {}",
            words::either(&crates),
            words::place(fault.tap),
            spread.words(),
        );
        if let Some(factor) = fault.factor(TOLERANCE) {
            text.push_str(&format!("; ours is {} × what it should be", words::number(factor)));
        }
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

    /// The reference overflows, or divides by zero, where the inputs are finite: no declaration computes that.
    fn not_finite(&self, fault: &Fault) -> Divergence {
        let spread = fault.spread_of_infinite(self.parties.oracle);
        let text = format!(
            "the reference holds numbers that are not finite, first at {}, {}, and what goes in there is finite: no change of \
             the declaration computes such numbers, so none was tried",
            words::place(fault.tap),
            spread.words()
        );
        let located = Located { fault: Some(fault), spread: Some(spread) };
        located.divergence(Whose::Declaration, Vec::new(), text, None)
    }

    /// Which heads a change moves in the layer of a fault.
    fn heads(&self, fault: &Fault, causes: &Explanation) -> Option<(Vec<usize>, usize)> {
        let layer = fault.tap?.layer?;
        let tap = Tap { layer: Some(layer), stage: Stage::Heads };
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
        let spread =
            Spread::of_heads(before.view(), after.view(), TOLERANCE, self.parties.oracle.heads(tap)?);
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
            (out.layer, out.stage) = (tap.layer, stage_name(tap.stage).to_owned());
            out.relative = Some(distance.relative);
        }
        Ok(out)
    }
}
