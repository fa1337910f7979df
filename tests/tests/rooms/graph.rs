//! Which file of a crate uses which, read off the paths in its code.
//!
//! A path counts where it is written: `crate::…`, `super::…`, `self::…`, and one that begins with a module or an import of the
//! file's own. It leads to the file that has the item: a re-export on the way is followed. Tests don't count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The names of a path, from `crate`, `super`, `self` or a name of the file's own.
type Names = Vec<String>;

/// The files of one crate.
#[derive(Debug)]
pub(crate) struct Crate {
    /// The folder of its sources.
    pub(crate) root: PathBuf,
    files: BTreeMap<Names, File>,
}

#[derive(Debug, Default)]
struct File {
    path: PathBuf,
    /// Modules that stand in files of their own.
    children: BTreeSet<String>,
    /// Name → the path that a `use` gives it.
    imports: BTreeMap<String, Names>,
    /// Every path, with the inline modules in which it stands.
    paths: Vec<(Names, Names)>,
}

impl Crate {
    /// Reads every file under a folder of sources but those of tests.
    pub(crate) fn read(root: &Path) -> Crate {
        let mut files = BTreeMap::<Names, File>::new();
        for path in sources(root) {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let tokens: TokenStream = text.parse().expect("it is Rust");
            let mut file = File { path: path.clone(), ..File::default() };
            file.look(tokens, &[]);
            // A package's library and its program are both its root.
            if let Some(other) = files.insert(module(root, &path), file) {
                files.entry(Names::new()).or_default().children.extend(other.children);
            }
        }
        Crate { root: root.to_owned(), files }
    }

    /// Each pair of files of which the first uses the second, as paths within the folder of sources.
    pub(crate) fn arrows(&self) -> BTreeSet<(PathBuf, PathBuf)> {
        let within = |file: &File| file.path.strip_prefix(&self.root).expect("below it").to_owned();
        let mut arrows = BTreeSet::new();
        for (module, file) in &self.files {
            for (inline, path) in &file.paths {
                let here = [module.as_slice(), inline].concat();
                let Some(used) = self.resolve(&here, path, 0).and_then(|used| self.files.get(&used)) else {
                    continue;
                };
                if used.path != file.path {
                    arrows.insert((within(file), within(used)));
                }
            }
        }
        arrows
    }

    /// Files that no other names as a module of its own: nobody compiles them.
    pub(crate) fn orphans(&self) -> Vec<PathBuf> {
        let named = |module: &[String]| match module.split_last() {
            None => true,
            Some((name, parent)) => self.files.get(parent).is_some_and(|file| file.children.contains(name)),
        };
        let orphans = self.files.iter().filter(|(module, _)| !named(module));
        orphans.map(|(_, file)| file.path.clone()).collect()
    }

    /// The module whose file has what a path names; `None` where it leads out of the crate.
    fn resolve(&self, here: &[String], path: &[String], depth: usize) -> Option<Names> {
        let mut at = here.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (at, rest) = (Names::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while let Some(("super", below)) =
                    rest.split_first().map(|(name, below)| (name.as_str(), below))
                {
                    at.pop();
                    rest = below;
                }
            }
            _ => {}
        }
        let relative = std::ptr::eq(rest, path);
        for (index, name) in rest.iter().enumerate() {
            let child = [at.as_slice(), std::slice::from_ref(name)].concat();
            if self.files.contains_key(&child) {
                at = child;
                continue;
            }
            let import = self.file_of(&at).1.imports.get(name).filter(|_| depth < 8);
            return match import {
                // A name that is imported under itself leads out of the crate: `use serde_json`.
                Some(import) if import.first() != Some(name) || import.len() > 1 => {
                    let onward = [import.as_slice(), &rest[index + 1..]].concat();
                    self.resolve(&self.file_of(&at).0, &onward, depth + 1)
                }
                _ if relative && index == 0 => None,
                _ => Some(self.file_of(&at).0),
            };
        }
        Some(self.file_of(&at).0)
    }

    /// The file in which a module stands: its own, or that of the module around it.
    fn file_of(&self, module: &[String]) -> (Names, &File) {
        let mut module = module.to_vec();
        loop {
            if let Some(file) = self.files.get(&module) {
                return (module, file);
            }
            assert!(module.pop().is_some(), "{} has no root", self.root.display());
        }
    }
}

