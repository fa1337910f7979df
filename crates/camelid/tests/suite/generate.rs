//! `camelid generate`, option by option.

use std::path::Path;

use serde_json::Value as Json;

use crate::models::{camelid, case, config, copy, refused, run, stories, text};

fn generate(model: &Path, options: &[&str]) -> String {
    run(&[&["generate", "--model", text(model)], options].concat())
}

fn json(model: &Path, options: &[&str]) -> Json {
    serde_json::from_str(&generate(model, &[options, &["--json"]].concat())).expect("one JSON object")
}

const PROMPT: [&str; 4] = ["--prompt", "Once upon a time", "--max-new-tokens", "30"];

fn with<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [&PROMPT as &[&str], options].concat()
}

#[test]
fn json_has_the_reference_s_ids_and_no_other_keys() {
    let expected: Json =
        serde_json::from_slice(&std::fs::read(stories().join("expected.json")).expect("the file"))
            .expect("JSON");
    for row in expected["rows"].as_array().expect("rows") {
        let prompt = row["prompt"].as_str().expect("a prompt");
        let report = json(stories(), &["--prompt", prompt, "--max-new-tokens", "200"]);
        assert_eq!(report["prompt_ids"], row["input_ids"]);
        assert_eq!(report["generated_ids"], row["greedy_ids"]);
        // The reference decodes the new ids alone, which takes the first blank away; prompt and text together are the text.
        assert_eq!(
            report["text"].as_str().map(|text| text.trim_start_matches(' ')),
            row["greedy_text"].as_str()
        );
        assert_eq!(report["stop"], "length");
        let keys: Vec<_> = report.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(
            keys,
            ["prompt_ids", "generated_ids", "text", "stop", "prefill_tok_s", "decode_tok_s", "load_s"]
        );
        assert!(report["decode_tok_s"].as_f64().is_some_and(|rate| rate > 0.0));
    }
}

#[test]
fn text_goes_to_standard_output_and_figures_to_standard_error() {
    let output = camelid(&[&["generate", "--model", text(stories())], PROMPT.as_slice()].concat())
        .output()
        .expect("it runs");
    let expected = json(stories(), &PROMPT);
    assert_eq!(
        String::from_utf8(output.stdout).expect("UTF-8").trim_end_matches('\n'),
        expected["text"].as_str().expect("a text").trim_end_matches('\n')
    );
    let figures = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(figures.contains("5 prompt tokens") || figures.contains("prompt tokens"), "{figures}");
    assert!(figures.contains("30 new") && figures.contains("(as many as asked for)"), "{figures}");
    assert!(!figures.contains('\u{1b}'), "no colour where nobody sees it: {figures:?}");
}

#[test]
fn the_prompt_may_come_on_standard_input() {
    let model = stories();
    let mut command = camelid(&["generate", "--model", text(model), "--max-new-tokens", "30", "--json"]);
    let output = command.write_stdin("Once upon a time").output().expect("it runs");
    let report: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["generated_ids"], json(model, &PROMPT)["generated_ids"]);
}

#[test]
fn chance_follows_its_seed_and_its_bounds() {
    let model = stories();
    let ids = |options: &[&str]| json(model, &with(options))["generated_ids"].clone();
    let hot = |seed| ids(&["--temperature", "1.5", "--seed", seed]);
    assert_eq!(hot("1"), hot("1"));
    assert_ne!(hot("1"), hot("2"));
    let greedy = ids(&[]);
    assert_ne!(hot("1"), greedy);
    assert_eq!(ids(&["--temperature", "0"]), greedy);
    for one in [["--top-k", "1"], ["--top-p", "0"], ["--min-p", "1"]] {
        assert_eq!(
            ids(&[&one as &[&str], &["--temperature", "1.5", "--seed", "1"]].concat()),
            greedy,
            "{one:?}"
        );
    }
    assert_ne!(ids(&["--repetition-penalty", "1.5"]), greedy);
}

