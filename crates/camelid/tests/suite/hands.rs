//! What hands are used to: short options, MODEL by its place, pipes at both ends.

use std::io::{BufRead, BufReader};
use std::process::{Command as Process, Stdio};

use serde_json::{Value as Json, json};

use crate::models::{camelid, refused, run, stories, text};

const PROMPT: &str = "Once upon a time";

fn report(output: &str) -> Json {
    serde_json::from_str(output).expect("one JSON object")
}

/// Runs a command with something on standard input.
#[track_caller]
fn fed(args: &[&str], input: &str) -> String {
    let output = camelid(args).write_stdin(input.to_owned()).output().expect("it runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_model_is_named_by_place_by_option_or_by_the_environment() {
    let model = text(stories());
    let long = ["generate", "--model", model, "--prompt", PROMPT, "--max-new-tokens", "9", "--json"];
    let expected = report(&run(&long))["generated_ids"].clone();
    let rest = ["-p", PROMPT, "-n", "9", "-t", "1", "-c", "64", "-s", "3", "--temp", "0", "--json"];
    for which in [&[model] as &[&str], &["-m", model]] {
        let args = [&["generate"] as &[&str], which, &rest].concat();
        assert_eq!(report(&run(&args))["generated_ids"], expected, "{args:?}");
    }
    let by_environment = |args: &[&str]| {
        let output = camelid(args).env("CAMELID_MODEL", model).output().expect("it runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let args = [&["generate"] as &[&str], &rest].concat();
    assert_eq!(report(&by_environment(&args))["generated_ids"], expected);
    assert!(by_environment(&["describe"]).contains("260,032"));
    assert!(by_environment(&["tokenize", "-p", "Once"]).starts_with("{\"ids\":["));
    assert!(
        by_environment(&["describe", "--family", "gemma2"]).starts_with("Gemma 2"),
        "a family that is named is meant"
    );
    for command in ["describe", "families"] {
        assert_eq!(run(&[command, model]), run(&[command, "--model", model]));
    }
    let error = camelid(&["generate", "-p", "x"]).env_remove("CAMELID_MODEL").output().expect("it runs");
    assert!(
        String::from_utf8_lossy(&error.stderr)
            .contains("error: which model? Name a folder, a GGUF file or ORG/NAME")
    );
    assert!(refused(&["generate", model, "-m", model, "-p", "x"]).contains("cannot be used with"));
}

#[test]
fn numbers_out_of_range_are_refused_with_their_range() {
    let model = text(stories());
    for (option, value, range) in [
        ("-n", "-1", "a whole number is wanted, at least 0"),
        ("-t", "-2", "a whole number from 1 to 1024 is wanted"),
        ("-t", "1025", "a whole number from 1 to 1024 is wanted"),
        ("-c", "0", "a whole number is wanted, at least 1"),
        ("-s", "-1", "a whole number from 0 to 18446744073709551615 is wanted"),
        ("--temperature", "-0.5", "a number is wanted, at least 0"),
        ("--top-k", "-1", "a whole number is wanted, at least 0"),
        ("--top-p", "1.5", "a probability is wanted, from 0 to 1"),
        ("--min-p", "-1", "a probability is wanted, from 0 to 1"),
        ("--repetition-penalty", "0", "a number is wanted, above 0"),
    ] {
        let error = refused(&["generate", model, "-p", "x", option, value]);
        assert!(error.contains(&format!("'{value}'")) && error.contains(range), "{error}");
    }
    assert!(refused(&["bench", model, "-p", "-4"]).contains("at least 1"));
    assert!(refused(&["perplexity", model, "-f", "-", "-c", "-4"]).contains("at least 2"));
}

#[test]
fn a_dash_is_standard_input_and_a_last_newline_is_none() {
    let model = text(stories());
    let args = ["generate", model, "-n", "9", "--json"];
    let ids = |args: &[&str], input: &str| report(&fed(args, input))["prompt_ids"].clone();
    let expected = ids(&[&args as &[&str], &["-p", PROMPT]].concat(), "");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prompt.txt");
    std::fs::write(&file, format!("{PROMPT}\r\n")).expect("written");
    for (more, input) in [
        (&[] as &[&str], "Once upon a time"),
        (&[], "Once upon a time\n"),
        (&["-p", "-"], "Once upon a time\n"),
        (&["-f", "-"], "Once upon a time\r\n"),
        (&["-f", text(&file)], "not this"),
    ] {
        assert_eq!(ids(&[&args as &[&str], more].concat(), input), expected, "{more:?}");
    }
    assert_ne!(
        ids(&args, "Once upon a time\n\n"),
        expected,
        "one newline ends the line, the other is the text's"
    );
    let told = |args: &[&str]| report(&fed(args, PROMPT))["nll"].clone();
    assert_eq!(
        told(&["perplexity", model, "-f", "-", "--json"]),
        told(&["perplexity", model, "--file", "/dev/stdin", "--json"])
    );
    std::fs::write(&file, b"ab\xff").expect("written");
    assert!(refused(&["generate", model, "-f", text(&file)]).contains("prompt.txt: no UTF-8 from byte 2 on"));
}

#[test]
fn plain_text_is_tokenized() {
    let model = text(stories());
    let by_line = fed(&["tokenize", model], "{\"text\": \"Once upon\\na time\"}\n");
    assert_eq!(run(&["tokenize", model, "-p", "Once upon\na time"]), by_line);
    assert_eq!(fed(&["tokenize", model, "-f", "-"], "Once upon\na time\n"), by_line);
    let ids: String = by_line.trim().trim_start_matches("{\"ids\":").trim_end_matches('}').to_owned();
    assert_eq!(report(&run(&["tokenize", model, "--decode", "-p", &ids]))["text"], "Once upon\na time");
    assert!(refused(&["tokenize", model, "--decode", "-p", "4 x"]).contains("`x` is no id"));
    let output = camelid(&["tokenize", model]).write_stdin("Once upon\n").output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains(
            "standard input, line 1: JSON lines {\"text\": …} are read here; plain text goes with -p"
        ),
        "{error}"
    );
}

#[test]
fn quiet_is_the_text_alone() {
    let model = text(stories());
    let output = camelid(&["generate", model, "-p", PROMPT, "-n", "9", "--top-k", "3", "-q"])
        .output()
        .expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(!output.stdout.is_empty());
}

#[test]
fn a_batch_answers_line_by_line() {
    let model = text(stories());
    let single = report(&run(&["generate", model, "-p", PROMPT, "-n", "9", "--json"]));
    let said = json!([{"role": "user", "content": "Hi"}]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("batch.jsonl");
    std::fs::write(&file, said.to_string()).expect("written");
    let answer = report(&run(&["generate", model, "--messages", text(&file), "-n", "9", "--json"]));
    let lines = [
        json!({"id": "a", "prompt": PROMPT}),
        json!({"id": 7, "messages": said}),
        json!({"prompt": "Once upon a time. ".repeat(200)}),
        json!({"id": null}),
        json!({"prompt": PROMPT}),
    ];
    let lines = lines.map(|line| line.to_string()).join("\n");
    std::fs::write(&file, &lines).expect("written");
    for from in ["-", text(&file)] {
        let output =
            camelid(&["generate", model, "--batch", from, "-n", "9"]).write_stdin(lines.clone()).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("error: 2 of 5 lines could not be answered")
        );
        let answers: Vec<Json> =
            String::from_utf8(output.stdout).expect("UTF-8").lines().map(report).collect();
        assert_eq!(answers.len(), 5);
        assert_eq!((&answers[0]["id"], &answers[1]["id"]), (&json!("a"), &json!(7)));
        for (at, expected) in [(0, &single), (1, &answer), (4, &single)] {
            assert_eq!(answers[at]["generated_ids"], expected["generated_ids"], "line {at}");
        }
        let error = |at: usize| answers[at]["error"].as_str().unwrap_or_default().to_owned();
        assert!(error(2).starts_with("line 3: the prompt has "), "{}", error(2));
        assert!(error(3).starts_with("line 4: neither `prompt` nor `messages` is there"), "{}", error(3));
    }
    let output =
        camelid(&["generate", model, "--batch", "-"]).write_stdin("Once\n").output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("{\"error\":\"line 1: no JSON object"));
}

#[test]
fn probabilities_are_told() {
    let model = text(stories());
    let args = ["generate", model, "-p", PROMPT, "-n", "5", "--json"];
    let told = |more: &[&str]| report(&run(&[&args as &[&str], more].concat()));
    let all = told(&["--logprobs", "3"]);
    assert_eq!(all["generated_ids"], told(&[])["generated_ids"]);
    let rows = all["logprobs"].as_array().expect("a list");
    assert_eq!(rows.len(), 5);
    for (row, id) in rows.iter().zip(all["generated_ids"].as_array().expect("ids")) {
        let top = row["top"].as_array().expect("a list");
        assert_eq!((&row["id"], top.len()), (id, 3));
        assert_eq!(
            (&row["logprob"], &row["token"]),
            (&top[0]["logprob"], &top[0]["token"]),
            "greedy takes the likeliest"
        );
        let of = |row: &Json| row["logprob"].as_f64().expect("a number");
        assert!(top.windows(2).all(|pair| of(&pair[0]) >= of(&pair[1])) && of(row) <= 0.0, "{row}");
        let sum: f64 = top.iter().map(|row| of(row).exp()).sum();
        assert!(sum <= 1.0 + 1e-6, "{row}");
    }
    assert_eq!(told(&["--logprobs"])["logprobs"][0]["top"], json!([]));
    assert!(refused(&["generate", model, "-p", "x", "--logprobs", "2"]).contains("give --json too"));
}

/// Commands that print, in every form.
fn printing() -> Vec<Vec<&'static str>> {
    let model = text(stories());
    let all: [&[&str]; 17] = [
        &["generate", model, "-p", PROMPT, "-n", "400"],
        &["generate", model, "-p", PROMPT, "--json"],
        &["describe", model],
        &["describe", model, "--json"],
        &["describe", "--family", "gemma2", "--declaration"],
        &["diff", "llama2", "gemma2"],
        &["families"],
        &["families", "--json"],
        &["tokenize", model, "-p", PROMPT],
        &["bench", model, "-p", "4", "-n", "2"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["generate", "--help"],
        &["generate", model, "-p", PROMPT, "--print-prompt"],
        &["families", model],
        &["--version"],
    ];
    all.iter().map(|args| args.to_vec()).collect()
}

/// Whoever reads may have had enough: the command ends, and says nothing.
#[test]
fn a_closed_pipe_is_silence() {
    for args in printing() {
        let mut child = Process::new(env!("CARGO_BIN_EXE_camelid"))
            .args(&args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!told.contains("panicked") && !told.contains("error"), "{args:?}: {told}");
        assert_ne!(output.status.code(), Some(101), "{args:?}");
    }
}

/// A full disk: one sentence, and never a panic or success.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    for args in printing() {
        let output = Process::new(env!("CARGO_BIN_EXE_camelid"))
            .args(&args)
            .stdin(Stdio::null())
            .stdout(full.try_clone().expect("a handle"))
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert_eq!(
            told.matches("error: standard output can't be written: No space").count(),
            1,
            "{args:?}: {told}"
        );
    }
    // What can't be told on standard error is let go.
    let quiet = Process::new(env!("CARGO_BIN_EXE_camelid"))
        .args(["generate", text(stories()), "-p", PROMPT, "-n", "2"])
        .stderr(full)
        .output()
        .expect("it runs");
    assert!(quiet.status.success() && !quiet.stdout.is_empty());
}

