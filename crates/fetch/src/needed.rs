//! Which files of a model's repository are needed to run it.

use camelid_checkpoint::hub::Name;

use crate::Error;
use crate::wanted::File;

/// Folders whose files are needed too.
const BESIDE: [&str; 2] = ["additional_chat_templates/", "1_Pooling/"];

/// The files of a GGUF that is asked for; else config.json, weights, and what goes with them; else the only GGUF.
pub(crate) fn needed(name: &Name, all: &[File]) -> Result<Vec<File>, Error> {
    let paths: Vec<&str> = all.iter().map(|file| file.path.as_str()).collect();
    let is =
        |wanted: &[&str]| all.iter().filter(|file| wanted.contains(&file.path.as_str())).cloned().collect();
    if let Some(variant) = &name.variant {
        return Ok(is(&parts(name.choose(variant, &paths)?, &paths)));
    }
    let weights = weights(&paths);
    if paths.contains(&"config.json") && !weights.is_empty() {
        let beside = paths.iter().copied().filter(|path| goes_with(path));
        return Ok(is(&beside.chain(weights).collect::<Vec<_>>()));
    }
    let wrong = |problem: String| Error::Files { name: name.to_string(), problem };
    let ggufs: Vec<&str> = paths.iter().copied().filter(|path| path.ends_with(".gguf")).collect();
    match ggufs[..] {
        [] => Err(wrong("it holds neither config.json with weights, nor a GGUF file".to_owned())),
        [first, ..] if parts(first, &paths).len() == ggufs.len() => Ok(is(&ggufs)),
        [..] => Err(wrong(format!(
            "it holds several GGUF files; name one as {name}:VARIANT: {}",
            ggufs.join(", ")
        ))),
    }
}

/// A GGUF file with its other parts.
fn parts<'p>(chosen: &'p str, paths: &[&'p str]) -> Vec<&'p str> {
    let stem = |path: &str| {
        let (before, of) = path.strip_suffix(".gguf")?.rsplit_once("-of-")?;
        let (before, number) = before.rsplit_once('-')?;
        number.parse::<u32>().ok().map(|_| format!("{before}-of-{of}"))
    };
    match stem(chosen) {
        None => vec![chosen],
        whole => paths.iter().copied().filter(|path| stem(path) == whole).collect(),
    }
}

/// The weights at the top: safetensors before `.bin`, the usual names before others.
fn weights<'p>(paths: &[&'p str]) -> Vec<&'p str> {
    let top = || paths.iter().copied().filter(|path| !path.contains('/'));
    let usual = |name: &str, stem: &str, end: &str| {
        let rest = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(end));
        rest.is_some_and(|rest| rest.is_empty() || is_shard(rest))
    };
    for (stem, end) in [("model", ".safetensors"), ("", ".safetensors"), ("pytorch_model", ".bin")] {
        let found: Vec<&str> = match stem {
            // Mistral's own layout of the same weights.
            "" => top().filter(|name| name.ends_with(end) && !name.starts_with("consolidated")).collect(),
            stem => top().filter(|name| usual(name, stem, end)).collect(),
        };
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// `-00001-of-00003`.
fn is_shard(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('-')
        .and_then(|text| text.split_once("-of-"))
        .is_some_and(|(a, b)| digits(a) && digits(b))
}

/// Settings, vocabularies and templates.
fn goes_with(path: &str) -> bool {
    let ends = [".json", ".model", ".tiktoken", ".jinja", ".txt"];
    let top = !path.contains('/') || BESIDE.iter().any(|folder| path.starts_with(folder));
    top && ends.iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wanted::Hash;

    #[track_caller]
    fn check(name: &str, paths: &str, expected: Result<&str, &str>) {
        let file = |path: &str| File { path: path.to_owned(), size: 1, hash: Hash::Sha256("0".repeat(64)) };
        let all: Vec<File> = paths.split(' ').map(file).collect();
        let found = needed(&name.parse().expect("a name"), &all);
        let found =
            found.map(|files| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>().join(" "));
        match expected {
            Ok(paths) => assert_eq!(found.expect("files"), paths),
            Err(part) => assert!(found.as_ref().is_err_and(|e| e.to_string().contains(part)), "{found:?}"),
        }
    }

    #[test]
    fn a_folder_s_files_are_those_that_run() {
        check(
            "a/b",
            "README.md config.json model.safetensors pytorch_model.bin tokenizer.json original/params.json onnx/model.onnx",
            Ok("config.json model.safetensors tokenizer.json"),
        );
        check(
            "a/b",
            "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json consolidated.safetensors model.fp16.safetensors",
            Ok(
                "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json",
            ),
        );
        check(
            "a/b",
            "config.json pytorch_model.bin training_args.bin a.model",
            Ok("config.json pytorch_model.bin a.model"),
        );
        check(
            "a/b",
            "config.json weights.safetensors pytorch_model.bin",
            Ok("config.json weights.safetensors"),
        );
        check("a/b", "README.md", Err("neither config.json with weights, nor a GGUF file"));
    }

    #[test]
    fn one_gguf_is_fetched_and_not_all() {
        let all = "config.json a-Q4_K_M.gguf b-Q8_0-00001-of-00002.gguf b-Q8_0-00002-of-00002.gguf";
        check("a/b:q4_k_m", all, Ok("a-Q4_K_M.gguf"));
        check("a/b:Q8_0", all, Ok("b-Q8_0-00001-of-00002.gguf b-Q8_0-00002-of-00002.gguf"));
        check("a/b", all, Err("name one as a/b:VARIANT: a-Q4_K_M.gguf, b-Q8_0-00001-of-00002.gguf"));
        check("a/b:Q5", all, Err("no GGUF file is called so"));
        check("a/b", "README.md a.gguf", Ok("a.gguf"));
    }
}
