//! A GGUF file made here, as llama.cpp's converter makes them, is the same model.

use std::path::Path;

use camelid_checkpoint::Checkpoint;
use camelid_families::{Backend, Library};
use camelid_generate::{How, Opened, Session, Settings};
use camelid_tokenizers::{Specials, Tokenizer};
use serde_json::Value as Json;

use crate::stories::{load, path};

/// A value of GGUF metadata.
enum Meta {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<Vec<u8>>),
    Floats(Vec<f32>),
    Ints(Vec<i32>),
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

fn array(out: &mut Vec<u8>, kind: u32, length: usize) {
    out.extend(9u32.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend((length as u64).to_le_bytes());
}

fn meta(out: &mut Vec<u8>, key: &str, value: &Meta) {
    text(out, key.as_bytes());
    let kind = |out: &mut Vec<u8>, kind: u32| out.extend(kind.to_le_bytes());
    match value {
        Meta::U32(x) => {
            kind(out, 4);
            out.extend(x.to_le_bytes());
        }
        Meta::F32(x) => {
            kind(out, 6);
            out.extend(x.to_le_bytes());
        }
        Meta::Bool(x) => {
            kind(out, 7);
            out.push(u8::from(*x));
        }
        Meta::Text(x) => {
            kind(out, 8);
            text(out, x.as_bytes());
        }
        Meta::Texts(list) => {
            array(out, 8, list.len());
            list.iter().for_each(|x| text(out, x));
        }
        Meta::Floats(list) => {
            array(out, 6, list.len());
            list.iter().for_each(|x| out.extend(x.to_le_bytes()));
        }
        Meta::Ints(list) => {
            array(out, 5, list.len());
            list.iter().for_each(|x| out.extend(x.to_le_bytes()));
        }
    }
}

/// llama.cpp's names.
fn name(ours: &str) -> String {
    let mut name = ours.replace("model.layers.", "blk.");
    for (from, to) in [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ] {
        name = name.replace(from, to);
    }
    name
}

/// The file's row 2j + s of a head is the original's s · d/2 + j.
fn permuted(values: &[f32], heads: usize, columns: usize) -> Vec<f32> {
    let d = values.len() / columns / heads;
    let mut out = Vec::with_capacity(values.len());
    for row in 0..heads * d {
        let (head, at) = (row / d, row % d);
        let original = head * d + (at % 2) * (d / 2) + at / 2;
        out.extend_from_slice(&values[original * columns..(original + 1) * columns]);
    }
    out
}

fn vocabulary(tokenizer: &dyn Tokenizer) -> [(&'static str, Meta); 3] {
    let ids = 0..tokenizer.vocab_size() as u32;
    let kind = |id: u32| match id {
        0 => 2,
        1 | 2 => 3,
        3..=258 => 6,
        _ => 1,
    };
    [
        (
            "tokenizer.ggml.tokens",
            Meta::Texts(ids.clone().map(|id| tokenizer.piece(id).unwrap_or_default().to_vec()).collect()),
        ),
        // In a sentencepiece BPE model the n-th merge has the score −n.
        ("tokenizer.ggml.scores", Meta::Floats(ids.clone().map(|id| 259.0 - id.max(259) as f32).collect())),
        ("tokenizer.ggml.token_type", Meta::Ints(ids.map(kind).collect())),
    ]
}

fn metadata(tokenizer: &dyn Tokenizer) -> Vec<(&'static str, Meta)> {
    let mut list = vec![
        ("general.architecture", Meta::Text("llama".into())),
        ("llama.context_length", Meta::U32(512)),
        ("llama.embedding_length", Meta::U32(64)),
        ("llama.block_count", Meta::U32(5)),
        ("llama.feed_forward_length", Meta::U32(172)),
        ("llama.rope.dimension_count", Meta::U32(8)),
        ("llama.attention.head_count", Meta::U32(8)),
        ("llama.attention.head_count_kv", Meta::U32(4)),
        ("llama.attention.layer_norm_rms_epsilon", Meta::F32(1e-5)),
        ("llama.vocab_size", Meta::U32(512)),
        ("tokenizer.ggml.model", Meta::Text("llama".into())),
        ("tokenizer.ggml.bos_token_id", Meta::U32(1)),
        ("tokenizer.ggml.eos_token_id", Meta::U32(2)),
        ("tokenizer.ggml.add_bos_token", Meta::Bool(true)),
    ];
    list.extend(vocabulary(tokenizer));
    list
}

fn write(path: &Path, metadata: &[(&str, Meta)]) {
    write_as(path, metadata, Heads::Apart);
}

/// Where queries, keys and values lie.
#[derive(Clone, Copy, PartialEq)]
enum Heads {
    Apart,
    Together,
}

/// Name, shape, numbers: as llama.cpp's converter has them.
fn tensors(heads: Heads) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let checkpoint = Checkpoint::open(crate::stories::path()).expect("it opens");
    let mut all: Vec<_> = checkpoint
        .tensors()
        .map(|tensor| {
            let mut values = tensor.to_f32().expect("floats");
            let heads = [("q_proj", 8), ("k_proj", 4)].into_iter();
            if let Some((_, heads)) = heads.into_iter().find(|(part, _)| tensor.name().contains(part)) {
                values = permuted(&values, heads, tensor.shape()[1]);
            }
            (name(tensor.name()), tensor.shape().to_vec(), values)
        })
        .collect();
    for layer in 0..if heads == Heads::Together { 5 } else { 0 } {
        let mut one = (format!("blk.{layer}.attn_qkv.weight"), vec![0, 64], Vec::new());
        for role in ["q", "k", "v"] {
            let apart = format!("blk.{layer}.attn_{role}.weight");
            let at = all.iter().position(|(name, ..)| *name == apart).expect("a tensor");
            let (_, shape, values) = all.remove(at);
            one.1[0] += shape[0];
            one.2.extend(values);
        }
        all.push(one);
    }
    all
}

fn write_as(path: &Path, metadata: &[(&str, Meta)], heads: Heads) {
    let tensors = tensors(heads);
    let (mut header, mut data) = (b"GGUF".to_vec(), Vec::new());
    header.extend(3u32.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend((metadata.len() as u64).to_le_bytes());
    metadata.iter().for_each(|(key, value)| meta(&mut header, key, value));
    for (name, shape, values) in tensors {
        text(&mut header, name.as_bytes());
        header.extend((shape.len() as u32).to_le_bytes());
        shape.iter().rev().for_each(|d| header.extend((*d as u64).to_le_bytes()));
        header.extend(0u32.to_le_bytes());
        data.resize(data.len().next_multiple_of(32), 0);
        header.extend((data.len() as u64).to_le_bytes());
        values.iter().for_each(|x| data.extend(x.to_le_bytes()));
    }
    header.resize(header.len().next_multiple_of(32), 0);
    header.extend(data);
    std::fs::write(path, header).expect("it is written");
}

#[test]
fn a_gguf_file_gives_the_reference_s_ids() {
    gives_the_reference_s_ids(Heads::Apart);
    gives_the_reference_s_ids(Heads::Together);
}

fn gives_the_reference_s_ids(heads: Heads) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stories.gguf");
    let stories = load();
    write_as(&file, &metadata(&*stories.tokenizer), heads);
    let library = Library::built_in().expect("the families");
    let opened = Opened::open(&library, &file.display().to_string(), &How::default()).expect("it opens");
    assert_eq!(opened.family().name, "llama2");
    assert!(opened.defaults().expect("defaults").eos.is_empty());
    let model = opened.model(Backend::serial(), &mut |_, _| {}).expect("it loads");
    assert_eq!(model.architecture().stack, stories.model.architecture().stack);
    let tokenizer = opened.tokenizer().expect("its tokenizer");
    assert_eq!(tokenizer.frame().stop, [2]);
    let expected: Json =
        serde_json::from_slice(&std::fs::read(path().join("expected.json")).expect("the file"))
            .expect("JSON");
    for row in expected["rows"].as_array().expect("rows") {
        let ids =
            tokenizer.encode(row["prompt"].as_str().expect("a prompt"), Specials::Literal).expect("ids");
        let prompt = tokenizer.frame().around(&ids);
        assert_eq!(serde_json::json!(prompt), row["input_ids"]);
        let settings = Settings { max_new_tokens: 200, stop_ids: vec![2], ..Settings::default() };
        let mut session = Session::new(&model, &*tokenizer);
        let generated: Vec<u32> = session
            .generate(&prompt, &settings)
            .expect("it begins")
            .map(|token| token.expect("a token").id)
            .collect();
        assert_eq!(serde_json::json!(generated), row["greedy_ids"]);
    }
}

#[test]
fn metadata_that_nothing_reads_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let stories = load();
    let library = Library::built_in().expect("the families");
    let check = |key: &'static str, value: Meta, expected: &str| {
        let file = folder.path().join("m.gguf");
        let mut metadata = metadata(&*stories.tokenizer);
        metadata.retain(|(known, _)| *known != key);
        metadata.push((key, value));
        write(&file, &metadata);
        let opened = Opened::open(&library, &file.display().to_string(), &How::default());
        let error = opened.and_then(|opened| opened.architecture()).expect_err("it is refused");
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(
        "llama.expert_count",
        Meta::U32(8),
        "the metadata key `llama.expert_count` is 8, which is not done here",
    );
    check(
        "general.architecture",
        Meta::Text("rwkv7".into()),
        "general.architecture is `rwkv7`, which no family reads; there are baichuan, chatglm, cohere2",
    );
    check("llama.rope.dimension_count", Meta::U32(4), "`partial_rotary_factor` = 0.5");
    check("llama.block_count", Meta::U32(6), "tensor `blk.5.attn_q.weight` [64, 64] is missing");
}

