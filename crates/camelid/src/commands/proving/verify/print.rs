//! A report, for a reader: one line for each check, with the worst figure and what it was compared with.

use camelid_verify::{CaseReport, Divergence, FamilyReport, Greedy, Outcome, Proof, ProofReport};

use crate::commands::output::style::{bad, bold, dim, good};
use crate::commands::proving::verify_tokenizer::Row;

/// One family.
pub(in crate::commands) fn family(report: &FamilyReport) {
    outln!("{} {}", mark(report.passed), bold(&report.family));
    for size in &report.parameters {
        let published =
            if size.equal { "as published".to_owned() } else { format!("published: {}", size.published) };
        outln!("  {} {:<22} {:>15} parameters, {published}", mark(size.equal), size.size, size.counted);
    }
    report.cases.iter().for_each(case);
    for failure in &report.errors {
        outln!("  {} {}: {}", bad("could not run"), failure.what, failure.message);
    }
    if let Some(found) = &report.proof {
        proof(found);
    }
}

/// The family's tokenizer on the real vocabularies that are at hand.
pub(in crate::commands) fn tokenizer(rows: &[Row]) {
    if rows.iter().all(|row| row.score.is_none()) {
        let how = "--vocabularies DIR names their folder";
        let what = format!("{:<22} no real vocabulary with a reference's ids at hand; {how}", "tokenizer");
        return outln!("  {} {what}", bad("NOT RUN"));
    }
    for row in rows {
        let Some(score) = &row.score else { continue };
        let name = format!("tokenizer {}.{}", row.vocabulary, row.call);
        let speed = row.speed.as_ref().map(|speed| {
            let library = speed.library.map(|library| format!(" of {library}")).unwrap_or_default();
            format!(", encode {}, decode {}{library}", speed.encode, speed.decode)
        });
        outln!(
            "  {} {name:<22} {}/{} strings equal, {}/{} bytes come back{}",
            mark(score.passed()),
            score.equal,
            score.all,
            score.returned_bytes,
            score.bytes,
            speed.unwrap_or_default(),
        );
        score.differences.iter().take(3).for_each(|difference| outln!("{difference}"));
    }
}

/// All families together.
pub(in crate::commands) fn sum(reports: &[FamilyReport], stale: &[String]) {
    let cases: Vec<_> = reports.iter().flat_map(|report| &report.cases).collect();
    let passed = reports.iter().filter(|report| report.passed).count();
    let sizes: usize = reports.iter().map(|report| report.parameters.len()).sum();
    let proofs: Vec<&ProofReport> = reports.iter().filter_map(|report| report.proof.as_ref()).collect();
    let proved: usize = proofs.iter().map(|proof| proof.proved).sum();
    let changes = if proofs.is_empty() { String::new() } else { format!(", {proved} changes proved") };
    outln!(
        "{} {passed} of {} families, {} of {} cases, {sizes} published sizes{changes}",
        mark(passed == reports.len() && stale.is_empty()),
        reports.len(),
        cases.iter().filter(|case| case.passed).count(),
        cases.len(),
    );
    for word in stale {
        outln!("  {} `{word}` is listed as unproved, and nothing needs it", bad("stale"));
    }
}

fn case(case: &CaseReport) {
    let worst = case.taps.iter().map(|tap| tap.distance.relative).fold(0.0, f64::max);
    let logits = match (case.error_vs_f64, case.reference_error_vs_f64) {
        (Some(ours), Some(theirs)) => format!("logits {ours:.1e} of f64 (reference {theirs:.1e})"),
        _ => format!("logits {:.1e} of the reference", case.logits.relative),
    };
    let taps = format!("{} taps within {worst:.1e}", case.taps.len());
    let anew = case.greedy_nocache.map(|greedy| format!(", {} anew", count(greedy))).unwrap_or_default();
    let greedy = format!("{} greedy tokens{anew}", count(case.greedy));
    outln!("  {} {:<22} {taps}, {logits}, {greedy}", mark(case.passed), case.name);
    if !case.matches.contains(&case.form) {
        let would = if case.matches.is_empty() { "no family".to_owned() } else { case.matches.join(", ") };
        outln!("      {}", dim(format!("read as {}; by its config.json it is {would}", case.form)));
    }
    if let Some(first) = &case.first_divergence {
        divergence(first);
    }
}

fn divergence(first: &Divergence) {
    let layer = first.layer.map(|layer| format!("layer {layer}, ")).unwrap_or_default();
    let step = first.step.map(|step| format!(", step {step}")).unwrap_or_default();
    let within = first.within.as_ref().map(|within| format!(" ({within})")).unwrap_or_default();
    let relative = first.relative.map(|relative| format!(": {relative:.1e} apart")).unwrap_or_default();
    let extent = first.extent.as_ref().map(|extent| format!(", {extent}")).unwrap_or_default();
    outln!("      first differs at {layer}{}{within}{step}{relative}{extent}", bold(&first.stage));
    outln!("      likely cause: {}", first.likely_cause);
}

fn proof(found: &ProofReport) {
    let open: Vec<&Proof> = found.open().collect();
    let known: Vec<&Proof> = found.proof.iter().filter(|proof| proof.reason.is_some()).collect();
    outln!(
        "  {} {:<22} {} changes differ, {} can't be loaded, {} unproved ({} known)",
        mark(open.is_empty()),
        "proof",
        found.proved,
        found.refused,
        found.unproved,
        known.len(),
    );
    for proof in open {
        let detail = proof.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        let why = match proof.outcome {
            Outcome::Misplaced => format!(
                "differs first at {} of case {}, which is not what was changed",
                proof.stage.as_deref().unwrap_or_default(),
                proof.case.as_deref().unwrap_or_default()
            ),
            Outcome::Unproved | Outcome::Differs | Outcome::Refused => "no case tells it apart".to_owned(),
        };
        outln!("      {} {}, {}{detail}: {why}", bad("unproved"), bold(&proof.word), proof.change);
    }
    for proof in known {
        let reason = proof.reason.as_deref().unwrap_or_default();
        outln!("      {}", dim(format!("unproved, known: {}, {}: {reason}", proof.word, proof.change)));
    }
}

fn count(greedy: Greedy) -> String {
    format!("{} of {}", greedy.matched, greedy.of)
}

fn mark(passed: bool) -> String {
    if passed { good("ok    ") } else { bad("FAILED") }
}
