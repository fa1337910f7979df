//! A layer that keeps a state in place of keys and values: it has one size, it can be forked, it can go back to its mark, and
//! it can't be cut; and pieces of a prompt give what the whole gives.

use std::path::PathBuf;

use camelid::families::{Allow, Backend, Cache, Library, Model};
use camelid::verify::Case;
use ndarray::{Array2, Axis, Slice, concatenate};

fn load(family: &str) -> (Model, Vec<u32>) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "cases", family, "base"].iter().collect();
    let case = Case::open(&path).expect("a case of the project");
    let library = Library::built_in().expect("the built-in families");
    let family = library.get(family).expect("a built-in family");
    let architecture = family.architecture(&case.config, &case.checkpoint, &Allow::default());
    let architecture = architecture.expect("the case fits its family");
    let model = Model::load(architecture, &case.checkpoint, Backend::serial(), &[], &mut |_, _| {});
    (model.expect("it loads"), case.reference.input_ids)
}

fn run(model: &Model, ids: &[u32], cache: &mut Cache) -> Array2<f32> {
    model.forward(ids, cache, &mut ()).expect("it runs")
}

fn close(ours: &Array2<f32>, wanted: &Array2<f32>) {
    let largest = wanted.iter().fold(0f32, |most, x| most.max(x.abs()));
    let worst = ours.iter().zip(wanted).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(worst <= 2e-5 * largest, "{worst} of {largest}");
}

#[test]
fn any_cut_of_a_prompt_gives_what_the_whole_gives() {
    let (model, ids) = load("qwen3-next");
    assert!(ids.len() > 64, "more than a chunk");
    assert!(model.architecture().chunks_freely());
    let whole = run(&model, &ids, &mut model.cache());
    for cut in [1, 3, 17, 64, ids.len() - 1] {
        let mut cache = model.cache();
        let parts = [run(&model, &ids[..cut], &mut cache), run(&model, &ids[cut..], &mut cache)];
        let joined = concatenate(Axis(0), &[parts[0].view(), parts[1].view()]).expect("as wide");
        close(&joined, &whole);
    }
}

#[test]
fn its_bytes_are_the_formulas_at_any_length() {
    let (model, ids) = load("qwen3.5");
    let mut cache = model.cache();
    let architecture = model.architecture();
    // 3 layers of 4 heads of 12 by 8 numbers, and 3 inputs of 80 channels.
    assert_eq!(architecture.state_bytes(), 3 * 4 * (4 * 12 * 8 + 3 * 80));
    assert_eq!(cache.bytes() as u64, architecture.state_bytes());
    let ids: Vec<u32> = ids.iter().copied().cycle().take(600).collect();
    for piece in ids.chunks(150) {
        run(&model, piece, &mut cache);
        let wanted = architecture.state_bytes() + architecture.cache_bytes(cache.len());
        assert_eq!(cache.bytes() as u64, wanted, "{} tokens", cache.len());
    }
}

#[test]
fn a_fork_goes_its_own_way() {
    let (model, ids) = load("qwen3.5");
    let mut cache = model.cache();
    run(&model, &ids[..9], &mut cache);
    let mut fork = cache.clone();
    let theirs = run(&model, &ids[9..20], &mut fork);
    let other = run(&model, &ids[20..30], &mut cache.clone());
    assert_ne!(theirs.slice_axis(Axis(0), Slice::from(..1)), other.slice_axis(Axis(0), Slice::from(..1)));
    assert_eq!(run(&model, &ids[9..20], &mut cache), theirs);
}

#[test]
fn it_goes_back_to_its_mark_and_to_nothing_and_nowhere_else() {
    let (model, ids) = load("qwen3.5-moe");
    let mut cache = model.cache();
    run(&model, &ids[..12], &mut cache);
    cache.mark();
    let first = run(&model, &ids[12..20], &mut cache);
    assert_eq!([40, 20, 19, 12, 11].map(|len| cache.reachable(len)), [20, 20, 12, 12, 0]);
    let error = cache.truncate(15).expect_err("inside the state").to_string();
    let wanted = "what is held of 20 tokens can't be cut to 15: a state holds all in one, and a window forgets; it can go back to 0 or 12";
    assert_eq!(error, wanted);
    assert_eq!(cache.len(), 20, "nothing is lost");
    cache.truncate(12).expect("its mark");
    assert_eq!(cache.len(), 12);
    assert_eq!(run(&model, &ids[12..20], &mut cache), first);
    cache.truncate(0).expect("nothing");
    assert_eq!((cache.len(), cache.bytes() as u64), (0, model.architecture().state_bytes()));
    run(&model, &ids[..12], &mut cache);
    assert_eq!(run(&model, &ids[12..20], &mut cache), first);
}
