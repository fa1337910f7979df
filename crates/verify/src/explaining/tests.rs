//! Slips that no word can say: a reference that makes one is told so by name.

use std::path::Path;

use camelid_families::{Allow, Backend, Library, Model};

use super::diagnose;
use super::mistakes::QUIRKS;
use crate::oracle::{Bank, Oracle, Quirk, Sight};
use crate::running::{Case, Subject, compare_subject};

/// What the second implementation, with a slip, makes of a case's prompt, in place of the reference.
fn slipped(case: &mut Case, oracle: &Oracle<'_>) {
    let reference = &mut case.reference;
    let whole = Sight::whole(reference.input_ids.len());
    let mut taps = Vec::new();
    let logits = oracle.run(&reference.input_ids, &whole, &mut |tap, value| {
        taps.push((tap, value.clone()));
        Ok(value)
    });
    reference.logits = logits.expect("it runs");
    reference.logits_f64 = None;
    reference.taps.retain_mut(|(tap, value)| match taps.iter().find(|(known, _)| known == tap) {
        Some((_, other)) => {
            value.clone_from(other);
            true
        }
        None => false,
    });
}

#[test]
fn a_slip_of_a_delta_net_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases");
    let library = Library::built_in().expect("the built-in families");
    for (quirk, name) in QUIRKS.into_iter().filter(|(quirk, _)| quirk.is_of_delta_nets()) {
        let mut case = Case::open(&root.join("qwen3-next/base")).expect("a case");
        let family = library.get("qwen3-next").expect("a family");
        let architecture = family.architecture(&case.config, &case.checkpoint, &Allow::default());
        let architecture = architecture.expect("it fits");
        let bank = Bank::read(&case.checkpoint).expect("it reads");
        slipped(&mut case, &Oracle::with(&architecture, &bank, quirk).expect("it reads"));
        let model =
            Model::load(architecture.clone(), &case.checkpoint, Backend::serial(), &[], &mut |_, _| {});
        let model = model.expect("it loads");
        let report = compare_subject(Subject::new(&model), &case).expect("it runs");
        assert!(report.prompt_differs(), "{name}");
        let found = diagnose(Subject::new(&model), &case, &report).expect("it is diagnosed");
        assert_eq!(found.causes, [name], "{quirk:?}: {}", found.likely_cause);
        let wanted = if quirk == Quirk::StateLostBetweenChunks { Some(64) } else { found.first_token };
        assert_eq!((found.layer, found.stage.as_str(), found.first_token), (Some(0), "attention", wanted));
    }
}
