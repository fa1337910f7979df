//! What one file of llama.cpp holds in tensors apart and another in one: the halves of a latent's projection; queries, keys and values;
//! gates and ups of experts.

use std::path::{Path, PathBuf};

use camelid::checkpoint::gguf::{GgufWriter, Value as Meta};
use camelid::checkpoint::{Checkpoint, Dtype, Mapping, Planned, Source, Tensor};
use camelid::families::{Backend, Library};
use camelid::generate::{How, Opened};
use camelid::verify::Reference;

/// The family whose latents lie in two halves.
const LATENT: &str = "deepseek3";

type Keys = Vec<(String, Meta)>;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// A family's whole file with other keys and tensors.
fn written(family: &str, edit: impl Fn(&mut Keys, &mut Vec<Tensor>)) -> (tempfile::TempDir, PathBuf) {
    let whole = tests().join("data/gguf-whole").join(format!("{family}--base.gguf"));
    let whole = Checkpoint::open(whole).expect("the file");
    let keys = whole.gguf_metadata().expect("metadata");
    let mut keys: Keys = keys.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let mut tensors: Vec<Tensor> = whole.tensors().cloned().collect();
    edit(&mut keys, &mut tensors);
    let planned = tensors.iter().map(|tensor| Planned {
        name: tensor.name().to_owned(),
        dtype: tensor.dtype(),
        shape: tensor.shape().to_owned(),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    let mut writer = GgufWriter::create(&path, &keys, &planned.collect::<Vec<_>>()).expect("it begins");
    for tensor in &tensors {
        writer.write(tensor.name(), [tensor.bytes()]).expect("it is written");
    }
    writer.finish().expect("it is whole");
    (folder, path)
}

/// A file's logits and the reference's, or what is wrong with it.
fn run(family: &str, path: &Path) -> Result<(Vec<f32>, Vec<f64>), String> {
    let library = Library::built_in().expect("the built-in families");
    let opened = Opened::open(&library, &path.display().to_string(), &How::default());
    let opened = opened.map_err(|error| error.to_string())?;
    let model = opened.model(Backend::serial(), &mut |_, _| {}).map_err(|error| error.to_string())?;
    let reference = tests().join("cases").join(family).join("base/reference.safetensors");
    let reference = Source::open(&reference, Mapping::Read).expect("the reference");
    let reference = Reference::read(&reference.into()).expect("it is read");
    let hidden = model.forward(&reference.input_ids, &mut model.cache(), &mut ()).expect("it runs");
    let logits = model.logits(hidden.view()).iter().copied().collect();
    Ok((logits, reference.logits.iter().copied().collect()))
}

/// How far a file's logits are from the reference's.
fn far(family: &str, path: &Path) -> Result<f64, String> {
    let (ours, theirs) = run(family, path)?;
    let most = theirs.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let pairs = ours.iter().zip(&theirs);
    Ok(pairs.fold(0.0, |far: f64, (ours, theirs)| far.max((f64::from(*ours) - theirs).abs())) / most)
}

fn near(edit: impl Fn(&mut Keys, &mut Vec<Tensor>), tolerance: f64) {
    near_of(LATENT, edit, tolerance);
}

fn near_of(family: &str, edit: impl Fn(&mut Keys, &mut Vec<Tensor>), tolerance: f64) {
    let (_folder, path) = written(family, edit);
    let far = far(family, &path).expect("it runs");
    assert!(far <= tolerance, "{family}: {far}");
}

fn refused(edit: impl Fn(&mut Keys, &mut Vec<Tensor>), expected: &str) {
    let (_folder, path) = written(LATENT, edit);
    let error = far(LATENT, &path).expect_err("it is refused");
    assert!(error.contains(expected), "{error}");
}

fn halved(tensor: &Tensor) -> bool {
    tensor.name().contains("attn_k_b") || tensor.name().contains("attn_v_b")
}

/// The upper half of each number, as what it is or widened.
fn cut(tensor: &Tensor, dtype: Dtype) -> Tensor {
    let numbers = tensor.to_f32().expect("floats");
    let halves = numbers.iter().map(|number| (number.to_bits() >> 16) as u16);
    let bytes: Vec<u8> = match dtype {
        Dtype::Bf16 => halves.flat_map(u16::to_le_bytes).collect(),
        _ => halves.flat_map(|half| (u32::from(half) << 16).to_le_bytes()).collect(),
    };
    Tensor::from_bytes(tensor.name(), dtype, tensor.shape(), bytes.into()).expect("a tensor")
}

fn set(keys: &mut Keys, key: &str, value: Meta) {
    keys.retain(|(known, _)| known != key);
    keys.push((key.to_owned(), value));
}

/// In one type or in two: bf16 gives the bits of the same numbers in f32.
#[test]
fn two_halves_are_the_whole() {
    near(|_, _| {}, 1e-5);
    let logits = |keys: Dtype, values: Dtype| {
        let (_folder, path) = written(LATENT, |_, tensors| {
            for tensor in tensors.iter_mut().filter(|tensor| halved(tensor)) {
                let dtype = if tensor.name().contains("k_b") { keys } else { values };
                *tensor = cut(tensor, dtype);
            }
        });
        run(LATENT, &path).expect("it runs").0
    };
    let floats = logits(Dtype::F32, Dtype::F32);
    assert_eq!(logits(Dtype::Bf16, Dtype::Bf16), floats);
    assert_eq!(logits(Dtype::Bf16, Dtype::F32), floats);
    assert_eq!(logits(Dtype::F32, Dtype::Bf16), floats);
}

/// Before April 2025 the files had the whole, as many heads of keys as of queries, and other lengths.
#[test]
fn an_older_file_has_the_whole() {
    let older = |keys: &mut Keys, tensors: &mut Vec<Tensor>| {
        keys.retain(|(key, _)| !key.ends_with("_mla") && !key.contains("expert_group"));
        for (key, value) in [("head_count_kv", 4), ("key_length", 28), ("value_length", 12)] {
            set(keys, &format!("deepseek2.attention.{key}"), Meta::Unsigned(value));
        }
        for (key, value) in [("expert_group_count", 4), ("expert_group_used_count", 2)] {
            set(keys, &format!("deepseek2.{key}"), Meta::Unsigned(value));
        }
        tensors.retain(|tensor| !halved(tensor));
        let case = Checkpoint::open(tests().join("cases/deepseek3/base")).expect("the case");
        for layer in 0..3 {
            let name = format!("model.layers.{layer}.self_attn.kv_b_proj.weight");
            let whole = case.tensor(&name).expect("the whole");
            tensors.push(whole.renamed(&format!("blk.{layer}.attn_kv_b.weight")));
        }
    };
    near(older, 1e-5);
}

/// A file need not say sigmoid where it has corrections; where it says another, it is told.
#[test]
fn what_chooses_experts_is_told_by_the_file() {
    let says = |value: u64| {
        move |keys: &mut Keys, _: &mut Vec<Tensor>| {
            set(keys, "deepseek2.expert_gating_func", Meta::Unsigned(value));
        }
    };
    near(says(2), 1e-5);
    refused(says(1), "which is not done here");
}

#[test]
fn halves_that_do_not_fit_are_told() {
    refused(
        |_, tensors| tensors.retain(|tensor| tensor.name() != "blk.1.attn_v_b.weight"),
        "tensor `blk.1.attn_k_b.weight` is one half of a projection, whose other half `blk.1.attn_v_b.weight` is missing",
    );
    refused(
        |_, tensors| tensors.retain(|tensor| !halved(tensor)),
        "tensor `blk.0.attn_kv_b.weight` [96, 16] is missing",
    );
    let turned = |_: &mut Keys, tensors: &mut Vec<Tensor>| {
        for tensor in tensors.iter_mut().filter(|tensor| tensor.name() == "blk.2.attn_k_b.weight") {
            let bytes = tensor.bytes().expect("bytes");
            *tensor = Tensor::from_bytes(tensor.name(), Dtype::F32, &[4, 12, 16], bytes).expect("a tensor");
        }
    };
    refused(
        turned,
        "tensor `blk.2.attn_k_b.weight`: its shape is [4, 12, 16], the family asks for [4, 16, 12]",
    );
    let both = |_: &mut Keys, tensors: &mut Vec<Tensor>| {
        let bytes = vec![0; 96 * 16 * 4].into();
        let whole = Tensor::from_bytes("blk.0.attn_kv_b.weight", Dtype::F32, &[96, 16], bytes);
        tensors.push(whole.expect("a tensor"));
    };
    refused(both, "blk.0.attn_k_b.weight");
}

/// One tensor in place of those whose names end so, their rows in turn: the first extent of a matrix or a bias, the second of stacked
/// ones.
fn fused(tensors: &mut Vec<Tensor>, apart: &[&str], one: &str) {
    for layer in 0..3 {
        let of = |end: &&str| format!("blk.{layer}.{end}");
        let all: Vec<Tensor> = apart
            .iter()
            .filter_map(|end| tensors.iter().find(|tensor| tensor.name() == of(end)).cloned())
            .collect();
        if all.is_empty() {
            continue;
        }
        let stacks = if all[0].shape().len() == 3 { all[0].shape()[0] } else { 1 };
        let bytes: Vec<_> = all.iter().map(|tensor| tensor.bytes().expect("bytes")).collect();
        let mut joined: Vec<u8> = Vec::new();
        for at in 0..stacks {
            for bytes in &bytes {
                let size = bytes.len() / stacks;
                joined.extend_from_slice(&bytes[at * size..(at + 1) * size]);
            }
        }
        let mut shape = all[0].shape().to_vec();
        let rows = shape.len().saturating_sub(2);
        shape[rows] = all.iter().map(|tensor| tensor.shape()[rows]).sum();
        tensors.retain(|tensor| !all.iter().any(|part| part.name() == tensor.name()));
        tensors.push(Tensor::from_bytes(&of(&one), Dtype::F32, &shape, joined.into()).expect("a tensor"));
    }
}

#[test]
fn what_lies_in_one_tensor_is_what_lies_apart() {
    let heads = |_: &mut Keys, tensors: &mut Vec<Tensor>| {
        for part in ["weight", "bias"] {
            let apart = ["q", "k", "v"].map(|role| format!("attn_{role}.{part}"));
            fused(tensors, &apart.each_ref().map(String::as_str), &format!("attn_qkv.{part}"));
        }
    };
    let experts = |_: &mut Keys, tensors: &mut Vec<Tensor>| {
        fused(tensors, &["ffn_gate_exps.weight", "ffn_up_exps.weight"], "ffn_gate_up_exps.weight");
    };
    near_of("glm4.5", heads, 1e-4);
    near_of("glm4.5", experts, 1e-4);
    near_of("deepseek3", experts, 1e-5);
    refused(
        |_, tensors| {
            let both = tensors.iter().find(|tensor| tensor.name().contains("ffn_gate_exps"));
            let both = both.expect("a tensor").renamed("blk.2.ffn_gate_up_exps.weight");
            tensors.push(both);
        },
        "ffn_gate_exps.weight",
    );
}
