//! Bad input: each one clear message and status 2.

use std::path::Path;

use crate::models::{camelid, config, copy, refused, stories, text};

#[track_caller]
fn check(model: &Path, options: &[&str], expected: &str) {
    let prompt: &[&str] = if options.contains(&"--prompt") { &[] } else { &["--prompt", "Once"] };
    let error = refused(&[&["generate", "--model", text(model)], prompt, options].concat());
    assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    assert!(error.starts_with("error: "), "{error}");
}

#[test]
fn no_such_model() {
    check(Path::new("nowhere"), &[], "nowhere: there is no such file or folder");
    check(Path::new("who/what-is-not-there"), &[], "as a name of the hub");
}

#[test]
fn a_folder_without_config() {
    let folder = copy();
    std::fs::remove_file(folder.path().join("config.json")).expect("removed");
    check(folder.path(), &[], "config.json");
    let empty = tempfile::tempdir().expect("a folder");
    check(empty.path(), &[], "model.safetensors");
}

#[test]
fn a_folder_without_tokenizer() {
    let folder = copy();
    std::fs::remove_file(folder.path().join("tokenizer.model")).expect("removed");
    check(folder.path(), &[], "holds no tokenizer: looked for tokenizer.json, tokenizer.model, vocab.json");
}

#[test]
fn a_tokenizer_larger_than_the_model() {
    let folder = copy();
    let weights = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).expect("the file");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    let embedding = &mut header["model.embed_tokens.weight"];
    let (start, end) = (embedding["data_offsets"][0].as_u64(), embedding["data_offsets"][1].as_u64());
    assert_eq!(embedding["shape"], serde_json::json!([512, 64]));
    embedding["shape"] = serde_json::json!([256, 128]);
    assert!(start < end);
    let json = header.to_string();
    std::fs::write(
        &weights,
        [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &bytes[8 + length..]].concat(),
    )
    .expect("written");
    check(
        folder.path(),
        &[],
        "tensor `model.embed_tokens.weight`: its shape is [256, 128], the family asks for [512, 64]",
    );
    let folder = copy();
    std::fs::write(folder.path().join("tokenizer.model"), b"\x0a\x03\x0a\x01a").expect("written");
    check(folder.path(), &[], "tokenizer.model");
}

#[test]
fn templates_without_end_and_with_unknown_filters() {
    let folder = copy();
    let template =
        |text: &str| std::fs::write(folder.path().join("chat_template.jinja"), text).expect("written");
    template("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}");
    check(
        folder.path(),
        &["--chat"],
        "chat_template.jinja, line 1: stopped after 10000000 steps: a loop without end",
    );
    template("a\n\n{{ messages | sparkle }}");
    check(
        folder.path(),
        &["--chat"],
        "chat_template.jinja, line 3: unknown filter: filter sparkle is unknown",
    );
    template("{{ raise_exception('roles must alternate') }}");
    check(folder.path(), &["--chat"], "the template refuses: roles must alternate");
    template("{% for %}");
    check(folder.path(), &["--chat"], "chat_template.jinja, line 1: syntax error");
}

#[test]
fn a_prompt_longer_than_the_context() {
    check(
        stories(),
        &["--prompt", &"Once upon a time. ".repeat(200)],
        "tokens, and the context ends after 512",
    );
    check(stories(), &["--context", "1"], "and the context ends after 1");
    check(stories(), &["--context", "0"], "a whole number is wanted, at least 1");
}

#[test]
fn a_context_longer_than_memory() {
    let folder = copy();
    config(folder.path(), |config| {
        config.insert("max_position_embeddings".into(), (1u64 << 40).into());
    });
    let tokens = (1u64 << 40).to_string();
    check(folder.path(), &["--max-new-tokens", &tokens], "take 2111.1 TB, and this machine has");
}

