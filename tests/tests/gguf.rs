//! GGUF files as llama.cpp's converter writes them (`tests/reference/gguf_heads.py`, their heads without weights) are the models
//! that they were made of: the same family's numbers, every tensor claimed, and every key read or known to mean nothing.

use std::path::{Path, PathBuf};

use camelid::checkpoint::gguf::{GgufWriter, Value as Meta};
use camelid::checkpoint::{Checkpoint, Dtype, Mapping, Planned, Source, read_json};
use camelid::families::{Allow, Architecture, Backend, Library, difference};
use camelid::verify::Reference;
use serde_json::Value as Json;

/// More than the largest of the files had.
const WHOLE: u64 = 4 << 20;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The head of a file with further metadata, then zeros in place of the weights.
fn file(name: &str, entries: &[Vec<u8>]) -> (tempfile::TempDir, PathBuf) {
    let head = std::fs::read(tests().join("data/gguf-heads").join(name)).expect("the head");
    let count = u64::from_le_bytes(head[16..24].try_into().expect("8 bytes")) + entries.len() as u64;
    let bytes = [&head[..16], &count.to_le_bytes(), &entries.concat(), &head[24..]].concat();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("it is written");
    std::fs::File::options().write(true).open(&path).and_then(|file| file.set_len(WHOLE)).expect("zeros");
    (folder, path)
}

/// What a file amounts to.
fn read(name: &str, entries: &[Vec<u8>]) -> Result<(String, Architecture), String> {
    let (_folder, path) = file(name, entries);
    let library = library();
    let allow = Allow::default();
    let checkpoint = Checkpoint::open(&path).map_err(|error| error.to_string())?;
    // Two families share an architecture's name, and a small vocabulary does not tell them apart.
    let family = name.split_once("--").map(|(family, _)| family).filter(|name| name.starts_with("baichuan"));
    let read = library.from_gguf(&checkpoint, family, &allow).map_err(|error| error.to_string())?;
    let architecture = read.declaration.architecture(&read.config, &read.checkpoint, &allow);
    Ok((read.declaration.name.clone(), architecture.map_err(|error| error.to_string())?))
}

fn library() -> Library {
    Library::built_in().expect("the built-in families")
}

/// What the config.json that a file was made of amounts to.
fn original(name: &str) -> Architecture {
    let (family, case) = name.trim_end_matches(".gguf").split_once("--").expect("FAMILY--CASE");
    let folder = tests().join("cases").join(family).join(case);
    let config = read_json(&folder.join("config.json")).expect("the config.json");
    let library = library();
    let family = library.get(family).expect("a family");
    family.resolve(&config, &[]).unwrap_or_else(|unresolved| panic!("{name}: {:?}", unresolved.problems))
}

/// The frequencies of every layer, at the trained length and beyond it.
fn frequencies(architecture: &Architecture) -> Vec<f64> {
    let mut all = Vec::new();
    for layer in &architecture.layers {
        let Some(rope) = &layer.rope else { continue };
        let length = rope.context.unwrap_or(1);
        let frequencies = rope.frequencies(layer.attention.head_dim, length).expect("frequencies");
        all.extend(frequencies.inverse.iter().chain([&frequencies.factor]));
    }
    all
}

fn near(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b)),
        (a, b) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * a.abs().max(b.abs()),
            (None, _) | (_, None) => a == b,
        },
    }
}

/// Words that the files do not have, or have under another form.
fn elsewhere(name: &str, word: &str) -> bool {
    let not_written = match name {
        // The scale is told from the sizes of the published models; this case has another.
        "gemma2--stdcap.gguf" => &["attention.scale"][..],
        // Nor is it written which layers slide: it is five of six, as in the published models, and in this case two of three.
        "gemma3--base.gguf" => &["attention.scale", "attention.window", "rope.theta"],
        // llama.cpp has no windows for this architecture, and its converter writes none.
        "starcoder2--base.gguf" => &["attention.window"],
        // The converter looks for the eps under another key than this config.json has, and writes 1e-5.
        "glm4-hf--base.gguf" => &["norm.eps"],
        // llama.cpp knows one pattern of layers that turn and one of layers that slide.
        "smollm3--base.gguf" => &[
            "attention.position",
            "rope.theta",
            "rope.pairing",
            "rope.fraction",
            "rope.rest",
            "rope.length",
            "rope.axes",
        ],
        "gpt-oss--base.gguf" => &["mlp.limit"],
        "llama4--base.gguf" => &[
            "attention.chunk",
            "attention.temperature",
            "attention.position",
            "rope.theta",
            "rope.pairing",
            "rope.fraction",
            "rope.rest",
            "rope.length",
            "rope.axes",
            // The same norms without weights, in other layers.
            "tensors.query_norm",
            "tensors.key_norm",
        ],
        "cohere2--base.gguf" => &["attention.position", "attention.window", "rope.theta"],
        // Nothing is written of what is done beyond the trained length; the trained length itself is another key's.
        "qwen1--base.gguf" => &["attention.logn", "rope.scaling", "rope.length"],
        // The converter writes no growth of queries for this one: the one published model's is taken.
        "mistral4--base.gguf" => &["attention.temperature"],
        _ => &[],
    };
    // Names of tensors are the file's own; its norms hold 1 + w; frequencies are compared by number; the converter writes some
    // other key as the trained length of GLM.
    // Value heads of a delta net lie in another order.
    let form =
        ["norm.offset", "rope.scaling", "rope.context", "block.context", "delta.share"].contains(&word);
    word.starts_with("tensors.") || form || not_written.contains(&word)
}

