//! Laws of every family's model, on every case that the project carries.

use std::path::{Path, PathBuf};

use camelid::checkpoint::Checkpoint;
use camelid::families::{Allow, Backend, Cache, Compute, Library, Model, Next};
use camelid::verify::{Case, Reference};
use ndarray::{Array2, Axis, concatenate};

/// Every case with the model of its family on some backend. `check` says whether the law is one of that model's;
/// `cargo xtask trust` reads how often it was.
fn each(backend: &Backend, check: impl Fn(&str, &Model, &Reference) -> bool) {
    let library = Library::built_in().expect("the built-in families");
    let (mut seen, mut held) = (0, 0);
    for family in library.families() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(&family.name);
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths {
            let case = Case::open(&path).expect("a case");
            let checkpoint = Checkpoint::open(&path).expect("a checkpoint");
            let model = family
                .load(&case.config, &checkpoint, backend.clone(), &Allow::default())
                .unwrap_or_else(|error| panic!("{error}"));
            let name = format!("{} {}", family.name, case.name);
            held += u32::from(check(&name, &model, &case.reference));
            seen += 1;
        }
    }
    assert!(seen >= 50, "{seen} cases");
    println!("law {}: {held} cases", std::thread::current().name().unwrap_or_default());
}

fn hidden(model: &Model, tokens: &[u32], cache: &mut Cache) -> Array2<f32> {
    model.forward(tokens, cache, &mut ()).unwrap_or_else(|error| panic!("{error}"))
}

/// max |a − b| / max |b|.
fn apart(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    let most = |values: &Array2<f32>| values.iter().fold(0f32, |most, x| most.max(x.abs()));
    most(&(a - b)) / most(b)
}

/// What two orders of the same sums may be apart: more where the original's own f32 is further from its f64, since the network
/// enlarges rounding there.
fn rounding(reference: &Reference) -> f32 {
    let Some(exact) = &reference.logits_f64 else { return 1e-5 };
    let most = |values: &Array2<f64>| values.iter().fold(0f64, |most, x| most.max(x.abs()));
    (4.0 * most(&(&reference.logits - exact)) / most(exact)).max(1e-5) as f32
}

#[test]
fn any_chunking_of_the_tokens_equals_one_call_where_the_architecture_says_so() {
    each(&Backend::serial(), |name, model, reference| {
        if !model.architecture().chunks_freely() {
            return false;
        }
        let tokens = &reference.input_ids;
        let bound = rounding(reference);
        let whole = hidden(model, tokens, &mut model.cache());
        for size in [1, 3, 16, tokens.len() - 1] {
            let mut cache = model.cache();
            let parts: Vec<_> = tokens.chunks(size).map(|chunk| hidden(model, chunk, &mut cache)).collect();
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            let joined = concatenate(Axis(0), &views).expect("equal widths");
            let far = apart(&joined, &whole);
            assert!(far <= bound, "{name} in chunks of {size}: {far:e} beyond {bound:e}");
        }
        true
    });
}

#[test]
fn a_fork_equals_a_fresh_cache_and_leaves_its_origin_alone() {
    each(&Backend::serial(), |name, model, Reference { input_ids: tokens, .. }| {
        let (prompt, rest) = tokens.split_at(tokens.len() - 3);
        if model.architecture().prefix.as_ref().is_some_and(|prefix| !prompt.contains(&prefix.until)) {
            return false;
        }
        let mut origin = model.cache();
        hidden(model, prompt, &mut origin);
        let mut fork = origin.clone();
        let other: Vec<u32> = rest.iter().map(|token| (token + 1) % 100).collect();
        hidden(model, &other, &mut fork);
        let after = hidden(model, rest, &mut origin);
        let mut fresh = model.cache();
        hidden(model, prompt, &mut fresh);
        assert_eq!(after, hidden(model, rest, &mut fresh), "{name}");
        true
    });
}

#[test]
fn a_truncated_cache_equals_one_that_never_grew() {
    each(&Backend::serial(), |name, model, Reference { input_ids: tokens, .. }| {
        let (prompt, rest) = tokens.split_at(tokens.len() - 3);
        if model.architecture().prefix.as_ref().is_some_and(|prefix| !prompt.contains(&prefix.until)) {
            return false;
        }
        let mut grown = model.cache();
        hidden(model, prompt, &mut grown);
        let mut never = grown.clone();
        grown.mark(); // where a state can come back to; elsewhere nothing
        hidden(model, &[5, 6, 7, 8], &mut grown);
        grown.truncate(prompt.len()).expect("behind the prefix");
        assert_eq!(grown.len(), prompt.len());
        assert_eq!(hidden(model, rest, &mut grown), hidden(model, rest, &mut never), "{name}");
        grown.truncate(0).expect("everything may be forgotten");
        assert_eq!(hidden(model, tokens, &mut grown), hidden(model, tokens, &mut model.cache()), "{name}");
        true
    });
}

