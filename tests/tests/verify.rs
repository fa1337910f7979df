//! `verify` on whole families, on folders that are no cases, and what its JSON holds.

use std::fs;
use std::path::{Path, PathBuf};

use camelid::families::Library;
use camelid::verify::{Depth, FamilyReport, Settings, verify};
use serde_json::{Value as Json, json};

fn carried(family: &str, case: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "cases", family, case].iter().collect()
}

fn verified(family: &str, cases: &[PathBuf], depth: Depth) -> FamilyReport {
    let library = Library::built_in().expect("the built-in families");
    let settings = Settings { depth, ..Settings::default() };
    verify(&library, family, cases, &settings, &|_, _, _| {}).expect("the family is known")
}

fn keys(value: &Json) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn holds(value: &Json, wanted: &[&str]) {
    let found = keys(value);
    assert!(wanted.iter().all(|key| found.contains(key)), "{found:?} lacks one of {wanted:?}");
}

#[test]
fn the_json_has_the_keys_that_others_read() {
    let other = saying_all(&carried("llama1", "base"));
    let report = verified("gemma1", &[carried("gemma1", "mqa"), other.path().to_owned()], Depth::Prove);
    assert_eq!(report.exit_status(), 1);
    let json = serde_json::to_value(&report).expect("plain data");
    holds(&json, &["family", "passed", "parameters", "cases", "proof", "proved", "unproved"]);
    holds(&json["parameters"][0], &["size", "counted", "published", "equal"]);
    let [good, bad] = [&json["cases"][0], &json["cases"][1]];
    let of_a_case =
        ["name", "passed", "taps", "greedy", "error_vs_f64", "reference_error_vs_f64", "first_divergence"];
    holds(good, &of_a_case);
    holds(&good["taps"][0], &["stage", "layer", "max_abs", "relative"]);
    assert_eq!(good["greedy"], json!({ "matched": 16, "of": 16 }));
    assert_eq!((&good["passed"], &good["first_divergence"]), (&json!(true), &Json::Null));
    let first = &bad["first_divergence"];
    holds(first, &["layer", "stage", "likely_cause", "first_token", "heads"]);
    let cause = first["likely_cause"].as_str().expect("a text");
    assert!(cause.contains("1 + w"), "{cause}");
    holds(&json["proof"][0], &["word", "change", "outcome", "case", "layer", "stage"]);
}

/// A copy of a case whose config.json says what another family's config class has other defaults for.
fn saying_all(case: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(case).expect("a case") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    let path = folder.path().join("config.json");
    let mut config: Json = serde_json::from_slice(&fs::read(&path).expect("config.json")).expect("JSON");
    config["num_key_value_heads"] = config["num_attention_heads"].clone();
    let number = |key: &str| config[key].as_u64().expect("a number");
    config["head_dim"] = (number("hidden_size") / number("num_attention_heads")).into();
    fs::remove_file(&path).expect("it was copied");
    fs::write(&path, config.to_string()).expect("written");
    folder
}

#[test]
fn every_word_of_a_declaration_is_asked_for() {
    let report = verified("gemma2", &[carried("gemma2", "softcap")], Depth::Prove);
    let proof = report.proof.expect("it was asked for");
    assert_eq!(proof.open().count(), 0, "{:?}", proof.open().collect::<Vec<_>>());
    for word in camelid::families::words().iter().filter(|word| {
        !["prefix", "rope", "experts", "latent", "delta", "per_layer"].contains(&word.table.as_str())
    }) {
        let word = format!("{}.{}", word.table, word.key);
        assert!(proof.proof.iter().any(|proof| proof.word == word), "nothing changes `{word}`");
    }
    let outcome = |word: &str| proof.proof.iter().filter(|proof| proof.word == word).count();
    assert!(outcome("attention.window") >= 4, "{}", outcome("attention.window"));
}