/// Files that do not say what is done beyond the trained length, or which layers slide.
const FREQUENCIES_ELSEWHERE: [&str; 4] =
    ["qwen1--base.gguf", "gemma3--base.gguf", "smollm3--base.gguf", "llama4--base.gguf"];

#[test]
fn a_converted_file_is_the_model_that_it_was_made_of() {
    let folder = std::fs::read_dir(tests().join("data/gguf-heads")).expect("the heads");
    let mut names: Vec<_> =
        folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert!(names.len() >= 41, "{names:?}");
    let mut wrong = Vec::new();
    for name in &names {
        let theirs = original(name);
        match read(name, &[]) {
            // Nothing in the file tells whether a width of neither size has RoPE or ALiBi.
            Err(error) if name == "baichuan1--7b-base.gguf" => {
                assert!(error.contains("hidden_size"), "{error}");
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok((_, ours)) => {
                let words = difference(&ours, &theirs).into_iter();
                let words =
                    words.filter(|(word, ours, theirs)| !elsewhere(name, word) && !near(ours, theirs));
                wrong.extend(
                    words.map(|(word, ours, theirs)| format!("{name}: {word} is {ours}, not {theirs}")),
                );
                let (ours, theirs) = (frequencies(&ours), frequencies(&theirs));
                let far = ours.iter().zip(&theirs).any(|(a, b)| (a - b).abs() > 1e-5 * b.abs());
                if (far || ours.len() != theirs.len()) && !FREQUENCIES_ELSEWHERE.contains(&name.as_str()) {
                    wrong.push(format!("{name}: frequencies {ours:?}\n  not {theirs:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&text(key)[..], &kind.to_le_bytes(), value].concat()
}

const GQA: &str = "llama2--gqa.gguf";

#[test]
fn a_key_at_its_neutral_value_changes_nothing() {
    let plain = read(GQA, &[]).expect("it reads");
    for neutral in [
        entry("llama.expert_count", 4, &0_u32.to_le_bytes()),
        entry("llama.expert_used_count", 4, &0_u32.to_le_bytes()),
        entry("llama.rope.scaling.attn_factor", 6, &1_f32.to_le_bytes()),
        entry("llama.rope.scale_linear", 6, &1_f32.to_le_bytes()),
        entry("llama.attention.causal", 7, &[1]),
        entry("llama.use_parallel_residual", 7, &[1]),
        entry("llama.attention.sliding_window", 4, &0_u32.to_le_bytes()),
        entry("llama.pooling_type", 4, &0_u32.to_le_bytes()),
    ] {
        assert_eq!(read(GQA, std::slice::from_ref(&neutral)).as_ref(), Ok(&plain), "{neutral:?}");
    }
}

#[test]
fn a_key_at_another_value_is_told() {
    let refused = |entry: Vec<u8>, message: &str| {
        let error = read(GQA, &[entry]).expect_err("it is refused");
        assert!(error.contains(message), "{error}");
    };
    refused(
        entry("llama.expert_count", 4, &8_u32.to_le_bytes()),
        "`llama.expert_count` is 8, which is not done here",
    );
    refused(entry("llama.attention.causal", 7, &[0]), "`llama.attention.causal` is false");
    refused(entry("llama.something", 4, &1_u32.to_le_bytes()), "`llama.something` = 1 is not known");
}

#[test]
fn a_list_of_one_number_for_all_layers_is_that_number() {
    let list = |numbers: &[u32]| {
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        let count = (numbers.clone().count() as u64 / 4).to_le_bytes();
        entry(
            "qwen.attention.head_count_kv",
            9,
            &[&4_u32.to_le_bytes()[..], &count, &numbers.collect::<Vec<_>>()].concat(),
        )
    };
    let plain = read("qwen1--base.gguf", &[]).expect("it reads");
    assert_eq!(read("qwen1--base.gguf", &[list(&[4, 4, 4])]), Ok(plain));
    assert!(read("qwen1--base.gguf", &[list(&[4, 2, 4])]).is_err());
}

#[test]
fn yarn_is_read_as_the_converter_writes_it() {
    let yarn = [
        entry("llama.rope.scaling.type", 8, &text("yarn")),
        entry("llama.rope.scaling.factor", 6, &4_f32.to_le_bytes()),
        entry("llama.rope.scaling.original_context_length", 4, &64_u32.to_le_bytes()),
        entry("llama.rope.scaling.yarn_beta_fast", 6, &24_f32.to_le_bytes()),
        entry("llama.rope.scaling.yarn_beta_slow", 6, &2_f32.to_le_bytes()),
        entry("llama.rope.scaling.yarn_attn_factor", 6, &1.5_f32.to_le_bytes()),
        entry("llama.rope.scaling.yarn_ext_factor", 6, &1_f32.to_le_bytes()),
    ];
    let (_, architecture) = read(GQA, &yarn).expect("it reads");
    let rope = architecture.layers[0].rope.as_ref().expect("rope");
    let scaling = serde_json::to_value(&rope.scaling).expect("JSON");
    for (key, value) in [
        ("factor", 4.0),
        ("original_max_position_embeddings", 64.0),
        ("beta_fast", 24.0),
        ("beta_slow", 2.0),
        ("attention_factor", 1.5),
    ] {
        assert_eq!(scaling[key].as_f64(), Some(value), "{key} in {scaling}");
    }
    assert_eq!(scaling["rope_type"], "yarn");
}

/// The numbers of a whole file, by the command's own door: what its original computed is what it computes.
#[test]
fn a_whole_file_computes_what_its_original_computes() {
    for (name, case) in [("glm4.5--base.gguf", "glm4.5/base"), ("qwen3.5--base.gguf", "qwen3.5/base")] {
        let path = tests().join("data/gguf-whole").join(name);
        let library = library();
        let checkpoint = Checkpoint::open(&path).expect("the file");
        let allow = Allow::default();
        let read = library.from_gguf(&checkpoint, None, &allow).expect("it reads");
        let model = read
            .declaration
            .load(&read.config, &read.checkpoint, Backend::serial(), &allow)
            .expect("it loads");
        let reference = tests().join("cases").join(case).join("reference.safetensors");
        let reference = Source::open(&reference, Mapping::Read).expect("the reference");
        let reference = Reference::read(&reference.into()).expect("it is read");
        let hidden = model.forward(&reference.input_ids, &mut model.cache(), &mut ()).expect("it runs");
        let logits = model.logits(hidden.view());
        let most = reference.logits.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let pairs = logits.iter().zip(&reference.logits);
        let far = pairs.fold(0.0, |far: f64, (ours, theirs)| far.max((f64::from(*ours) - theirs).abs()));
        assert!(far <= 1e-4 * most, "{name}: {far} of {most}");
    }
}

/// A whole file with further tensors, and its count of blocks that draft as given.
fn drafting(count: u64, more: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let whole = Checkpoint::open(tests().join("data/gguf-whole/glm4.5--base.gguf")).expect("the file");
    let (drafts, blocks) = ("glm4moe.nextn_predict_layers", "glm4moe.block_count");
    let metadata = whole.gguf_metadata().expect("metadata");
    let metadata = metadata.iter().filter(|(key, _)| ![drafts, blocks].contains(key));
    let mut metadata: Vec<_> = metadata.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    metadata.push((blocks.to_owned(), Meta::Unsigned(3 + count)));
    metadata.extend((count > 0).then(|| (drafts.to_owned(), Meta::Unsigned(count))));
    let extra = |name: &&str| Planned { name: (*name).to_owned(), dtype: Dtype::F32, shape: vec![4] };
    let own = whole.tensors().map(|tensor| Planned {
        name: tensor.name().to_owned(),
        dtype: tensor.dtype(),
        shape: tensor.shape().to_owned(),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    let planned: Vec<_> = own.chain(more.iter().map(extra)).collect();
    let mut writer = GgufWriter::create(&path, &metadata, &planned).expect("it begins");
    for tensor in whole.tensors() {
        writer.write(tensor.name(), [tensor.bytes()]).expect("it is written");
    }
    for name in more {
        writer.write(name, [Ok(vec![0; 16].into())]).expect("it is written");
    }
    writer.finish().expect("it is whole");
    (folder, path)
}

#[test]
fn blocks_that_draft_are_set_aside_and_none_else() {
    let fits = |count: u64, more: &[&str]| -> Result<usize, String> {
        let (_folder, path) = drafting(count, more);
        let checkpoint = Checkpoint::open(&path).map_err(|error| error.to_string())?;
        let (library, allow) = (library(), Allow::default());
        let read = library.from_gguf(&checkpoint, None, &allow).map_err(|error| error.to_string())?;
        let architecture = read.declaration.architecture(&read.config, &read.checkpoint, &allow);
        architecture.map(|architecture| architecture.layers.len()).map_err(|error| error.to_string())
    };
    let block = ["blk.3.attn_q.weight", "blk.3.nextn.eh_proj.weight"];
    assert_eq!(fits(1, &block), Ok(3));
    assert_eq!(fits(0, &[]), Ok(3));
    for (count, more) in
        [(0, &block[..]), (1, &["blk.4.attn_q.weight"]), (1, &["blk.2.nextn.eh_proj.weight"])]
    {
        let error = fits(count, more).expect_err("a tensor that nothing claims");
        assert!(error.contains(more[0]), "{error}");
    }
}