#[test]
fn habits_of_other_commands_are_met() {
    let model = text(stories());
    assert_eq!(
        run(&["run", model, "-p", PROMPT, "-n", "3"]),
        run(&["generate", model, "-p", PROMPT, "-n", "3"])
    );
    assert!(run(&["pull", "--help"]).contains("ORG/NAME"));
    assert!(refused(&["run", model, PROMPT]).contains("a text goes with -p TEXT"));
    assert!(!refused(&["describe", model, PROMPT]).contains("-p TEXT"));
}

#[test]
fn a_family_comes_from_standard_input() {
    let spec = "title = \"Mine\"\nextends = \"llama2\"\n";
    let told = fed(&["describe", "--spec", "-", "--declaration"], spec);
    assert!(told.contains("title = \"Mine\""), "{told}");
    let output = camelid(&["generate", text(stories()), "--spec", "-", "-p", "-"]).write_stdin(spec).output();
    let told = String::from_utf8(output.expect("it runs").stderr).expect("UTF-8");
    assert!(told.contains("standard input is asked for twice"), "{told}");
}

#[test]
fn shells_and_readers_have_every_option() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        assert!(script.contains("max-new-tokens") && script.contains("compare-trace"), "{shell}");
    }
    assert!(run(&["man"]).contains(".TH camelid 1"));
    let folder = tempfile::tempdir().expect("a folder");
    let told = run(&["man", "--out", text(folder.path())]);
    let page = std::fs::read_to_string(folder.path().join("camelid-generate.1")).expect("a page");
    assert!(page.contains("\\-\\-max\\-new\\-tokens") && told.lines().count() > 10, "{told}");
    assert!(refused(&["man", "--out", "/nowhere"]).contains("--out /nowhere: it is no folder"));
}