#[test]
fn weights_that_are_no_numbers() {
    let folder = copy();
    let weights = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&weights).expect("the file");
    let from = bytes.len() - 4096;
    bytes[from..].chunks_exact_mut(4).for_each(|x| x.copy_from_slice(&f32::NAN.to_le_bytes()));
    std::fs::write(&weights, bytes).expect("written");
    check(folder.path(), &[], "the weights hold NaN or infinities, or overflow");
}

#[test]
fn files_that_lie() {
    let folder = copy();
    let weights = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).expect("the file");
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).expect("written");
    check(folder.path(), &[], "model.safetensors");
    std::fs::write(&weights, [&(1u64 << 60).to_le_bytes()[..], &bytes[8..]].concat()).expect("written");
    check(folder.path(), &[], "model.safetensors");
    // A GGUF with one tensor of four numbers whose data begins beyond the file.
    let mut gguf = b"GGUF".to_vec();
    gguf.extend(3u32.to_le_bytes());
    gguf.extend(1u64.to_le_bytes());
    gguf.extend(1u64.to_le_bytes());
    let text = |out: &mut Vec<u8>, text: &str| {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.bytes());
    };
    text(&mut gguf, "general.architecture");
    gguf.extend(8u32.to_le_bytes());
    text(&mut gguf, "llama");
    text(&mut gguf, "token_embd.weight");
    gguf.extend(1u32.to_le_bytes());
    gguf.extend(4u64.to_le_bytes());
    gguf.extend(0u32.to_le_bytes());
    gguf.extend((1u64 << 40).to_le_bytes());
    gguf.resize(256, 0);
    let file = folder.path().join("lies.gguf");
    std::fs::write(&file, gguf).expect("written");
    check(&file, &[], "token_embd.weight");
}

#[test]
fn options_out_of_range() {
    check(stories(), &["--temperature=-1"], "a number is wanted, at least 0");
    check(stories(), &["--family", "nobody"], "no family is called `nobody`");
    check(stories(), &["--family", "gemma1", "--spec", "x.toml"], "");
}

#[test]
fn a_generation_config_of_wrong_types() {
    let folder = copy();
    let write =
        |text: &str| std::fs::write(folder.path().join("generation_config.json"), text).expect("written");
    write(r#"{"temperature": "hot", "do_sample": true}"#);
    check(folder.path(), &[], "generation_config.json: `temperature` = \"hot\" is no number");
    write(r#"{"eos_token_id": -1}"#);
    check(folder.path(), &[], "generation_config.json: -1 is no token id");
}

/// Options of llama.cpp that mean nothing here, or are called otherwise, are refused with what to do instead.
#[test]
fn options_of_another_engine_are_answered() {
    let model = text(stories());
    for (option, wanted) in [
        (&["-ngl", "99"] as &[&str], "-ngl: camelid computes on the processor"),
        (&["-ngl=99"], "-ngl: camelid computes on the processor"),
        (&["-fa", "on"], "leave it out"),
        (&["-no-cnv"], "-p TEXT goes on with a text"),
        (&["-st"], "--messages FILE"),
        (&["--mlock"], "--no-mmap"),
        (&["-sys", "Be brief."], "--system TEXT"),
        (&["-hf", "org/name"], "MODEL may be ORG/NAME"),
    ] {
        let args = [&["generate", "-m", model, "-p", "Once", "-n", "1"], option].concat();
        let message = refused(&args);
        assert!(message.contains(wanted), "{option:?}: {message}");
    }
    let message = refused(&["generate", "-m", model, "-p", "Once", "--unheard-of"]);
    assert!(!message.contains("leave it out"), "{message}");
}

/// Arguments are bytes on most systems.
#[test]
#[cfg(unix)]
fn an_argument_that_is_no_unicode_is_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let model = OsStr::from_bytes(b"\xff");
    for args in [[OsStr::new("-m"), model, OsStr::new("--unheard-of")], [model, OsStr::new("-p"), model]] {
        let output = camelid(&["generate"]).args(args).output().expect("it runs");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(message.starts_with("error: ") && !message.contains("panicked"), "{args:?}: {message}");
    }
}
