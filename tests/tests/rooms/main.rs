//! The rooms of docs/architecture.md: which there are, that arrows between them go one way, that no files stand in a circle.

mod graph;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use graph::{Crate, sources};

/// So many files stand in one folder; more need rooms.
const DOZEN: usize = 12;

type Arrows = BTreeSet<(PathBuf, PathBuf)>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folders of sources of every crate.
fn crates() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(root().join("crates")).expect("the crates");
    let mut folders: Vec<_> = folders.map(|entry| entry.expect("an entry").path().join("src")).collect();
    folders.push(root().join("xtask/src"));
    folders.sort();
    assert!(folders.len() > 10, "{folders:?}");
    folders
}

/// A folder that is divided into rooms, each of which uses those before it: read off the page of the architecture.
#[derive(Debug)]
struct House {
    /// `families/src`.
    folder: String,
    rooms: Vec<String>,
}

fn houses() -> Vec<House> {
    let text = std::fs::read_to_string(root().join("docs/architecture.md")).expect("the page is there");
    let rows = text.lines().filter(|line| line.starts_with("| `") && line.contains("/src"));
    let house = |row: &str| {
        let mut names = row.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches('/').to_owned());
        House { folder: names.next().expect("a folder"), rooms: names.collect() }
    };
    let rows = rows.map(|row| row.rsplit_once(" | ").map_or(row, |(houses, _)| houses));
    rows.map(house).filter(|house| house.rooms.len() > 1).collect()
}

/// The room of a file: the first part of its path below the house; `None` for the file that holds the rooms together.
fn room(house: &str, file: &Path) -> Option<String> {
    let within = file.strip_prefix(house).ok()?;
    let first = within.iter().next()?.to_string_lossy().into_owned();
    (!["lib.rs", "mod.rs", "main.rs"].contains(&first.as_str())).then_some(first)
}

/// Arrows from one room into another that does not stand before it, or into the file that holds the rooms together.
fn upward(house: &str, rooms: &[String], arrows: &Arrows) -> Vec<String> {
    let place = |name: &str| rooms.iter().position(|room| room == name);
    let is_inside = |file: &Path| file.starts_with(house) || house.is_empty();
    let is_holder = |file: &Path| Path::new(house).with_extension("rs") == file;
    let mut found = Vec::new();
    for (from, to) in arrows.iter().filter(|(from, _)| is_inside(from)) {
        let Some(own) = room(house, from).as_deref().and_then(place) else { continue };
        let up = match room(house, to) {
            Some(other) if is_inside(to) => place(&other).is_none_or(|other| other > own),
            _ => is_inside(to) || is_holder(to),
        };
        if up {
            found.push(format!("{} uses {}", from.display(), to.display()));
        }
    }
    found
}

/// Files that use one another, each circle once.
fn circles(arrows: &Arrows) -> Vec<Vec<String>> {
    let mut reach: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for (from, to) in arrows {
        reach.entry(from).or_default().insert(to);
    }
    loop {
        let mut grown = reach.clone();
        for seen in grown.values_mut() {
            let further: Vec<&Path> = seen.iter().filter_map(|to| reach.get(to)).flatten().copied().collect();
            seen.extend(further);
        }
        if grown == reach {
            break;
        }
        reach = grown;
    }
    let sees = |a: &Path, b: &Path| reach.get(a).is_some_and(|seen| seen.contains(b));
    let mut out: Vec<Vec<String>> = Vec::new();
    for file in reach.keys().filter(|file| sees(file, file)) {
        let circle: Vec<_> = reach.keys().filter(|other| sees(file, other) && sees(other, file)).collect();
        let circle: Vec<String> = circle.into_iter().map(|file| file.display().to_string()).collect();
        if !out.contains(&circle) {
            out.push(circle);
        }
    }
    out
}

#[test]
fn arrows_between_rooms_go_one_way_as_the_architecture_page_says() {
    let houses = houses();
    assert!(houses.len() >= 2, "{houses:?}");
    for House { folder, rooms } in houses {
        let (name, house) = folder.split_once("/src").expect("a folder of sources");
        let house = house.trim_start_matches('/');
        let sources = root().join("crates").join(name).join("src");
        let home = sources.join(house);
        let entries = std::fs::read_dir(&home)
            .expect("the house is there")
            .map(|entry| entry.expect("an entry").path());
        let entries = entries.filter(|path| {
            path.extension().is_some_and(|e| e == "rs") || (path.is_dir() && !graph::sources(path).is_empty())
        });
        let entries = entries.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        let entries: BTreeSet<_> =
            entries.filter(|name| !["lib.rs", "mod.rs", "main.rs"].contains(&name.as_str())).collect();
        assert_eq!(
            entries,
            rooms.iter().cloned().collect(),
            "the page names every room of {folder}, and no other"
        );
        let arrows = Crate::read(&sources).arrows();
        let up = upward(house, &rooms, &arrows);
        assert!(up.is_empty(), "{folder}: these arrows run back up:\n  {}", up.join("\n  "));
        let between: BTreeSet<_> = arrows
            .iter()
            .filter_map(|(from, to)| Some((room(house, from)?, room(house, to)?)))
            .filter(|(from, to)| from != to && rooms.contains(from) && rooms.contains(to))
            .collect();
        println!("{folder}: {} rooms, {} arrows between them: {between:?}", rooms.len(), between.len());
    }
}

