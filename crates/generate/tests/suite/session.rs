//! The loop on a small trained model: laws of the cache, and the ends of a text.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camelid_checkpoint::{Checkpoint, Tensor};
use camelid_families::{Allow, Backend, Library};
use camelid_generate::{Error, How, Opened, Sampling, Session, Settings, Stop};
use camelid_tokenizers::Specials;
use proptest::prelude::*;
use serde_json::Value as Json;

use crate::stories::{Stories, load, path};

const BOS: u32 = 1;

fn ids(stories: &Stories, text: &str) -> Vec<u32> {
    let ids = stories.tokenizer.encode(text, Specials::Literal).expect("it encodes");
    stories.tokenizer.frame().around(&ids)
}

/// What a session generates: ids, text, the end.
fn run(session: &mut Session<'_>, prompt: &[u32], settings: &Settings) -> (Vec<u32>, String, Option<Stop>) {
    let mut generation = session.generate(prompt, settings).expect("it begins");
    let mut text = String::new();
    for token in generation.by_ref() {
        text += &token.expect("a token").text;
    }
    (generation.ids().to_vec(), text, generation.stop())
}

fn tokens(n: usize) -> Settings {
    Settings { max_new_tokens: n, stop_ids: vec![2], ..Settings::default() }
}

#[test]
fn the_reference_s_prompts_give_the_reference_s_ids_and_text() {
    let stories = load();
    let expected: Json =
        serde_json::from_slice(&std::fs::read(path().join("expected.json")).expect("the file"))
            .expect("JSON");
    let rows = expected["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let list = |key: &str| {
            row[key]
                .as_array()
                .expect("ids")
                .iter()
                .map(|id| id.as_u64().expect("an id") as u32)
                .collect::<Vec<_>>()
        };
        let prompt = ids(&stories, row["prompt"].as_str().expect("a prompt"));
        assert_eq!(prompt, list("input_ids"));
        let (generated, text, stop) =
            run(&mut Session::new(&stories.model, &*stories.tokenizer), &prompt, &tokens(200));
        assert_eq!((generated, stop), (list("greedy_ids"), Some(Stop::Length)));
        // The reference decodes the new ids alone, which takes the first blank away.
        assert_eq!(text.trim_start_matches(' '), row["greedy_text"].as_str().expect("a text"));
    }
}