impl File {
    fn look(&mut self, tokens: TokenStream, inline: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        self.children.extend(tokens.windows(3).filter_map(|three| match three {
            [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Punct(end)]
                if word == "mod" && end.as_char() == ';' && inline.is_empty() =>
            {
                Some(name.to_string())
            }
            _ => None,
        }));
        let mut at = 0;
        while at < tokens.len() {
            at = self.step(&tokens, at, inline);
        }
    }

    /// Looks at what begins at one token, and gives the place of the next.
    fn step(&mut self, tokens: &[TokenTree], at: usize, inline: &[String]) -> usize {
        let group = |at: usize| match tokens.get(at) {
            Some(TokenTree::Group(group)) => Some(group),
            _ => None,
        };
        match &tokens[at] {
            TokenTree::Punct(hash) if hash.as_char() == '#' => match group(at + 1) {
                Some(attribute) if attribute.stream().to_string().replace(' ', "") == "cfg(test)" => {
                    end_of_item(tokens, at + 2)
                }
                _ => at + 1,
            },
            TokenTree::Group(inner) => {
                self.look(inner.stream(), inline);
                at + 1
            }
            TokenTree::Ident(word) if word == "pub" => {
                // `pub(in crate::commands)` uses nothing.
                at + if group(at + 1).is_some_and(|g| g.delimiter() == Delimiter::Parenthesis) {
                    2
                } else {
                    1
                }
            }
            TokenTree::Ident(word) if word == "mod" && group(at + 2).is_some() => {
                let within = [inline, &[tokens[at + 1].to_string()]].concat();
                self.look(group(at + 2).expect("it is there").stream(), &within);
                at + 3
            }
            TokenTree::Ident(word) if word == "use" => {
                let end = (at..tokens.len()).find(|end| is(tokens, *end, ';')).unwrap_or(tokens.len());
                for (path, name) in tree(&tokens[at + 1..end], &[]) {
                    self.imports.insert(name, path.clone());
                    self.paths.push((inline.to_vec(), path));
                }
                end
            }
            TokenTree::Ident(_) if is(tokens, at + 1, ':') && is(tokens, at + 2, ':') => {
                let (path, next) = plain(tokens, at);
                if at == 0 || !is(tokens, at - 1, ':') || !is(tokens, at.saturating_sub(2), ':') {
                    self.paths.push((inline.to_vec(), path));
                }
                next
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => at + 1,
        }
    }
}

fn is(tokens: &[TokenTree], at: usize, wanted: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// Behind the next `;` or pair of braces.
fn end_of_item(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    };
    (from..tokens.len()).find(|at| ends(&tokens[*at])).map_or(tokens.len(), |at| at + 1)
}

/// `a::b::c`, and the place behind it.
fn plain(tokens: &[TokenTree], from: usize) -> (Names, usize) {
    let (mut path, mut at) = (Names::new(), from);
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        path.push(name.to_string());
        if !(is(tokens, at + 1, ':') && is(tokens, at + 2, ':')) {
            return (path, at + 1);
        }
        at += 3;
    }
    (path, at)
}

/// What a `use` names: each path with the name it has here.
fn tree(tokens: &[TokenTree], before: &[String]) -> Vec<(Names, String)> {
    let mut all = Vec::new();
    for part in tokens.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')) {
        let from = part
            .iter()
            .take_while(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ':'))
            .count();
        let (names, next) = plain(part, from);
        let mut path = [before, &names].concat();
        match part.get(next) {
            Some(TokenTree::Group(group)) => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                all.extend(tree(&inner, &path));
                continue;
            }
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => all.push((path, "*".to_owned())),
            alias => {
                if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                let Some(last) = path.last().cloned() else { continue };
                let renamed = alias.and_then(|_| part.get(next + 1)).map(ToString::to_string);
                all.push((path, renamed.unwrap_or(last)));
            }
        }
    }
    all
}

/// Every Rust file of a folder, but tests.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if entry.is_dir() {
            if name != "tests" {
                files.extend(sources(&entry));
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(entry);
        }
    }
    files.sort();
    files
}

/// `["composed", "rows"]` of `composed/rows.rs`.
fn module(root: &Path, path: &Path) -> Names {
    let within = path.strip_prefix(root).expect("below it").with_extension("");
    let mut names: Names = within.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        names.pop();
    }
    names
}