#[test]
fn a_word_that_no_case_tells_apart_is_unproved() {
    // Without the case whose window slides, nothing tells what a window is.
    let report = verified("qwen1.5", &[carried("qwen1.5", "mha")], Depth::Prove);
    let proof = report.proof.expect("it was asked for");
    assert!(proof.proof.iter().all(|proof| proof.change != "one key more"));
    let report = verified("qwen1.5", &[carried("qwen1.5", "mha"), carried("qwen1.5", "swa")], Depth::Prove);
    let proof = report.proof.expect("it was asked for");
    let more = proof.proof.iter().find(|proof| proof.change == "one key more").expect("it is asked");
    assert_eq!((more.case.as_deref(), more.stage.as_deref()), (Some("swa"), Some("attention")));
    assert_eq!(more.layer, Some(2), "the first layer that slides");
}

/// A copy of a case, to be spoiled.
fn copy(spoil: impl Fn(&Path)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(carried("llama1", "base")).expect("the case") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    spoil(folder.path());
    folder
}

/// A safetensors file of i64 and f32 tensors, each of zeros but for `ids`.
fn reference(tensors: &[(&str, &str, &[usize])], ids: i64) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape) in tensors {
        let start = data.len();
        for _ in 0..shape.iter().product() {
            if *dtype == "I64" { data.extend(ids.to_le_bytes()) } else { data.extend(0f32.to_le_bytes()) }
        }
        let tensor = json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, data.len()] });
        header.insert((*name).to_owned(), tensor);
    }
    let header = Json::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

fn refused(spoil: impl Fn(&Path), says: &str) {
    let folder = copy(spoil);
    let report = verified("llama1", &[folder.path().to_owned()], Depth::Prove);
    assert_eq!(report.exit_status(), 2, "{report:?}");
    let message = &report.errors.first().expect("an error").message;
    assert!(message.contains(says), "`{message}` does not say `{says}`");
}

#[test]
fn a_folder_that_is_no_case_is_refused_with_a_message() {
    let remove = |name: &'static str| move |path: &Path| fs::remove_file(path.join(name)).expect("removed");
    refused(remove("reference.safetensors"), "reference.safetensors");
    refused(remove("config.json"), "config.json");
    refused(remove("model.safetensors"), "is missing");
    let cut = |name: &'static str| {
        move |path: &Path| {
            let bytes = fs::read(path.join(name)).expect("read");
            fs::write(path.join(name), &bytes[..bytes.len() / 2]).expect("cut");
        }
    };
    refused(cut("reference.safetensors"), "reference.safetensors");
    refused(cut("model.safetensors"), "model.safetensors");
}

#[test]
fn a_reference_of_wrong_shape_is_refused_with_a_message() {
    let with = |tensors: &'static [(&'static str, &'static str, &'static [usize])], ids: i64| {
        move |path: &Path| {
            fs::write(path.join("reference.safetensors"), reference(tensors, ids)).expect("written");
        }
    };
    const LOGITS: (&str, &str, &[usize]) = ("logits", "F32", &[4, 7]);
    refused(with(&[("logits", "F32", &[4, 7])], 1), "no tensor `input_ids`");
    refused(with(&[("input_ids", "I64", &[0]), LOGITS], 1), "`input_ids` is empty");
    refused(with(&[("input_ids", "I64", &[4]), LOGITS], 1), "no tensor `greedy_ids`");
    refused(with(&[("input_ids", "I64", &[4]), ("greedy_ids", "I64", &[2]), LOGITS], -3), "-3");
    refused(with(&[("input_ids", "I64", &[4]), ("greedy_ids", "I64", &[2]), LOGITS], 1), "logits");
    refused(with(&[("input_ids", "I64", &[4]), ("greedy_ids", "I64", &[2]), LOGITS], 1 << 30), "vocabulary");
    refused(
        with(&[("input_ids", "I64", &[5]), ("greedy_ids", "I64", &[2]), LOGITS], 1),
        "`logits` is [4, 7]",
    );
    refused(with(&[("input_ids", "F32", &[5]), ("greedy_ids", "I64", &[2]), LOGITS], 1), "input_ids");
    const TAP: (&str, &str, &[usize]) = ("hidden.layer.0", "F32", &[3, 9]);
    refused(
        with(&[("input_ids", "I64", &[4]), ("greedy_ids", "I64", &[2]), LOGITS, TAP], 1),
        "hidden.layer.0",
    );
}

