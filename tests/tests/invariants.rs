//! The invariants of docs/architecture.md, each held by a test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;

/// crate → those of ours that it may use, read off the table in docs/architecture.md.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("docs/architecture.md")).expect("the page is there");
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.matches('|').count() == 5);
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let crates: Vec<(String, String)> = cells
        .filter(|cells| cells[2].starts_with('`'))
        .map(|cells| (cells[2].trim_matches('`').to_owned(), cells[4].to_owned()))
        .collect();
    let order: Vec<&str> = crates.iter().map(|(name, _)| name.as_str()).collect();
    crates
        .iter()
        .enumerate()
        .map(|(at, (name, uses))| {
            let below = || order[at + 1..].iter().map(|s| (*s).to_owned()).collect();
            let uses = match uses.as_str() {
                "all" | "everything below" => below(),
                "–" => BTreeSet::new(),
                list => list.split(", ").map(str::to_owned).collect(),
            };
            (name.clone(), uses)
        })
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn arrows_between_crates_go_down_as_the_architecture_page_says() {
    let table = table();
    let metadata =
        MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().expect("metadata");
    let short = |name: &str| name.strip_prefix("camelid-").unwrap_or(name).to_owned();
    let packages: Vec<_> = metadata.packages.iter().filter(|p| p.name.as_str() != "camelid-tests").collect();
    let names: BTreeSet<String> = packages.iter().map(|package| short(&package.name)).collect();
    assert_eq!(names, table.keys().cloned().collect(), "the table names every crate, and no other");
    for package in packages {
        let name = short(&package.name);
        let normal = package.dependencies.iter().filter(|d| d.kind == cargo_metadata::DependencyKind::Normal);
        let ours = normal.filter(|d| d.path.is_some()).map(|d| short(&d.name));
        for used in ours {
            assert!(table[&name].contains(&used), "`{name}` uses `{used}`, which the table does not allow");
        }
    }
}

/// Every Rust file of the crates, without those under `tests/`, `benches/`, `examples/`.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path())
        {
            let name = entry.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if entry.is_dir() && !["tests", "benches", "examples", "target"].contains(&name.as_str()) {
                folders.push(entry);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                files.push(entry);
            }
        }
    }
    assert!(files.len() > 100, "{} files", files.len());
    files
}

/// The tokens of a file that are code: no doc comments, nothing under `#[cfg(test)]`.
fn code(text: &str) -> String {
    let mut out = String::new();
    let tokens: proc_macro2::TokenStream = text.parse().expect("it is Rust");
    keep(tokens, &mut out);
    out
}

fn keep(tokens: proc_macro2::TokenStream, out: &mut String) {
    use proc_macro2::TokenTree::{Group, Ident, Literal, Punct};
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut skip_next_item = false;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Group(group) if at > 0 && is_hash(&tokens[..at]) => {
                let attribute = group.stream().to_string().replace(' ', "");
                skip_next_item |= attribute == "cfg(test)";
            }
            Group(group) if skip_next_item && group.delimiter() == proc_macro2::Delimiter::Brace => {
                skip_next_item = false;
            }
            Group(group) => keep(group.stream(), out),
            Ident(ident) => out.push_str(&format!("{ident} ")),
            Literal(literal) => out.push_str(&format!("{literal} ")),
            Punct(_) => {}
        }
    }
}

fn is_hash(before: &[proc_macro2::TokenTree]) -> bool {
    let punct = |token: &proc_macro2::TokenTree, wanted| matches!(token, proc_macro2::TokenTree::Punct(p) if p.as_char() == wanted);
    match before {
        [.., hash] if punct(hash, '#') => true,
        [.., hash, bang] => punct(hash, '#') && punct(bang, '!'),
        _ => false,
    }
}

#[test]
fn no_familys_name_and_no_model_type_stands_in_rust() {
    let library = camelid::families::Library::built_in().expect("the built-in families");
    let mut names: BTreeSet<String> =
        ["llama", "gemma", "qwen", "baichuan", "chatglm", "glm", "minicpm"].map(String::from).into();
    names.extend(library.families().map(|family| family.name.to_lowercase()));
    for path in sources() {
        let text = code(&std::fs::read_to_string(&path).expect("a source file")).to_lowercase();
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '.')) {
            // `llama3` is upstream's name of a rope scaling, llama.cpp that of an engine.
            let other = ["llama3", "llama.cpp"].contains(&word);
            let found = names.iter().find(|name| word.starts_with(name.as_str()) && !other);
            let exact = names.contains(word) && word != "llama3";
            assert!(found.is_none_or(|name| name == "yi" && !exact), "{}: `{word}`", path.display());
        }
    }
}

#[test]
fn the_search_for_names_sees_code_and_literals_and_passes_over_docs_and_tests() {
    let text = r#"
        //! About llama.
        /// As gemma does.
        fn f() -> &'static str { "qwen" }
        #[cfg(test)]
        mod tests { const X: &str = "baichuan"; }
        #[doc = "minicpm"]
        fn chatglm() {}
    "#;
    let code = code(text);
    assert!(code.contains("qwen") && code.contains("chatglm"), "{code}");
    assert!(!["llama", "gemma", "baichuan", "minicpm"].iter().any(|name| code.contains(name)), "{code}");
}

#[test]
fn unsafe_stands_in_kernels_and_checkpoint_only() {
    for path in sources() {
        let code = code(&std::fs::read_to_string(&path).expect("a source file"));
        let allowed = ["crates/kernels/", "crates/checkpoint/"]
            .iter()
            .any(|place| path.to_string_lossy().contains(place));
        assert!(allowed || !code.split_whitespace().any(|word| word == "unsafe"), "{}", path.display());
    }
}

#[test]
fn every_crate_carries_its_licences_and_its_readme() {
    for folder in std::fs::read_dir(root().join("crates")).expect("the crates") {
        let folder = folder.expect("an entry").path();
        for name in ["LICENSE-MIT", "LICENSE-APACHE", "README.md"] {
            assert!(folder.join(name).is_file(), "{} has no {name}", folder.display());
        }
    }
}

#[test]
fn files_are_small() {
    for path in sources() {
        let lines = std::fs::read_to_string(&path).expect("a source file").lines().count();
        assert!(lines <= 420, "{} has {lines} lines", path.display());
    }
}
