//! Attention against the definition in f64, over every mask and shapes off the nice path.

mod common;

use camelid_attention::{Reach, Settings};
use camelid_kernels::Backend;
use common::{Problem, difference, window};

/// Measured errors are below 1e-6; what a wrong key or score would cause is above 1e-3.
const BOUND: f64 = 3e-6;

#[track_caller]
fn check(settings: Settings, reach: Reach, [past, tokens]: [usize; 2]) {
    let problem = Problem::new(settings, reach, [past, tokens], 7);
    let found = difference(&problem.forward(&Backend::serial()), &problem.oracle());
    assert!(
        found <= BOUND,
        "{found:.1e} from the oracle: {:?}, {reach:?}, {tokens} after {past}",
        problem.settings
    );
}

fn plain(heads: usize, kv_heads: usize, head_dim: usize) -> Settings {
    Settings::plain(heads, kv_heads, head_dim)
}

fn capped(heads: usize, kv_heads: usize, head_dim: usize) -> Settings {
    Settings { softcap: Some(4.0), ..plain(heads, kv_heads, head_dim) }
}

fn sloped(heads: usize, kv_heads: usize, head_dim: usize) -> Settings {
    let slopes = (0..heads).map(|head| 2.0f32.powf(-8.0 / heads as f32 * (head + 1) as f32)).collect();
    Settings { slopes: Some(slopes), ..plain(heads, kv_heads, head_dim) }
}

#[test]
fn causal() {
    check(plain(1, 1, 1), Reach::Causal, [0, 1]);
    check(plain(5, 1, 7), Reach::Causal, [0, 2]);
    check(plain(4, 4, 16), Reach::Causal, [0, 37]);
    check(plain(14, 2, 64), Reach::Causal, [0, 70]);
    check(plain(14, 2, 64), Reach::Causal, [300, 1]);
    check(plain(8, 4, 256), Reach::Causal, [255, 1]);
    check(plain(3, 3, 80), Reach::Causal, [256, 1]);
    check(plain(9, 1, 20), Reach::Causal, [250, 12]);
    check(plain(71, 1, 8), Reach::Causal, [10, 3]);
    check(plain(2, 1, 33), Reach::Causal, [0, 300]);
}

#[test]
fn sliding_window() {
    check(plain(4, 2, 12), window(1), [0, 9]);
    check(plain(4, 2, 12), window(1), [700, 3]);
    check(plain(4, 2, 12), window(2), [255, 3]);
    check(plain(4, 2, 12), window(11), [0, 40]);
    check(plain(2, 2, 18), window(300), [400, 60]);
    check(capped(8, 4, 18), window(12), [0, 48]);
}

#[test]
fn prefix() {
    check(plain(4, 4, 24), Reach::Prefix(0), [0, 20]);
    check(plain(4, 4, 24), Reach::Prefix(1), [0, 20]);
    check(plain(4, 4, 24), Reach::Prefix(13), [0, 20]);
    check(plain(4, 4, 24), Reach::Prefix(20), [0, 20]);
    check(plain(4, 4, 24), Reach::Prefix(270), [0, 280]);
    check(plain(4, 4, 24), Reach::Prefix(13), [20, 1]);
}

#[test]
fn softcap_and_slopes() {
    check(capped(6, 3, 10), Reach::Causal, [0, 44]);
    check(sloped(6, 6, 10), Reach::Causal, [0, 45]);
    check(sloped(5, 5, 16), Reach::Causal, [600, 2]);
    check(Settings { softcap: Some(1.5), ..sloped(6, 2, 10) }, window(40), [280, 7]);
    check(sloped(6, 2, 10), Reach::Prefix(9), [0, 30]);
}

#[test]
fn chunks() {
    let chunk = |size| Reach::Chunk(size);
    check(plain(4, 2, 12), chunk(1), [0, 9]);
    check(plain(4, 2, 12), chunk(16), [0, 45]);
    check(plain(6, 2, 12), chunk(300), [590, 20]);
}

#[test]
fn sinks() {
    let sunk = |sink: f32| {
        let sinks = (0..6).map(|head| sink + head as f32).collect();
        Settings { sinks: Some(sinks), ..plain(6, 2, 16) }
    };
    for sink in [-30.0, -2.0, 0.5, 4.0] {
        check(sunk(sink), Reach::Causal, [0, 50]);
        check(sunk(sink), window(9), [300, 3]);
        check(sunk(sink), Reach::Causal, [600, 1]); // few tiles: block by block
    }
}
