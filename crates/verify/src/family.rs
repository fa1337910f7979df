//! One family: the parameters of its published sizes, its cases, and the proof of its declaration.

use std::path::PathBuf;

use camelid_families::{Declaration, Library};

use crate::error::Error;
use crate::explaining::diagnose;
use crate::parallel;
use crate::proving::prove;
use crate::running::{Case, Depth, Progress, Settings, Subject, compare, form};
use crate::told::{CaseReport, Failure, FamilyReport, Parameters};

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