/// The first turn tells how long loading took, and no other.
#[test]
fn a_conversation_in_a_pipe_has_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("said.json");
    let save = format!("/save {}", saved.display());
    let lines = [
        "Hi",
        "/system Be kind.",
        "\"\"\"one",
        "two\"\"\"",
        &save,
        "/clear",
        "/help",
        "Bye \\",
        "now",
        "/bye",
        "not read",
    ];
    let args = ["generate", text(stories()), "--chat", "-n", "4"];
    let output = camelid(&args).write_stdin(lines.join("\n")).output().expect("it runs");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{told}");
    assert_eq!(told.matches("; loaded in").count(), 1, "{told}");
    assert_eq!(told.matches(" new at ").count(), 3, "{told}");
    assert!(told.contains("/save FILE") && told.contains("5 messages in"), "{told}");
    let said: Json = serde_json::from_slice(&std::fs::read(&saved).expect("the file")).expect("JSON");
    assert_eq!(said[0], json!({"role": "system", "content": "Be kind."}));
    assert_eq!((&said[1]["content"], &said[3]["content"]), (&json!("Hi"), &json!("one\ntwo")));
    // It is read back, and not written over.
    run(&["generate", text(stories()), "--messages", text(&saved), "--print-prompt"]);
    let again = camelid(&args).write_stdin(format!("Hi\n{save}\n")).output().expect("it runs");
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("it is there already, and is not overwritten"));
    let unknown = camelid(&args).write_stdin("/claer\n").output().expect("it runs");
    assert!(
        String::from_utf8_lossy(&unknown.stderr)
            .contains("/claer is no command; /help tells those there are")
    );
}

#[test]
fn a_full_context_drops_the_oldest_turns() {
    let args = ["generate", text(stories()), "--chat", "-n", "8", "-c", "96", "--json"];
    let lines: Vec<String> = (0..6).map(|turn| format!("Tell me of the dog number {turn}")).collect();
    let output = camelid(&args).write_stdin(lines.join("\n")).output().expect("it runs");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{told}");
    assert!(told.contains("the context of 96 tokens is full: the oldest 2 messages are dropped"), "{told}");
    let turns: Vec<Json> =
        BufReader::new(output.stdout.as_slice()).lines().map(|line| report(&line.expect("a line"))).collect();
    assert_eq!(turns.len(), 6);
    for turn in &turns {
        assert!(turn["prompt_ids"].as_array().expect("ids").len() <= 88, "{turn}");
    }
    // What is too long alone is refused.
    let long = camelid(&args).write_stdin("dog ".repeat(200)).output().expect("it runs");
    assert!(String::from_utf8_lossy(&long.stderr).contains("and the context ends after 96"));
}
