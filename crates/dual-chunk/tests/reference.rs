//! Queries, keys and values before any turn to outputs, against vLLM's original code in f64 (and its composition with
//! YaRN's frequencies).

use camelid_attention::{Attention, Settings as Shape};
use camelid_dual_chunk::{DualChunk, Settings};
use camelid_kernels::{Backend, Compute};
use camelid_rope::{Frequencies, Pairing};
use ndarray::Array3;
use safetensors::SafeTensors;
use serde_json::Value;

fn numbers<const SIZE: usize, T>(file: &SafeTensors<'_>, name: &str, number: fn([u8; SIZE]) -> T) -> Vec<T> {
    let tensor = file.tensor(name).expect(name);
    tensor.data().as_chunks::<SIZE>().0.iter().map(|bytes| number(*bytes)).collect()
}

fn tensor<const SIZE: usize, T>(
    file: &SafeTensors<'_>,
    name: &str,
    number: fn([u8; SIZE]) -> T,
) -> Array3<T> {
    let [tokens, heads, head_dim] = *file.tensor(name).expect(name).shape() else {
        panic!("{name} has three axes")
    };
    Array3::from_shape_vec((tokens, heads, head_dim), numbers(file, name, number)).expect("as the file says")
}

fn size(config: &Value, key: &str) -> usize {
    config[key].as_u64().expect(key) as usize
}

/// YaRN's own frequencies where the vector brings them, else the plain ones.
fn frequencies(config: &Value, file: &SafeTensors<'_>) -> Frequencies {
    if file.tensor("inv_freq").is_ok() {
        let inverse = numbers(file, "inv_freq", f32::from_le_bytes).into_iter().map(f64::from).collect();
        return Frequencies {
            inverse,
            factor: config["yarn"]["attention_factor"].as_f64().expect("a factor"),
        };
    }
    let (theta, head_dim) = (config["rope_theta"].as_f64().expect("theta"), size(config, "head_dim"));
    let inverse = (0..head_dim / 2).map(|pair| theta.powf(-2.0 * pair as f64 / head_dim as f64)).collect();
    Frequencies { inverse, factor: 1.0 }
}

#[track_caller]
fn check(config: &str, file: &[u8]) {
    let config: Value = serde_json::from_str(config).expect("JSON");
    let file = SafeTensors::deserialize(file).expect("well-formed");
    let dual = DualChunk::new(Settings {
        chunk_size: size(&config, "chunk_size"),
        local_size: size(&config, "local_size"),
        original_max_position_embeddings: config["original_max_position_embeddings"]
            .as_u64()
            .map(|n| n as usize),
    })
    .expect("good settings");
    let (heads, kv_heads) = (size(&config, "n_heads"), size(&config, "n_kv_heads"));
    let attention =
        Attention::new(Shape::plain(heads, kv_heads, size(&config, "head_dim"))).expect("good settings");
    let pass = dual.pass(0..size(&config, "T"), &frequencies(&config, &file), Pairing::Half);

    let mut keys = tensor(&file, "k", f32::from_le_bytes);
    pass.turn_keys(keys.view_mut());
    let mut cache = attention.cache(Compute::F32);
    cache.append(keys.view(), tensor(&file, "v", f32::from_le_bytes).view(), &Backend::serial());
    let queries = tensor(&file, "q", f32::from_le_bytes);
    let ours = pass.attend(&attention, queries.view(), &cache, &Backend::serial());

    let exact = tensor(&file, "out_f64", f64::from_le_bytes);
    let largest = exact.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    for (index, (ours, exact)) in ours.iter().zip(&exact).enumerate() {
        let error = (f64::from(*ours) - exact).abs() / largest;
        assert!(error <= 1e-5, "output {index} is {error:.1e} from the reference");
    }
}

macro_rules! vectors {
    ($($test:ident $name:literal)*) => {$(
        #[test]
        fn $test() {
            check(include_str!(concat!("data/", $name, ".json")), include_bytes!(concat!("data/", $name, ".safetensors")));
        }
    )*};
}

vectors! {
    plain "a"
    one_kv_head "b"
    scaled "c-mscale"
    scaled_mha "d-mscale"
    local_size_above_the_chunk "e-biglocal"
    less_than_a_chunk "f-short"
    whole_chunks "g-exact"
    with_yarn "yarn-a"
    with_yarn_and_one_kv_head "yarn-b"
}