/// Hidden states of several sequences, each by itself, or all in one call.
fn alone(model: &Model, tokens: &[&[u32]], caches: &mut [Cache]) -> Vec<Array2<f32>> {
    tokens.iter().zip(caches).map(|(tokens, cache)| hidden(model, tokens, cache)).collect()
}

fn together(model: &Model, tokens: &[&[u32]], caches: &mut [Cache]) -> Vec<Array2<f32>> {
    let all = tokens.iter().zip(caches).map(|(tokens, cache)| Next { tokens, cache });
    model.forward_all(&mut all.collect::<Vec<_>>(), &mut ()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn several_sequences_at_once_give_each_the_bits_that_it_has_alone() {
    for backend in [Backend::serial(), Backend::new(2, Compute::Bf16), Backend::new(2, Compute::Q8)] {
        each(&backend, |name, model, Reference { input_ids: tokens, .. }| {
            let whole = model.architecture().prefix.is_some();
            // Prompts of one token, of few and of many; then steps of ten sequences, some of which still read.
            let cuts =
                [tokens.len(), 1, 3, 7, 8, 9, 20, 12, 5, tokens.len()].map(|cut| cut.min(tokens.len()));
            let prompts = cuts.map(|cut| if whole { &tokens[..] } else { &tokens[..cut] });
            let most = tokens.len() - 2;
            let steps = [1, 1, 2, 1, 1, 11, 1, 1, 7, 1].map(|count| &tokens[2..2 + count.min(most)]);
            let mut own = prompts.map(|_| model.cache());
            let mut shared = own.clone();
            for tokens in [prompts, steps, steps.map(|step| &step[..1])] {
                let (alone, together) =
                    (alone(model, &tokens, &mut own), together(model, &tokens, &mut shared));
                for (index, (alone, together)) in alone.iter().zip(&together).enumerate() {
                    assert!(alone == together, "{name}: sequence {index}");
                }
            }
            true
        });
    }
}

#[test]
fn a_cut_prompt_gives_the_bits_of_the_whole_where_the_architecture_says_so() {
    each(&Backend::serial(), |name, model, Reference { input_ids: tokens, .. }| {
        if !model.architecture().cuts_exactly() {
            return false;
        }
        let tokens: Vec<u32> = tokens.iter().copied().cycle().take(600).collect();
        let whole = hidden(model, &tokens, &mut model.cache());
        for cut in [8, 9, 255, 256, 300, 592] {
            let mut cache = model.cache();
            let parts =
                [hidden(model, &tokens[..cut], &mut cache), hidden(model, &tokens[cut..], &mut cache)];
            let joined = concatenate(Axis(0), &[parts[0].view(), parts[1].view()]).expect("equal widths");
            assert!(joined == whole, "{name} cut at {cut}");
        }
        true
    });
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let bits = |threads: usize| {
        let found = std::cell::RefCell::new(Vec::new());
        each(&Backend::new(threads, Compute::F32), |_, model, Reference { input_ids: tokens, .. }| {
            let states = hidden(model, tokens, &mut model.cache());
            found.borrow_mut().push(model.logits(states.view()).mapv(f32::to_bits));
            true
        });
        found.into_inner()
    };
    let one = bits(1);
    for threads in [2, 3] {
        assert!(bits(threads) == one, "{threads} threads");
    }
}

/// Relative to the largest logit; docs/performance.md states it.
#[test]
fn bf16_arithmetic_errs_by_less_than_a_seventh_on_peaked_random_weights() {
    each(&Backend::new(1, Compute::Bf16), |name, model, reference| {
        let Some(exact) = &reference.logits_f64 else { return false };
        let states = hidden(model, &reference.input_ids, &mut model.cache());
        let error = apart(&model.logits(states.view()), &exact.mapv(|logit| logit as f32));
        println!("{name}: {error:.1e}");
        // Where experts are chosen, a rounded score may choose another one.
        let chooses = model.architecture().layers.iter().any(|layer| layer.experts.is_some());
        let most = if chooses { 1.0 } else { 0.15 };
        assert!((1e-5..most).contains(&error), "{name}: {error:e}");
        true
    });
}

#[test]
fn a_two_way_prefix_must_arrive_whole() {
    each(&Backend::serial(), |name, model, Reference { input_ids: tokens, .. }| {
        let Some(prefix) = &model.architecture().prefix else { return false };
        let end = tokens.iter().position(|token| *token == prefix.until).expect("a prompt with a prefix");
        let mut cache = model.cache();
        let error =
            model.forward(&tokens[..end], &mut cache, &mut ()).expect_err("the prefix has no end yet");
        assert!(error.to_string().contains("whole prompt"), "{name}: {error}");
        assert!(cache.is_empty(), "{name}: a refused call leaves the cache as it was");
        hidden(model, tokens, &mut cache);
        let error = cache.truncate(end.saturating_sub(1)).expect_err("a prefix can't be cut");
        assert!(error.to_string().contains("cut"), "{name}: {error}");
        true
    });
}
