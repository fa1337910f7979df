//! `cargo xtask examples`: what the READMEs show, built as a reader would build it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

/// Build the example of each crate's README in a fresh crate outside the workspace
///
/// The example begins with the line `// cargo add …`: the fresh crate depends on what it names and on nothing else.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The crates, by their folders' names [default: all whose README shows Rust]
    crates: Vec<String>,
}

/// An example, and what it asks for.
struct Example {
    name: String,
    adds: Vec<String>,
    code: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let mut examples = Vec::new();
    for name in names(&root)?.iter().filter(|name| args.crates.is_empty() || args.crates.contains(name)) {
        let path = root.join("crates").join(name).join("README.md");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        match example(name, &text).with_context(|| path.display().to_string())? {
            Some(example) => examples.push(example),
            None => println!("NONE   {name}: its README shows no Rust"),
        }
    }
    ensure!(!examples.is_empty(), "no README of these shows Rust");
    let outside = tempfile::tempdir()?;
    let mut failed = Vec::new();
    for example in &examples {
        let built = build(&root, outside.path(), example)?;
        println!("{} {}", if built { "ok    " } else { "FAILED" }, example.name);
        failed.extend((!built).then_some(example.name.as_str()));
    }
    if !failed.is_empty() {
        bail!(
            "{} of {} examples do not compile as shown: {}",
            failed.len(),
            examples.len(),
            failed.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn names(root: &Path) -> anyhow::Result<Vec<String>> {
    let folders = std::fs::read_dir(root.join("crates"))?.collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<String> =
        folders.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// The first block of Rust in a README, which hides no lines.
fn example(name: &str, readme: &str) -> anyhow::Result<Option<Example>> {
    let Some((_, block)) = readme.split_once("```rust") else { return Ok(None) };
    let (_, block) = block.split_once('\n').context("the block has no end")?;
    let (code, _) = block.split_once("\n```").context("the block has no end")?;
    let first = code.lines().next().unwrap_or_default();
    let adds = first.strip_prefix("// cargo add ");
    let adds = adds.context("the example does not begin with the line `// cargo add …`")?;
    let hides = code.lines().find(|line| line.starts_with("# "));
    ensure!(hides.is_none(), "the example hides the line `{}`", hides.unwrap_or_default());
    let adds = adds.split_whitespace().map(str::to_owned).collect();
    Ok(Some(Example { name: name.to_owned(), adds, code: code.to_owned() }))
}

/// Whether an example compiles in a crate of its own; what it says otherwise goes to standard error.
fn build(root: &Path, outside: &Path, example: &Example) -> anyhow::Result<bool> {
    let folder = outside.join(&example.name);
    std::fs::create_dir_all(folder.join("src"))?;
    let adds = example.adds.iter().map(|add| match add.strip_prefix("camelid-") {
        Some(ours) => {
            let path: PathBuf = root.join("crates").join(ours);
            format!("{add} = {{ path = {:?} }}\n", path.display().to_string())
        }
        None => format!("{add} = \"*\"\n"),
    });
    let manifest = format!(
        "[package]\nname = \"example-{}\"\nedition = \"2024\"\n[dependencies]\n{}[workspace]\n",
        example.name,
        adds.collect::<String>()
    );
    std::fs::write(folder.join("Cargo.toml"), manifest)?;
    std::fs::write(folder.join("src/main.rs"), &example.code)?;
    // The same versions as ours: nothing is fetched anew.
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["check", "--quiet", "--offline"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", root.join("target/examples"))
        .env("RUSTFLAGS", "-D warnings")
        .status()?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::example;

    #[test]
    fn an_example_says_what_it_adds_and_hides_nothing() {
        let readme = "# A\n```rust\n// cargo add camelid-norm serde_json\nfn main() {}\n```\n";
        let found = example("norm", readme).expect("an example").expect("one");
        assert_eq!(found.adds, ["camelid-norm", "serde_json"]);
        assert!(found.code.ends_with("fn main() {}"));
        assert!(example("a", "no code").expect("none").is_none());
        for wrong in [
            "```rust\nfn main() {}\n```",
            "```rust\n// cargo add a\n# use b;\nfn main() {}\n```",
            "```rust\n",
        ] {
            assert!(example("a", wrong).is_err(), "{wrong}");
        }
    }
}
