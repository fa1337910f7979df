//! All declarations: the built-in ones, embedded by listing their folder, and a user's own beside them.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};

use crate::error::Error;
use crate::written::declaration::Declaration;
use crate::written::file::File;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/families");

/// A family's file may be this long; the longest of the seed has some 5,000 letters.
const LONGEST_FILE: u64 = 1 << 20;
/// So many files may extend one another; the deepest of the seed is a chain of five.
const DEEPEST_CHAIN: usize = 32;

/// The family tree.
#[derive(Debug, Clone)]
pub struct Library {
    files: BTreeMap<String, File>,
    declarations: BTreeMap<String, Declaration>,
}

impl Library {
    /// The built-in families.
    ///
    /// # Errors
    /// None in a build whose tests pass: the embedded files are all read.
    pub fn built_in() -> Result<Library, Error> {
        let mut files = BTreeMap::new();
        for entry in BUILT_IN.files().filter(|file| file.path().extension().is_some_and(|e| e == "toml")) {
            let name = stem(entry.path());
            let text = entry.contents_utf8().unwrap_or_default();
            files.insert(name.clone(), File::read(&name, &format!("families/{name}.toml"), text)?);
        }
        let mut library = Library { files, declarations: BTreeMap::new() };
        for name in library.files.keys() {
            let declaration = library.merge(name)?;
            library.declarations.insert(name.clone(), declaration);
        }
        Ok(library)
    }

    /// Adds the family of a user's file, which may extend any other, and gives its name.
    ///
    /// # Errors
    /// The file can't be read, is no declaration, or does not fit what it extends.
    pub fn add(&mut self, path: &Path) -> Result<String, Error> {
        let (text, name) = (read(path)?, stem(path));
        self.insert(&name, &path.display().to_string(), &text)?;
        Ok(name)
    }

    /// Adds a family from the text of its file; `label` stands in messages.
    ///
    /// # Errors
    /// The text is no declaration, or does not fit what it extends.
    pub fn insert(&mut self, name: &str, label: &str, text: &str) -> Result<(), Error> {
        short_enough(label, text.len() as u64)?;
        self.files.insert(name.to_owned(), File::read(name, label, text)?);
        let declaration = self.merge(name)?;
        self.declarations.insert(name.to_owned(), declaration);
        Ok(())
    }

    /// A family by name.
    ///
    /// # Errors
    /// [`Error::UnknownFamily`], which lists those there are.
    pub fn get(&self, name: &str) -> Result<&Declaration, Error> {
        self.declarations.get(name).ok_or_else(|| Error::UnknownFamily {
            name: name.to_owned(),
            known: self.families().map(|family| family.name.clone()).collect(),
        })
    }

    /// Every family: each declaration that says how to tell its checkpoints.
    pub fn families(&self) -> impl Iterator<Item = &Declaration> {
        self.declarations.values().filter(|declaration| declaration.matches.is_some())
    }

    /// Every declaration, those that are there to be extended only among them.
    pub fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        self.declarations.values()
    }

    /// A family and its forms: other namings of it.
    pub fn forms<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Declaration> {
        let own = self.declarations.get(name).into_iter();
        own.chain(self.declarations.values().filter(move |form| form.form_of.as_deref() == Some(name)))
    }

    /// The text of a built-in chat template.
    #[must_use]
    pub fn chat_template(name: &str) -> Option<&'static str> {
        BUILT_IN.get_file(format!("chat/{name}.jinja"))?.contents_utf8()
    }

    /// The text of a built-in family's file.
    #[must_use]
    pub fn source(name: &str) -> Option<&'static str> {
        BUILT_IN.get_file(format!("{name}.toml"))?.contents_utf8()
    }

    fn merge(&self, name: &str) -> Result<Declaration, Error> {
        let mut chain: Vec<&File> = Vec::new();
        let mut next = Some(name.to_owned());
        while let Some(name) = next {
            let child = chain.last().copied();
            let file = self.files.get(&name).ok_or_else(|| self.unknown_parent(child, &name))?;
            let label = child.map(|f| f.label.clone()).unwrap_or_default();
            if chain.len() == DEEPEST_CHAIN {
                return Err(Error::Deep { file: label, most: DEEPEST_CHAIN });
            }
            if chain.iter().any(|f| f.name == name) {
                let mut names: Vec<_> = chain.iter().map(|f| f.name.clone()).collect();
                names.push(name);
                return Err(Error::Cycle { file: label, chain: names });
            }
            chain.push(file);
            next = file.head_text("extends").map(str::to_owned);
        }
        Declaration::merge(&chain)
    }

    fn unknown_parent(&self, child: Option<&File>, name: &str) -> Error {
        let known: Vec<_> = self.files.keys().cloned().collect();
        match child.and_then(|file| file.head.get("extends")) {
            Some(entry) => Error::Declaration {
                origin: entry.origin.clone(),
                message: format!(
                    "extends = \"{name}\": no family is called that; there are {}",
                    known.join(", ")
                ),
            },
            None => Error::UnknownFamily { name: name.to_owned(), known },
        }
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(path: &Path) -> Result<String, Error> {
    let error = |source| Error::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(error)?.len();
    short_enough(&path.display().to_string(), size)?;
    std::fs::read_to_string(path).map_err(error)
}

fn short_enough(file: &str, size: u64) -> Result<(), Error> {
    if size > LONGEST_FILE {
        let message = format!("the file has {size} bytes; a family's file has at most {LONGEST_FILE}");
        return Err(Error::Toml { file: file.to_owned(), message });
    }
    Ok(())
}
