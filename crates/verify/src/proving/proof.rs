//! Every change of every word, put to the cases in turn until one fails for it.

use std::sync::atomic::{AtomicUsize, Ordering};

use camelid_families::{Architecture, Declaration, Library};
use indexmap::IndexMap;

use super::kinds::Mutation;
use super::mutations::{expected, mutations};
use super::{known, vectors};
use crate::changes::{Editor, short};
use crate::error::Error;
use crate::parallel;
use crate::running::{Case, Progress, Settings, Subject, compare_subject, form, loaded};
use crate::told::{CaseReport, Outcome, Proof, ProofReport, TapReport};

/// One case with the architecture it resolves to, and how near that comes.
struct Exhibit<'a> {
    case: &'a Case,
    architecture: Architecture,
    sound: CaseReport,
}

/// A change of one word, under the same name in every case that has it: `None` where it can't be made.
struct Question {
    word: String,
    name: String,
    /// Case → what the word is changed to there, in the order to be tried; the first that loads counts.
    tries: Vec<(usize, Vec<Mutation>)>,
}

/// Changes every word of a family's declaration in turn, on cases that pass.
pub(crate) fn prove(
    library: &Library,
    family: &Declaration,
    cases: &[Case],
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<ProofReport, Error> {
    let mut exhibits = Vec::new();
    for case in cases {
        let form = form(library, family, case);
        let architecture = form.architecture(&case.config, &case.checkpoint, &settings.allow)?;
        let model = loaded(&architecture, case, &settings.backend);
        let model = model.ok_or_else(|| Error::Case {
            path: case.checkpoint.path().to_owned(),
            message: "it can't be loaded as it is, so no change of it can be told".into(),
        })?;
        let sound = compare_subject(Subject::new(&model), case)?;
        exhibits.push(Exhibit { case, architecture, sound });
    }
    let questions = questions(&exhibits);
    let done = AtomicUsize::new(0);
    let proofs = parallel::map(&questions, settings.threads, |question| {
        let proof = answer(question, &exhibits, settings);
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        progress(count, questions.len(), &format!("{}: {}", question.word, question.name));
        proof
    });
    Ok(ProofReport::of(proofs))
}

/// A case, by its index, and what one change of a word may be there.
type Tried = (usize, Vec<Mutation>);

/// Every word of every case, with every change of it.
fn questions(exhibits: &[Exhibit<'_>]) -> Vec<Question> {
    let mut changed: IndexMap<String, bool> = IndexMap::new();
    let mut found: IndexMap<(String, String), Vec<Tried>> = IndexMap::new();
    for (index, exhibit) in exhibits.iter().enumerate() {
        let editor = Editor::new(&exhibit.architecture);
        for word in editor.fields().keys() {
            let changes = mutations(&editor, word, &exhibit.case.reference.input_ids);
            *changed.entry(word.clone()).or_default() |= !changes.is_empty();
            for (name, tries) in changes {
                found.entry((word.clone(), name)).or_default().push((index, tries));
            }
        }
    }
    let none = changed.into_iter().filter(|(_, any)| !any);
    let none = none.map(|(word, _)| Question {
        word,
        name: "nothing else is defined here".into(),
        tries: Vec::new(),
    });
    let some = found.into_iter().map(|((word, name), tries)| Question { word, name, tries });
    some.chain(none).collect()
}

/// Runs the cases until one fails for the change, at the component that was changed.
fn answer(question: &Question, exhibits: &[Exhibit<'_>], settings: &Settings) -> Proof {
    let mut proof = Proof {
        word: question.word.clone(),
        change: question.name.clone(),
        detail: None,
        outcome: Outcome::Refused,
        case: None,
        layer: None,
        stage: None,
        reason: None,
    };
    let mut loads = Vec::new();
    for (index, tries) in &question.tries {
        let exhibit = &exhibits[*index];
        let ran = tries.iter().find_map(|mutation| {
            let model = loaded(&mutation.architecture, exhibit.case, &settings.backend)?;
            Some((mutation, compare_subject(Subject::new(&model), exhibit.case).ok()?))
        });
        let Some((mutation, report)) = ran else { continue };
        loads.push((exhibit, mutation));
        if report.passed {
            continue;
        }
        (proof.layer, proof.stage) = first_difference(&report, &exhibit.sound);
        proof.case = Some(exhibit.case.name.clone());
        proof.detail = Some(detail(&question.word, exhibit, mutation));
        let stage = proof.stage.as_deref().unwrap_or_default();
        proof.outcome = if expected(&question.word, &mutation.also).contains(&stage) {
            Outcome::Differs
        } else {
            Outcome::Misplaced
        };
        if proof.outcome == Outcome::Differs {
            return proof;
        }
    }
    if let (Some((exhibit, mutation)), None) = (loads.first(), &proof.case) {
        proof.outcome = Outcome::Unproved;
        proof.detail = Some(detail(&question.word, exhibit, mutation));
        if let Some(vector) = vectors::proves(&question.word, &question.name) {
            proof.outcome = Outcome::Differs;
            (proof.case, proof.stage) = (Some(vector.name.into()), Some(vector.stage().into()));
        } else {
            let editors: Vec<_> =
                loads.iter().map(|(exhibit, _)| Editor::new(&exhibit.architecture)).collect();
            proof.reason = known::reason(&question.word, &question.name, &editors);
        }
    }
    proof
}

/// `12 → 13`: the word's value before and after.
fn detail(word: &str, exhibit: &Exhibit<'_>, mutation: &Mutation) -> String {
    let (before, after) = (exhibit.architecture.fields(), mutation.architecture.fields());
    let value = |fields: &camelid_families::Fields| fields.get(word).map_or_else(|| "none".to_owned(), short);
    format!("{} → {}", value(&before), value(&after))
}

/// The first tap that is out of tolerance, and by more than rounding puts it there without any change; else the logits; else
/// what is decoded.
fn first_difference(report: &CaseReport, sound: &CaseReport) -> (Option<usize>, Option<String>) {
    let rounding = |tap: &TapReport| {
        let own = sound.taps.iter().find(|own| own.stage == tap.stage && own.layer == tap.layer);
        own.map_or(0.0, |own| 2.0 * own.distance.relative)
    };
    let differs = |tap: &&TapReport| !tap.equal() && tap.distance.relative > rounding(tap);
    if let Some(tap) = report.taps.iter().find(differs) {
        return (tap.layer, Some(tap.stage.clone()));
    }
    (None, Some(if report.prompt_differs() { "logits" } else { "decode" }.to_owned()))
}

/// Entries of the committed list that nothing needs: what they say is unproved is proved in every family.
#[must_use]
pub fn stale(reports: &[&ProofReport]) -> Vec<String> {
    let used: Vec<&str> = reports.iter().flat_map(|report| report.reasons()).collect();
    known::all()
        .iter()
        .filter(|entry| !used.iter().any(|reason| reason.contains(&entry.reason)))
        .map(|entry| entry.word.clone())
        .collect()
}
