//! One family: the parameters of its published sizes, its cases, and the proof of its declaration.

use std::path::PathBuf;

use camelid_families::{Allow, Backend, Declaration, Library, Model, Stage, Tap};

use ndarray::ArrayView2;

use crate::case::Case;
use crate::compare::Distance;
use crate::diagnose::diagnose;
use crate::error::Error;
use crate::exact::settle;
use crate::parallel;
use crate::prove::prove;
use crate::report::{CaseReport, Failure, FamilyReport, Greedy, Parameters, TapReport};
use crate::run::{Course, Decoding, Subject, arg_max, continued, run};

/// The largest relative difference that is equal, at every tap, in f32.
pub const TOLERANCE: f64 = 1e-5;

/// How many times the tolerance of the prompt's logits those of the tokens decoded from it may be out: rounding adds up from
/// token to token, on the reference's side too.
pub(crate) const DECODED: f64 = 10.0;

/// How a family is verified.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where and how one case is computed.
    pub backend: Backend,
    /// Keys and tensors that are waved through, by name.
    pub allow: Allow,
    /// How far verification goes.
    pub depth: Depth,
    /// How many cases, or changes in a proof, run at a time.
    pub threads: usize,
}

/// How far verification goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The family equals its original.
    Compare,
    /// And every word of its declaration bites.
    Prove,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            backend: Backend::serial(),
            allow: Allow::default(),
            depth: Depth::Compare,
            threads: parallel::cores(),
        }
    }
}

/// Hears of each piece of work that is done: how many of how many, and which.
pub type Progress<'a> = &'a (dyn Fn(usize, usize, &str) + Sync);

/// Verifies a family by name, with its forms, on the given case folders.
///
/// # Errors
/// No family has the name. What goes wrong with a case is in the report.
pub fn verify(
    library: &Library,
    name: &str,
    cases: &[PathBuf],
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<FamilyReport, Error> {
    let family = library.get(name)?;
    let mut report = FamilyReport::new(name);
    for form in library.forms(name) {
        parameters(form, &mut report);
    }
    let done = std::sync::atomic::AtomicUsize::new(0);
    let verified = parallel::map(cases, settings.threads, |path| {
        let opened = Case::open(path);
        let verified = opened.and_then(|case| Ok((verify_case(library, family, &case, settings)?, case)));
        let count = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        progress(count, cases.len(), &path.display().to_string());
        verified
    });
    let mut opened = Vec::new();
    for (path, verified) in cases.iter().zip(verified) {
        match verified {
            Ok((case_report, case)) => {
                opened.push((case, case_report.passed));
                report.cases.push(case_report);
            }
            Err(error) => {
                report.errors.push(Failure { what: path.display().to_string(), message: error.to_string() });
            }
        }
    }
    if settings.depth == Depth::Prove {
        let passed: Vec<Case> =
            opened.into_iter().filter(|(_, passed)| *passed).map(|(case, _)| case).collect();
        report.proof = Some(prove(library, family, &passed, settings, progress)?);
    }
    report.passed = report.exit_status() == 0;
    Ok(report)
}

fn parameters(form: &Declaration, report: &mut FamilyReport) {
    for size in &form.sizes {
        match form.resolve(&size.config, &[]) {
            Ok(architecture) => {
                let counted = architecture.plan().parameters();
                report.parameters.push(Parameters {
                    form: form.name.clone(),
                    size: size.name.clone(),
                    counted,
                    published: size.parameters,
                    equal: counted == size.parameters,
                });
            }
            Err(unresolved) => {
                let problems: Vec<_> = unresolved.problems.iter().map(ToString::to_string).collect();
                let what = format!("{} {}", form.name, size.name);
                report.errors.push(Failure { what, message: problems.join("; ") });
            }
        }
    }
}

/// The form of a family that a case is of: the one whose rule accepts it, else the family itself.
#[must_use]
pub fn form<'a>(library: &'a Library, family: &'a Declaration, case: &Case) -> &'a Declaration {
    let forms: Vec<&Declaration> = library.forms(&family.name).collect();
    forms.into_iter().find(|form| form.accepts(&case.config)).unwrap_or(family)
}

/// Verifies one case, read as a family or as the form of it that matches.
///
/// # Errors
/// The case does not fit the family: every key and tensor that does not, at once.
pub fn verify_case(
    library: &Library,
    family: &Declaration,
    case: &Case,
    settings: &Settings,
) -> Result<CaseReport, Error> {
    let form = form(library, family, case);
    let model = form.load(&case.config, &case.checkpoint, settings.backend.clone(), &settings.allow)?;
    let mut report = compare(&model, case)?;
    report.form = form.name.clone();
    report.matches = library.matching(&case.config).map(|family| family.name.clone()).collect();
    if !report.passed {
        report.first_divergence = Some(diagnose(Subject::new(&model), case, &report)?);
    }
    Ok(report)
}

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
            .filter(|theirs| theirs.is_finite())
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

/// The stage's name in reports: the words of the cases.
#[must_use]
pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Embedding => "embedding",
        Stage::AttentionInput => "attention_input",
        Stage::Query => "query",
        Stage::Key => "key",
        Stage::Value => "value",
        Stage::Heads => "heads",
        Stage::AttentionOutput => "attention",
        Stage::MlpInput => "mlp_input",
        Stage::Experts => "experts",
        Stage::ExpertWeights => "expert_weights",
        Stage::MlpOutput => "mlp",
        Stage::Layer => "layer",
        Stage::FinalNorm => "final_norm",
    }
}

/// How many tokens of a continuation, from the first, are those that ours would choose.
fn matched(logits: ArrayView2<'_, f32>, theirs: &[u32]) -> Greedy {
    let chosen = logits.outer_iter().map(arg_max).zip(theirs);
    let matched = chosen.take_while(|(ours, theirs)| ours == *theirs).count();
    Greedy { matched, of: theirs.len() }
}