/// The first number of a tensor of the reference, overwritten.
fn overwritten(name: &'static str, value: f32) -> FamilyReport {
    let folder = copy(|path| {
        let path = path.join("reference.safetensors");
        let mut bytes = fs::read(&path).expect("read");
        let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        let header: Json = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
        let start = 8 + length + header[name]["data_offsets"][0].as_u64().expect("an offset") as usize;
        bytes[start..start + 4].copy_from_slice(&value.to_le_bytes());
        fs::write(&path, bytes).expect("written");
    });
    verified("llama1", &[folder.path().to_owned()], Depth::Compare)
}

#[test]
fn one_wrong_number_at_a_tap_of_the_reference_is_a_difference_there() {
    let report = overwritten("attention.1", 7.0);
    assert_eq!(report.exit_status(), 1, "{report:?}");
    let first = report.cases[0].first_divergence.as_ref().expect("it is located");
    assert_eq!((first.stage.as_str(), first.layer), ("attention", Some(1)), "{}", first.likely_cause);
    assert!(first.causes.is_empty(), "{}", first.likely_cause);
}

#[test]
fn a_reference_that_is_not_finite_is_a_difference_there_and_no_word_is_blamed() {
    for (name, value, stage, layer) in
        [("attention.1", f32::NAN, "attention", Some(1)), ("logits", f32::INFINITY, "logits", None)]
    {
        let report = overwritten(name, value);
        assert_eq!(report.exit_status(), 1, "{report:?}");
        let first = report.cases[0].first_divergence.as_ref().expect("it is located");
        assert_eq!((first.stage.as_str(), first.layer), (stage, layer), "{}", first.likely_cause);
        assert!(
            first.causes.is_empty() && first.likely_cause.contains("not finite"),
            "{}",
            first.likely_cause
        );
    }
}

#[test]
fn a_folder_that_is_not_there_is_refused() {
    let report = verified("llama1", &[PathBuf::from("/no/such/case")], Depth::Compare);
    assert_eq!(report.exit_status(), 2);
    let report = verified("llama1", &[], Depth::Compare);
    assert_eq!(report.exit_status(), 2, "nothing ran");
}

/// All numbers of a tensor of the reference of `dtype` F32 or F64, times `factor`.
fn multiplied(path: &Path, name: &str, factor: f64) {
    let path = path.join("reference.safetensors");
    let mut bytes = fs::read(&path).expect("read");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Json = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let at = |i: usize| 8 + length + header[name]["data_offsets"][i].as_u64().expect("an offset") as usize;
    let values = &mut bytes[at(0)..at(1)];
    match header[name]["dtype"].as_str() {
        Some("F64") => values.chunks_exact_mut(8).for_each(|value| {
            let number = f64::from_le_bytes((&*value).try_into().expect("eight bytes"));
            value.copy_from_slice(&(number * factor).to_le_bytes());
        }),
        Some("F32") => values.chunks_exact_mut(4).for_each(|value| {
            let number = f32::from_le_bytes((&*value).try_into().expect("four bytes"));
            value.copy_from_slice(&(number * factor as f32).to_le_bytes());
        }),
        other => panic!("{name} is {other:?}"),
    }
    fs::write(&path, bytes).expect("written");
}

#[test]
fn a_reference_that_disagrees_with_itself_is_refused() {
    for (name, factor) in [("logits_f64", 16.0), ("logits", 16.0), ("logits_f64", 1.001)] {
        let folder = copy(|path| multiplied(path, name, factor));
        let report = verified("llama1", &[folder.path().to_owned()], Depth::Compare);
        assert_eq!(report.exit_status(), 2, "{report:?}");
        let message = &report.errors[0].message;
        assert!(message.contains("disagrees with itself") && message.contains("logits_f64"), "{message}");
    }
}
