//! The oracle against the references' own f64 runs, on every case that the project carries.

use std::path::{Path, PathBuf};

use camelid_families::{Allow, Architecture, Library};

use super::{Bank, Oracle, Sight};
use crate::running::{Case, arg_max};
use crate::told::Distance;

/// Two codes in f64 that do the same sums in another order.
const EXACT: f64 = 1e-11;
/// The same where the reference's f64 run still makes its norms and rotary tables in f32.
const HALF_EXACT: f64 = 5e-6;

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(path).expect("the cases are there").map(|entry| entry.expect("readable").path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Every case of the built-in families, and of those that are declared beside their cases.
fn cases() -> Vec<(Case, Architecture)> {
    let mut library = Library::built_in().expect("the built-in families");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let mut out = Vec::new();
    for family in [folders(&root.join("cases")), folders(&root.join("beyond"))].concat() {
        let name = family.file_name().expect("a name").to_string_lossy().into_owned();
        let spec = family.join(format!("{name}.toml"));
        if spec.is_file() {
            library.add(&spec).expect("a declaration");
        }
        let declaration = library.get(&name).expect("a family");
        for path in folders(&family) {
            let case = Case::open(&path).expect("a case");
            let architecture = declaration.architecture(&case.config, &case.checkpoint, &Allow::default());
            out.push((case, architecture.expect("it fits")));
        }
    }
    out
}

#[test]
fn it_equals_the_references_own_f64_runs_and_decodes_their_tokens() {
    let cases = cases();
    assert!(cases.len() >= 50, "{} cases", cases.len());
    for (case, architecture) in cases {
        let reference = &case.reference;
        let bank = Bank::read(&case.checkpoint).expect("it reads");
        let oracle = Oracle::new(&architecture, &bank).expect("it reads");
        let prompt = reference.input_ids.len();
        let text = [&reference.input_ids[..], &reference.greedy_ids].concat();
        let decoded = oracle
            .run(&text, &Sight::decoding(prompt, text.len()), &mut |_, value| Ok(value))
            .expect("it runs");
        for (step, id) in reference.greedy_ids.iter().enumerate() {
            assert_eq!(
                arg_max(decoded.row(prompt - 1 + step)),
                *id,
                "{} at step {step}",
                case.path.display()
            );
        }
        let Some(exact) = &reference.logits_f64 else { continue };
        let whole = Sight::whole(prompt);
        let logits = oracle.run(&reference.input_ids, &whole, &mut |_, value| Ok(value)).expect("it runs");
        let apart = Distance::between(logits.view(), exact.view()).relative;
        let note = std::fs::read_to_string(case.path.join("reference.json")).expect("every case has a note");
        let bound = if note.contains("f64_method") { EXACT } else { HALF_EXACT };
        assert!(apart < bound, "{}: {apart:.1e}", case.path.display());
    }
}