/// The vocabulary of Gemma 4's files, by the door that a user comes in by: llama.cpp's own ids.
#[test]
fn a_vocabulary_of_merged_pieces_is_opened() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tokenizers/tests/data");
    let read = |file: &str| std::fs::read_to_string(data.join(file)).expect("the file");
    let arrays: Json = serde_json::from_str(&read("merged.gguf.json")).expect("JSON");
    let stories = load();
    let mut metadata = metadata(&*stories.tokenizer);
    metadata.retain(|(key, _)| !key.starts_with("tokenizer."));
    let texts = |key: &str| {
        let list = arrays[key].as_array().expect("a list").iter();
        Meta::Texts(list.map(|text| text.as_str().expect("a text").as_bytes().to_vec()).collect())
    };
    let types = arrays["token_type"].as_array().expect("a list").iter();
    let types = types.map(|kind| kind.as_i64().expect("a number") as i32).collect();
    metadata.extend([
        ("tokenizer.ggml.model", Meta::Text("gemma4".into())),
        ("tokenizer.ggml.tokens", texts("tokens")),
        ("tokenizer.ggml.merges", texts("merges")),
        ("tokenizer.ggml.token_type", Meta::Ints(types)),
        ("tokenizer.ggml.bos_token_id", Meta::U32(2)),
        ("tokenizer.ggml.eos_token_id", Meta::U32(1)),
        ("tokenizer.ggml.unknown_token_id", Meta::U32(3)),
        ("tokenizer.ggml.add_bos_token", Meta::Bool(false)),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gemma.gguf");
    write(&file, &metadata);
    let library = Library::built_in().expect("the families");
    let opened = Opened::open(&library, &file.display().to_string(), &How::default()).expect("it opens");
    let tokenizer = opened.tokenizer().expect("its tokenizer");
    let rows = read("gguf-llamacpp.jsonl");
    let rows: Vec<Json> = rows.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let case = |row: &&Json| row["cases"] == serde_json::json!(["merged pieces, no bos, space before"]);
    let expected = rows.iter().find(case).expect("the case");
    let texts = rows[0]["texts"].as_array().expect("texts").iter();
    for (text, ids) in texts.zip(expected["parsed"].as_array().expect("ids")) {
        let text = text.as_str().expect("a text");
        let given = tokenizer.encode(text, Specials::Parse).expect("ids");
        assert_eq!(serde_json::json!(tokenizer.frame().around(&given)), *ids, "{text:?}");
        let literal = tokenizer.encode(text, Specials::Literal).expect("ids");
        assert_eq!(tokenizer.decode(&literal).expect("a text"), text);
    }
}