#[test]
fn options_of_chance_without_chance_are_noted() {
    let output =
        camelid(&[&["generate", "--model", text(stories())], with(&["--top-k", "4"]).as_slice()].concat())
            .output();
    let error = String::from_utf8(output.expect("it runs").stderr).expect("UTF-8");
    assert!(error.contains("do nothing here: the likeliest token is taken; give --temperature"), "{error}");
}

#[test]
fn stop_texts_end_the_text_and_are_no_part_of_it() {
    let report = json(stories(), &["--prompt", "Once upon a time", "--stop", "named", "--stop", "nowhere"]);
    assert_eq!(report["stop"], "text");
    assert!(report["text"].as_str().is_some_and(|text| text.ends_with("girl ")), "{report}");
}

#[test]
fn threads_compute_type_and_mapping_change_no_token() {
    let model = stories();
    let expected = json(model, &PROMPT)["generated_ids"].clone();
    for options in [
        &["--threads", "1"] as &[&str],
        &["--threads", "3"],
        &["--compute", "f32"],
        &["--compute", "bf16"],
        &["--compute", "q8"],
        &["--no-mmap"],
    ] {
        // The weights are f32: bf16 is for weights stored so, q8 for quantised ones.
        assert_eq!(json(model, &with(options))["generated_ids"], expected, "{options:?}");
    }
}

#[test]
fn weights_that_are_not_quantised_are_noted_with_q8() {
    let options = with(&["--compute", "q8"]);
    let output = camelid(&[&["generate", "--model", text(stories())], options.as_slice()].concat()).output();
    let told = String::from_utf8(output.expect("it runs").stderr).expect("UTF-8");
    assert!(told.contains("--compute q8 is for matrices in q8_0") && told.contains(" of F32"), "{told}");
}

#[test]
fn a_family_may_be_named_or_declared() {
    let model = stories();
    let expected = json(model, &PROMPT)["generated_ids"].clone();
    assert_eq!(json(model, &with(&["--family", "llama2"]))["generated_ids"], expected);
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("mine.toml");
    std::fs::write(
        &spec,
        "title = \"Mine\"\nextends = \"llama2\"\nmatch = \"= false\"\n[attention]\nscale = 0.5\n",
    )
    .expect("written");
    assert_ne!(json(model, &with(&["--spec", text(&spec)]))["generated_ids"], expected);
}

