//! A window bounds memory: what no query sees any more is forgotten, and nothing else changes.

use camelid::families::{Backend, Library, Model};
use camelid::generate::{How, Opened};
use ndarray::{Axis, concatenate};

/// A tiny Gemma 2: every other layer sees a window.
fn model(backend: Backend) -> Model {
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/gemma2/softcap");
    let library = Library::built_in().expect("the families");
    let opened = Opened::open(&library, case, &How::default()).expect("it opens");
    opened.model(backend, &mut |_, _| {}).expect("it loads")
}

#[test]
fn what_is_forgotten_changes_no_bit() {
    let model = model(Backend::serial());
    let vocab = model.architecture().embedding.vocab;
    let tokens: Vec<u32> = (0..2600).map(|i| (i * 7919 % vocab) as u32).collect();
    let mut whole = model.cache();
    let expected = model.forward(&tokens, &mut whole, &mut ()).expect("it runs");
    let mut cache = model.cache();
    let mut most = 0;
    let pieces: Vec<_> = tokens
        .chunks(400)
        .map(|piece| {
            let hidden = model.forward(piece, &mut cache, &mut ()).expect("it runs");
            most = most.max(cache.bytes());
            hidden
        })
        .collect();
    let views: Vec<_> = pieces.iter().map(|piece| piece.view()).collect();
    assert_eq!(concatenate(Axis(0), &views).expect("pieces fit"), expected);
    assert_eq!((cache.len(), cache.bytes()), (tokens.len(), whole.bytes()));
    let told = model.architecture().cache_bytes(tokens.len());
    assert!(most as u64 <= told, "{most} bytes, and {told} were told");
    let each = model.architecture().cache_bytes(256) / 256; // no window is full yet
    assert!(told < each * 2600, "{told} bytes are no bound: all keys take {}", each * 2600);
    // The end of a text can be cut off; what goes further back begins anew.
    assert_eq!(cache.reachable(2590), 2590);
    assert_eq!([cache.reachable(5), cache.reachable(0)], [0, 0]);
    let error = cache.truncate(5).expect_err("it has forgotten").to_string();
    assert!(error.contains("a window forgets; it can go back to 0"), "{error}");
    cache.truncate(2590).expect("it is held");
    let again = model.forward(&tokens[2590..], &mut cache, &mut ()).expect("it runs");
    assert_eq!(again, expected.slice_axis(Axis(0), (2590..2600).into()));
    cache.truncate(0).expect("it can always begin anew");
    assert!(cache.is_empty());
    assert_eq!(
        model.forward(&tokens[..9], &mut cache, &mut ()).expect("it runs"),
        expected.slice_axis(Axis(0), (0..9).into())
    );
}

#[test]
fn half_of_gemma_2_is_bounded() {
    let library = Library::built_in().expect("the families");
    let family = library.get("gemma2").expect("it is built in");
    for size in &family.sizes {
        let architecture = family.resolve(&size.config, &[]).expect("it resolves");
        let all = architecture.cache_bytes(256) / 256 * 32_768;
        let held = architecture.cache_bytes(32_768);
        assert!(held * 10 <= all * 6, "{}: {held} of {all} bytes at 32k tokens", size.name);
    }
}
