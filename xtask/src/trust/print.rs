//! The report as a table.

use super::deny::Checked;
use super::mutants::{Crate, Score};
use super::report::{Law, Report};

/// Prints all of it.
pub(super) fn report(report: &Report) {
    laws(&report.laws);
    println!("\n{:<22} {:>7} {:>8} {:>7}", "tests of", "passed", "ignored", "failed");
    for tests in &report.tests {
        println!("{:<22} {:>7} {:>8} {:>7}", tests.package, tests.passed, tests.ignored, tests.failed);
    }
    println!(
        "\n{:<22} {:>11} {:>9} {:>6} {:>6} {:>9}",
        "fuzz target", "executions", "accepted", "seeds", "known", "findings"
    );
    for target in &report.fuzz {
        println!(
            "{:<22} {:>11} {:>9} {:>6} {:>6} {:>9}",
            target.target, target.executions, target.accepted, target.seeds, target.known, target.findings
        );
    }
    println!();
    for (what, checked) in &report.deny {
        match checked {
            Checked::Passed => println!("deny {what}: passed"),
            Checked::Failed => println!("deny {what}: FAILED"),
            Checked::NotRun(why) => println!("deny {what}: NOT RUN: {why}"),
        }
    }
    match &report.mutants {
        Some(score) => mutants(score),
        None => println!("\nmutants: NOT RUN: there is no docs/mutants.json"),
    }
    let held: Vec<&Law> = report.laws.iter().filter(|law| law.passed()).collect();
    let cases: u64 = held.iter().map(|law| law.cases).sum();
    let executions: u64 = report.fuzz.iter().map(|target| target.executions).sum();
    let tests: usize = report.tests.iter().map(|tests| tests.passed).sum();
    println!(
        "\n{}: {tests} tests, among them {} laws on {cases} cases; {executions} executions of {} fuzz targets",
        if report.passed { "passed" } else { "FAILED" },
        held.len(),
        report.fuzz.len()
    );
}

fn laws(laws: &[Law]) {
    println!("{:<22} {:>6}  law", "crate", "cases");
    for law in laws {
        let outcome =
            if law.passed() { String::new() } else { format!("  [{}]", law.outcome.to_uppercase()) };
        println!("{:<22} {:>6}  {}{outcome}", law.package, law.cases, law.law.replace('_', " "));
    }
}

fn mutants(score: &Score) {
    println!("\nmutants, as last taken ({})", score.tool);
    println!("{:<22} {:>8} {:>7} {:>10} {:>6}  at", "crate", "mutants", "killed", "surviving", "score");
    let line = |name: &str, one: &Crate| {
        let killed = one.killed + one.timeout;
        let percent = 100.0 * killed as f64 / one.viable().max(1) as f64;
        let (viable, surviving) = (one.viable(), one.surviving.len());
        println!("{name:<22} {viable:>8} {killed:>7} {surviving:>10} {percent:>5.1}%  {}", one.commit);
    };
    score.crates.iter().for_each(|(name, one)| line(name, one));
    line("all", &score.sum());
}