#[test]
fn keys_and_tensors_are_waved_through_by_name_only() {
    let folder = copy();
    config(folder.path(), |config| {
        config.insert("attn_temperature".into(), 2.into());
    });
    let model = text(folder.path());
    let error = refused(&["generate", "--model", model, "--prompt", "x"]);
    assert!(error.contains("`attn_temperature` = 2 is not known"), "{error}");
    run(&[
        "generate",
        "--model",
        model,
        "--prompt",
        "x",
        "--max-new-tokens",
        "1",
        "--allow-key",
        "attn_temperature",
    ]);
    config(folder.path(), |config| {
        config.remove("attn_temperature");
        config.insert("num_hidden_layers".into(), 4.into());
    });
    let error = refused(&["generate", "--model", model, "--prompt", "x"]);
    assert!(
        error.contains("tensor `model.layers.4.mlp.down_proj.weight` [64, 172] is in the checkpoint"),
        "{error}"
    );
    let parts = [
        "input_layernorm",
        "post_attention_layernorm",
        "mlp.down_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
        "self_attn.k_proj",
        "self_attn.o_proj",
        "self_attn.q_proj",
        "self_attn.v_proj",
    ];
    let names = parts.map(|part| format!("--allow-tensor=model.layers.4.{part}.weight"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    run(&[&["generate", "--model", model, "--prompt", "x", "--max-new-tokens", "1"], names.as_slice()]
        .concat());
}

#[test]
fn generation_config_says_what_is_not_asked_for() {
    let folder = copy();
    let ids = |options: &[&str]| json(folder.path(), &[&["--prompt", "Once upon a time"], options].concat());
    let greedy = ids(&["--max-new-tokens", "20"])["generated_ids"].clone();
    let write = |text: &str| {
        std::fs::write(folder.path().join("generation_config.json"), text).expect("it is written");
    };
    write(r#"{"max_new_tokens": 20}"#);
    assert_eq!(ids(&[])["generated_ids"], greedy);
    write(r#"{"do_sample": true, "temperature": 1.5, "top_k": 0, "max_new_tokens": 20}"#);
    assert_ne!(ids(&["--seed", "1"])["generated_ids"], greedy);
    assert_eq!(ids(&["--temperature", "0"])["generated_ids"], greedy);
    let fifth = greedy[4].as_u64().expect("an id");
    write(&format!(r#"{{"eos_token_id": [500, {fifth}]}}"#));
    let report = ids(&[]);
    assert_eq!(report["stop"], "eos");
    assert_eq!(
        report["generated_ids"].as_array().map(Vec::len),
        greedy.as_array().expect("ids").iter().position(|id| *id == fifth).map(|at| at + 1)
    );
    write(r#"{"num_beams": 4}"#);
    let output =
        camelid(&["generate", "--model", text(folder.path()), "--prompt", "x", "--max-new-tokens", "1"])
            .output();
    let error = String::from_utf8(output.expect("it runs").stderr).expect("UTF-8");
    assert!(error.contains("generation_config.json: num_beams = 4 is not implemented"), "{error}");
}

#[test]
fn a_name_of_the_hub_is_found_in_the_local_cache() {
    let cache = tempfile::tempdir().expect("a folder");
    let model = cache.path().join("models--who--what");
    let snapshot = model.join("snapshots/0123abcd");
    std::fs::create_dir_all(&snapshot).expect("a folder");
    std::fs::create_dir_all(model.join("refs")).expect("a folder");
    std::fs::write(model.join("refs/main"), "0123abcd").expect("written");
    for file in ["config.json", "model.safetensors", "tokenizer.model"] {
        std::fs::copy(stories().join(file), snapshot.join(file)).expect("copied");
    }
    let command = |name: &str| {
        let mut command = camelid(&[&["generate", "--model", name, "--json"], PROMPT.as_slice()].concat());
        command.env("HF_HUB_CACHE", cache.path()).output().expect("it runs")
    };
    let report: Json = serde_json::from_slice(&command("who/what").stdout).expect("JSON");
    assert_eq!(report["generated_ids"], json(stories(), &PROMPT)["generated_ids"]);
    let output = command("who/else");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("who/else"));
}

#[test]
fn a_conversation_is_held_turn_by_turn() {
    let folder = copy();
    std::fs::write(
        folder.path().join("chat_template.jinja"),
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}",
    )
    .expect("written");
    std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"bos_token": {"content": "<s>"}}"#)
        .expect("written");
    let args = [
        "generate",
        "--model",
        text(folder.path()),
        "--chat",
        "--system",
        "Be kind.",
        "--max-new-tokens",
        "8",
        "--json",
    ];
    let output = camelid(&args).write_stdin("Hello\n\nAnd you?\n").output().expect("it runs");
    let turns: Vec<Json> = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(turns.len(), 2, "{}", String::from_utf8_lossy(&output.stderr));
    let single: Json =
        serde_json::from_str(&run(&[&args as &[&str], &["--prompt", "Hello"]].concat())).expect("JSON");
    assert_eq!(single["generated_ids"], turns[0]["generated_ids"]);
    let ids = |turn: &Json| turn["prompt_ids"].as_array().cloned().expect("ids");
    assert_eq!(ids(&turns[0])[0], 1);
    assert!(ids(&turns[1]).len() > ids(&turns[0]).len());
    assert_eq!(ids(&turns[1])[..10], ids(&turns[0])[..10]);
}

#[test]
fn a_checkpoint_without_a_template_uses_its_family_s() {
    let report = json(stories(), &["--chat", "--prompt", "Hi", "--max-new-tokens", "4"]);
    assert_eq!(report["prompt_ids"][0], 1, "{report}");
}

#[test]
fn a_base_model_s_family_without_a_template_says_so() {
    let error = refused(&["generate", "--model", text(&case("llama1/base")), "--chat", "--prompt", "x"]);
    assert!(error.contains("tokenizer") || error.contains("no chat template"), "{error}");
}
