//! One family: the parameters of its published sizes, and its cases.

use std::path::PathBuf;

use camelid_families::{Allow, Backend, Declaration, Library, Model};

use crate::case::Case;
use crate::compare::Distance;
use crate::diagnose::diagnose;
use crate::error::Error;
use crate::report::{CaseReport, Failure, FamilyReport, Greedy, Parameters, TapReport};
use crate::run::{Course, Decoding, greedy, run};

/// The largest relative difference that is equal, at every tap, in f32.
pub const TOLERANCE: f64 = 1e-5;

/// Verifies a family by name, with its forms, on the given case folders.
///
/// # Errors
/// No family has the name. What goes wrong with a case is in the report.
pub fn verify(
    library: &Library,
    name: &str,
    cases: &[PathBuf],
    backend: &Backend,
) -> Result<FamilyReport, Error> {
    let family = library.get(name)?;
    let mut report = FamilyReport {
        family: name.to_owned(),
        passed: false,
        parameters: Vec::new(),
        cases: Vec::new(),
        errors: Vec::new(),
    };
    for form in library.forms(name) {
        parameters(form, &mut report);
    }
    for path in cases {
        let verified = Case::open(path).and_then(|case| verify_case(library, family, &case, backend));
        match verified {
            Ok(case) => report.cases.push(case),
            Err(error) => {
                report.errors.push(Failure { what: path.display().to_string(), message: error.to_string() })
            }
        }
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
    backend: &Backend,
) -> Result<CaseReport, Error> {
    let form = form(library, family, case);
    let model = form.load(&case.config, &case.checkpoint, backend.clone(), &Allow::default())?;
    let mut report = compare(&model, case)?;
    report.form = form.name.clone();
    report.matches = library.matching(&case.config).map(|family| family.name.clone()).collect();
    if !report.passed {
        report.first_divergence = Some(diagnose(&model, case)?);
    }
    Ok(report)
}

/// Holds a model to a case: taps, logits and greedy tokens.
///
/// # Errors
/// The model refuses the prompt, or shapes differ.
pub fn compare(model: &Model, case: &Case) -> Result<CaseReport, Error> {
    let reference = &case.reference;
    let free = run(model, case, Course::Free)?;
    let logits = Distance::between(free.logits.view(), reference.logits.view());
    let exact = reference.logits_f64.as_ref();
    let ours = exact.map(|exact| Distance::between(free.logits.view(), exact.view()).relative);
    let theirs = exact.map(|exact| Distance::between(reference.logits.view(), exact.view()).relative);
    let tolerance = theirs.map_or(TOLERANCE, |theirs| TOLERANCE.max(2.0 * theirs));
    let cached = matched(model, case, &reference.greedy_ids, Decoding::Cached)?;
    let anew = reference.greedy_ids_nocache.as_ref();
    let anew = anew.map(|ids| matched(model, case, ids, Decoding::Anew)).transpose()?;
    let close = free.taps.iter().all(|(_, distance)| distance.relative <= TOLERANCE);
    let whole = |greedy: &Greedy| greedy.matched == greedy.of;
    let passed =
        close && ours.unwrap_or(logits.relative) <= tolerance && whole(&cached) && anew.iter().all(whole);
    let taps = free.taps.iter().map(|(tap, distance)| TapReport {
        stage: stage_name(tap.stage).to_owned(),
        layer: tap.layer,
        distance: *distance,
    });
    Ok(CaseReport {
        name: case.name.clone(),
        passed,
        form: String::new(),
        matches: Vec::new(),
        taps: taps.collect(),
        logits,
        greedy: cached,
        greedy_nocache: anew,
        error_vs_f64: ours,
        reference_error_vs_f64: theirs,
        tolerance,
        first_divergence: None,
    })
}

/// The stage's name in reports: the words of the cases.
#[must_use]
pub fn stage_name(stage: camelid_families::Stage) -> &'static str {
    use camelid_families::Stage;
    match stage {
        Stage::Embedding => "embedding",
        Stage::AttentionInput => "attention_input",
        Stage::Query => "query",
        Stage::Key => "key",
        Stage::Value => "value",
        Stage::Heads => "heads",
        Stage::AttentionOutput => "attention",
        Stage::MlpInput => "mlp_input",
        Stage::MlpOutput => "mlp",
        Stage::Layer => "layer",
        Stage::FinalNorm => "final_norm",
    }
}

fn matched(model: &Model, case: &Case, theirs: &[u32], decoding: Decoding) -> Result<Greedy, Error> {
    let ours = greedy(model, &case.reference.input_ids, theirs.len(), decoding)?;
    let matched = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    Ok(Greedy { matched, of: theirs.len() })
}