#[test]
fn no_files_use_one_another_in_a_circle() {
    let mut found = Vec::new();
    for folder in crates() {
        let arrows = Crate::read(&folder).arrows();
        let name =
            folder.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        println!("{name}: {} arrows between files", arrows.len());
        found.extend(circles(&arrows).into_iter().map(|circle| (name.clone(), circle)));
    }
    assert!(found.is_empty(), "files in a circle: {found:#?}");
}

#[test]
fn every_file_is_compiled() {
    for folder in crates() {
        let orphans = Crate::read(&folder).orphans();
        assert!(orphans.is_empty(), "no file names these as its modules: {orphans:?}");
    }
    let files = [("lib.rs", "mod low;"), ("low.rs", ""), ("left.rs", ""), ("low/deep.rs", "")];
    let orphans = written(&files).orphans();
    let names: Vec<_> = orphans.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(names, ["left.rs", "deep.rs"]);
}

#[test]
fn no_folder_holds_more_than_a_dozen_files() {
    for folder in crates() {
        let mut counted: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for file in sources(&folder) {
            *counted.entry(file.parent().expect("a folder").to_owned()).or_default() += 1;
        }
        for (folder, count) in counted {
            assert!(count <= DOZEN, "{} holds {count} files: it needs rooms", folder.display());
        }
    }
}

/// A crate of files with these texts.
fn written(files: &[(&str, &str)]) -> Crate {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    Crate::read(folder.path())
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let files = [
        ("lib.rs", "mod low; mod high; pub use low::deep::Thing; mod other;"),
        ("low/mod.rs", "pub(crate) mod deep; use crate::other::Far; pub(crate) fn here() {}"),
        ("low/deep.rs", "pub struct Thing;"),
        ("other.rs", "pub struct Far;"),
        ("high.rs", text),
    ];
    let arrows = written(&files).arrows();
    let used: Vec<_> = arrows.iter().filter(|(from, _)| from == Path::new("high.rs")).collect();
    let used: Vec<_> = used.into_iter().map(|(_, to)| to.display().to_string()).collect();
    assert_eq!(used, expected, "{text}");
}

#[test]
fn an_arrow_is_seen_however_it_is_written() {
    check("use crate::low::deep::Thing;", &["low/deep.rs"]);
    check("use crate::Thing;", &["low/deep.rs"]);
    check("use super::low::{self, deep::{Thing as Other}};", &["low/deep.rs", "low/mod.rs"]);
    check("fn f(_: crate::low::deep::Thing) {}", &["low/deep.rs"]);
    check("use crate::low; fn f() { low::deep::g() }", &["low/deep.rs", "low/mod.rs"]);
    check("fn f() { super::low::here() }", &["low/mod.rs"]);
    check("use super::low::Far;", &["other.rs"]);
    check("mod inner { use super::super::low::here; }", &["low/mod.rs"]);
    check("macro_rules! m { () => { crate::low::deep::Thing } }", &["low/deep.rs"]);
    check("use std::path::Path; use serde::low; fn f() { Path::new(\"crate::low\") }", &[]);
    check("#[cfg(test)] mod tests { use crate::low::deep::Thing; } pub(in crate::low) fn f() {}", &[]);
    check("/// See crate::low::deep\nfn f() {} #[cfg(test)] use crate::other::Far;", &[]);
}

#[test]
fn an_arrow_that_runs_back_up_and_a_circle_are_found() {
    let files = [
        ("lib.rs", "mod low; mod high; pub fn top() {}"),
        ("low.rs", "use crate::high::H; use crate::top;"),
        ("high.rs", "use crate::low::L;"),
    ];
    let arrows = written(&files).arrows();
    let rooms = ["low.rs".to_owned(), "high.rs".to_owned()];
    assert_eq!(upward("", &rooms, &arrows), ["low.rs uses high.rs", "low.rs uses lib.rs"]);
    assert_eq!(circles(&arrows), [["high.rs", "low.rs"]]);
}