#[test]
fn a_prompt_in_pieces_is_a_prompt() {
    let stories = load();
    let prompt =
        ids(&stories, "Once upon a time there was a dog who liked to run in the park with a red ball.");
    let whole = run(&mut Session::new(&stories.model, &*stories.tokenizer), &prompt, &tokens(40));
    for piece in [1, 2, 3, 7, prompt.len() - 1, prompt.len()] {
        let settings = Settings { piece, ..tokens(40) };
        assert_eq!(
            run(&mut Session::new(&stories.model, &*stories.tokenizer), &prompt, &settings),
            whole,
            "{piece}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whatever a session has held, a prompt's continuation is that of a new session.
    #[test]
    fn a_continuation_does_not_depend_on_what_the_session_held(
        first in proptest::collection::vec(3u32..512, 1..20), common in 0usize..20, rest in proptest::collection::vec(3u32..512, 1..20)
    ) {
        let stories = load();
        let mut session = Session::new(&stories.model, &*stories.tokenizer);
        run(&mut session, &first, &tokens(5));
        let prompt = [&first[..common.min(first.len())], &rest].concat();
        let after = run(&mut session, &prompt, &tokens(8));
        let fresh = run(&mut Session::new(&stories.model, &*stories.tokenizer), &prompt, &tokens(8));
        prop_assert_eq!(after, fresh);
    }
}

#[test]
fn a_fork_goes_its_own_way_and_a_truncated_session_goes_back() {
    let stories = load();
    let prompt = ids(&stories, "Once upon a time");
    let mut session = Session::new(&stories.model, &*stories.tokenizer);
    let told = run(&mut session, &prompt, &tokens(20));
    let held = session.ids().to_vec();
    let mut fork = session.clone();
    let other = ids(&stories, "The dog and the");
    assert_ne!(run(&mut fork, &other, &tokens(20)), told);
    assert_eq!(session.ids(), held);
    session.truncate(prompt.len()).expect("it goes back");
    assert_eq!(session.ids(), prompt);
    assert_eq!(run(&mut session, &prompt, &tokens(20)), told);
}

#[test]
fn a_session_computes_only_what_it_does_not_hold() {
    let stories = load();
    let mut session = Session::new(&stories.model, &*stories.tokenizer);
    let prompt = ids(&stories, "Once upon a time");
    let (generated, _, _) = run(&mut session, &prompt, &tokens(10));
    let longer = [prompt.as_slice(), &generated, &[300, 301]].concat();
    let generation = session.generate(&longer, &tokens(1)).expect("it begins");
    // The last generated token was never an input.
    assert_eq!(generation.timings().prefill_tokens, 3);
}

#[test]
fn a_text_ends_as_it_should() {
    let stories = load();
    let prompt = ids(&stories, "Once upon a time");
    let fresh = || Session::new(&stories.model, &*stories.tokenizer);
    let (all, text, _) = run(&mut fresh(), &prompt, &tokens(60));
    let id = Settings { stop_ids: vec![all[9]], ..tokens(60) };
    let (stopped, _, stop) = run(&mut fresh(), &prompt, &id);
    let first = all.iter().position(|id| *id == all[9]).expect("it is there");
    assert_eq!((stopped.as_slice(), stop), (&all[..=first], Some(Stop::Eos)));
    let word = Settings { stop_texts: vec!["She loved".into()], ..tokens(60) };
    let (_, before, stop) = run(&mut fresh(), &prompt, &word);
    assert_eq!((before.as_str(), stop), (text.split("She loved").next().expect("a part"), Some(Stop::Text)));
    assert_eq!(run(&mut fresh(), &prompt, &tokens(0)), (vec![], String::new(), Some(Stop::Length)));
    let full = Settings { context: Some(prompt.len() + 3), ..tokens(60) };
    let (some, _, stop) = run(&mut fresh(), &prompt, &full);
    assert_eq!((some.as_slice(), stop), (&all[..4], Some(Stop::Context)));
    let raised = Arc::new(AtomicBool::new(true));
    let mut session = fresh();
    let settings = tokens(60);
    let mut generation = session.generate(&prompt, &settings).expect("it begins").interrupted_by(raised);
    assert!(generation.next().is_none());
    assert_eq!(generation.stop(), Some(Stop::Interrupt));
}

#[test]
fn a_stop_text_that_spells_a_special_token_is_the_token() {
    let stories = load();
    let prompt = ids(&stories, "Once upon a time, there was a cat named Tom.");
    let settings = Settings { stop_texts: vec!["<s>".into()], stop_ids: vec![], ..tokens(200) };
    let (generated, text, stop) =
        run(&mut Session::new(&stories.model, &*stories.tokenizer), &prompt, &settings);
    assert_eq!((generated.last(), stop), (Some(&BOS), Some(Stop::Eos)));
    assert!(!text.contains("<s>"));
}

#[test]
fn what_can_t_be_is_refused_before_any_arithmetic() {
    let stories = load();
    let mut session = Session::new(&stories.model, &*stories.tokenizer);
    let refused = |session: &mut Session<'_>, prompt: &[u32], settings: &Settings| {
        session.generate(prompt, settings).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(&mut session, &[], &tokens(1)).contains("the prompt is empty"));
    assert!(
        refused(&mut session, &vec![3; 513], &tokens(1))
            .contains("513 tokens, and the context ends after 512")
    );
    let endless = Settings { context: Some(usize::MAX), ..tokens(1 << 50) };
    assert!(refused(&mut session, &[3], &endless).contains("TB, and this machine has"));
    let hot = Settings { sampling: Sampling { temperature: -1.0, ..Sampling::default() }, ..tokens(1) };
    assert!(refused(&mut session, &[3], &hot).contains("temperature = -1"));
    let settings = tokens(1);
    let mut generation = session.generate(&[3, 512], &settings).expect("it begins");
    let error = generation.next().expect("an item").expect_err("no such id").to_string();
    assert!(error.contains("token 512 at place 1 is not in the vocabulary of 512"), "{error}");
    assert!(generation.next().is_none());
}

#[test]
fn nan_in_the_weights_is_told_at_its_token() {
    let checkpoint = Checkpoint::open(path()).expect("it opens");
    let tensors = checkpoint.tensors().map(|tensor| {
        let mut values = tensor.to_f32().expect("floats");
        if tensor.name() == "model.embed_tokens.weight" {
            values[300 * 64] = f32::NAN;
        }
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Tensor::from_bytes(tensor.name(), camelid_checkpoint::Dtype::F32, tensor.shape(), bytes.into())
            .expect("a tensor")
    });
    let broken =
        Checkpoint::from_parts("broken", checkpoint.config().cloned().expect("a config"), tensors.collect());
    let broken = broken.expect("a checkpoint");
    let library = Library::built_in().expect("the families");
    let config = broken.config().expect("a config");
    let family = library.detect(config, &[]).expect("a family").family;
    let model = family.load(config, &broken, Backend::serial(), &Allow::default()).expect("it loads");
    let stories = load();
    let mut session = Session::new(&model, &*stories.tokenizer);
    let settings = tokens(3);
    let error =
        session.generate(&[1, 300], &settings).expect("it begins").next().expect("an item").expect_err("NaN");
    assert!(matches!(error, Error::NotFinite { place: 1, id: 300, .. }), "{error}");
}

#[test]
fn the_cache_takes_the_memory_that_was_foretold() {
    let stories = load();
    let mut session = Session::new(&stories.model, &*stories.tokenizer);
    for length in [1, 255, 256, 257, 500] {
        run(&mut session, &vec![5; length], &tokens(1));
        assert_eq!(session.bytes() as u64, stories.model.architecture().cache_bytes(length), "{length}");
    }
}

/// A state can't be cut: a prompt goes on from what is held, from the end of the last prompt, or from nothing, and says the
/// same in each case.
#[test]
fn a_state_goes_on_from_the_last_prompts_end() {
    let stories = load();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/qwen3.5/base");
    let library = Library::built_in().expect("the families");
    let opened = Opened::open(&library, folder, &How::default()).expect("it opens");
    let model = opened.model(Backend::serial(), &mut |_, _| {}).expect("it loads");
    let prompt: Vec<u32> = (3..33).collect();
    let settings = Settings { max_new_tokens: 4, stop_ids: Vec::new(), ..Settings::default() };
    let mut session = Session::new(&model, &*stories.tokenizer);
    let (first, _, _) = run(&mut session, &prompt, &settings);
    let held = session.ids().to_vec();
    assert_eq!(held, [&prompt[..], &first[..3]].concat(), "all but the last, which nobody has seen");

    let other = (first[0] + 1) % 200;
    let turns = [
        (prompt.clone(), 30, "the same prompt: its last token's logits are needed"),
        ([&prompt[..], &[other, 7, 8]].concat(), 3, "another answer: from the prompt's end"),
        ([&held[..], &[first[3], 9]].concat(), 2, "what is held goes on"),
        ([&prompt[..5], &[other]].concat(), 6, "a start of the prompt: from nothing"),
    ];
    for (asked, computed, why) in turns {
        let mut session = session.clone();
        let mut generation = session.generate(&asked, &settings).expect("it begins");
        let ids: Vec<u32> = generation.by_ref().map(|token| token.expect("a token").id).collect();
        assert_eq!(generation.timings().prefill_tokens, computed, "{why}");
        let (fresh, _, _) = run(&mut Session::new(&model, &*stories.tokenizer), &asked, &settings);
        assert_eq!(ids, fresh, "{why}");
    }
}
