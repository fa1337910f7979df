//! A declaration: a family's file with all that it inherits.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Origin};
use crate::waist::named::write_roles;
use crate::waist::roles::Role;
use crate::written::expr::{Entry, Expr};
use crate::written::file::{Entries, File, Gguf, Size};
use crate::written::formula::{Formula, root};
use crate::written::slips;
use crate::written::template::Template;
use crate::written::unwrap::Unwrap;

/// A family, whole.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// Its name: the file's, without `.toml`.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The names of the files it is made of, itself first, the root last.
    pub chain: Vec<String>,
    /// The rule over config.json that tells its checkpoints. A file without one is there to be extended only.
    pub matches: Option<Formula>,
    /// The classes that `architectures` of its checkpoints may name. Where there are none, any is taken.
    pub classes: Vec<String>,
    /// The same network's classes without a head, whose checkpoints run where the head is the embedding.
    pub base_classes: Vec<String>,
    /// The historical ancestor, where `extends` is mere reuse.
    pub after: Option<String>,
    /// The family of which this is another naming.
    pub form_of: Option<String>,
    /// When it was released, as `2024-06`.
    pub released: Option<String>,
    /// Who made it.
    pub by: Option<String>,
    /// What is new in it, in one sentence.
    pub summary: Option<String>,
    /// The paper, or the code, that it is declared from.
    pub source: Option<String>,
    /// Where a text model lies within a larger one.
    pub unwrap: Unwrap,
    /// Older and newer spellings of keys: from → to, in the order in which they apply.
    pub rename: Vec<(String, Entry)>,
    /// What a key is worth that config.json lacks, or holds null for.
    pub default: Entries,
    /// What a key is worth that config.json lacks, where a null stays none.
    pub absent: Entries,
    /// Names of the declaration's own, for formulas to share.
    pub lets: Entries,
    /// Keys that would matter, were they anything else.
    pub require: Entries,
    /// Globs of inert keys.
    pub inert_keys: Vec<String>,
    /// A condition on config.json → globs of keys that are inert where it holds.
    pub inert_when: Vec<(Formula, Vec<String>)>,
    /// Keys that say how weights are packed: inert beside weights that are not.
    pub packing: Vec<String>,
    /// Globs of inert tensors.
    pub inert_tensors: Vec<String>,
    /// Globs of tensors of other parts of a larger model, which are set aside; that they are is told.
    pub parts: Vec<String>,
    /// `table.key` → entry, for the tables of mathematics.
    pub words: Entries,
    /// Roles → the name template of the tensor that holds them, with its attributes.
    pub tensors: Vec<(Vec<Role>, Entry)>,
    /// Role → whether it has a bias.
    pub bias: BTreeMap<Role, Entry>,
    /// Published sizes.
    pub sizes: Vec<Size>,
    /// The tokenizer's settings.
    pub tokenizer: Entries,
    /// The chat template's name and the texts that stop a turn.
    pub chat: Entries,
    /// How a GGUF file calls things.
    pub gguf: Gguf,
}

impl Declaration {
    /// Lays a chain of files over one another: `files[0]` is the family's own, the last is the root.
    pub(crate) fn merge(files: &[&File]) -> Result<Declaration, Error> {
        let own = files[0];
        let mut merged = Declaration::empty(own, files);
        for file in files.iter().rev() {
            merged.inherit(file)?;
        }
        for file in files {
            for (from, to) in &file.rename {
                if !merged.rename.iter().any(|(known, _)| known == from) {
                    merged.rename.push((from.clone(), to.clone()));
                }
            }
        }
        merged.check(own)?;
        Ok(merged)
    }

    /// Lays one file over what is inherited so far. A table that is left out here does not compile.
    fn inherit(&mut self, file: &File) -> Result<(), Error> {
        // The head and the sizes are the file's own; renames go the other way round, child first.
        let File {
            name: _,
            label: _,
            head: _,
            unwrap,
            rename: _,
            default,
            absent,
            lets,
            require,
            ignore,
            words,
            tensors,
            bias,
            sizes: _,
            tokenizer,
            chat,
            gguf,
        } = file;
        self.unwrap.inherit(unwrap)?;
        // A child's default holds for a key that is absent too, unless the child itself says otherwise.
        self.absent.retain(|key, _| !default.contains_key(key));
        self.default.extend(default.clone());
        self.absent.extend(absent.clone());
        self.lets.extend(lets.clone());
        let keys = globs(ignore, "keys")?;
        self.require.retain(|key, _| !keys.contains(key));
        self.require.extend(require.clone());
        self.words.extend(words.clone());
        self.tokenizer.extend(tokenizer.clone());
        self.chat.extend(chat.clone());
        self.inert_keys.extend(keys);
        self.packing.extend(globs(ignore, "packing")?);
        self.inert_when.extend(conditions(ignore)?);
        self.inert_tensors.extend(globs(ignore, "tensors")?);
        self.parts.extend(globs(ignore, "parts")?);
        overlay(&mut self.tensors, tensors)?;
        for (roles, entry) in bias {
            self.bias.extend(roles.iter().map(|role| (*role, entry.clone())));
        }
        let Gguf { words, instead, config, neutral, tensors, fused } = gguf;
        self.gguf.words.extend(words.clone());
        self.gguf.instead.extend(instead.clone());
        self.gguf.config.extend(config.clone());
        self.gguf.neutral.extend(neutral.clone());
        overlay(&mut self.gguf.tensors, tensors)?;
        overlay(&mut self.gguf.fused, fused)
    }

    fn empty(own: &File, files: &[&File]) -> Declaration {
        let text = |key| own.head_text(key).map(str::to_owned);
        let matches = own.head.get("match").and_then(|entry| match &entry.expr {
            Expr::Formula(formula) => Some(formula.clone()),
            Expr::Literal(_) | Expr::List(_) | Expr::Table(_) => None,
        });
        Declaration {
            name: own.name.clone(),
            title: text("title").unwrap_or_else(|| own.name.clone()),
            chain: files.iter().map(|file| file.name.clone()).collect(),
            matches,
            classes: own.head_texts("classes"),
            base_classes: own.head_texts("base_classes"),
            after: text("after"),
            form_of: text("form_of"),
            released: text("released"),
            by: text("by"),
            summary: text("summary"),
            source: text("source"),
            unwrap: Unwrap::default(),
            rename: Vec::new(),
            default: Entries::new(),
            absent: Entries::new(),
            lets: Entries::new(),
            require: Entries::new(),
            inert_keys: Vec::new(),
            inert_when: Vec::new(),
            packing: Vec::new(),
            inert_tensors: Vec::new(),
            parts: Vec::new(),
            words: Entries::new(),
            tensors: Vec::new(),
            bias: BTreeMap::new(),
            sizes: own.sizes.clone(),
            tokenizer: Entries::new(),
            chat: Entries::new(),
            gguf: Gguf::default(),
        }
    }

    /// Globs of the tensors that a checkpoint may have beside the family's: inert, or of another part of a larger model.
    #[must_use]
    pub fn unread_tensors(&self) -> Vec<String> {
        self.inert_tensors.iter().chain(&self.parts).cloned().collect()
    }

    /// The dotted names of config.json's keys that surviving formulas read, through defaults and lets.
    #[must_use]
    pub fn reads(&self) -> BTreeSet<String> {
        let mut direct: Vec<&Formula> = Vec::new();
        let tensors = self.tensors.iter().chain(&self.gguf.tensors).map(|(_, entry)| entry);
        let entries = self
            .words
            .values()
            .chain(self.bias.values())
            .chain(self.tokenizer.values())
            .chain(self.chat.values());
        for entry in entries.chain(tensors.clone()) {
            direct.extend(entry.expr.formulas());
        }
        let mut names: Vec<String> = direct.iter().flat_map(|formula| formula.variables().clone()).collect();
        names.extend(
            tensors.filter_map(|entry| Template::of(entry).ok()).flat_map(|template| template.variables()),
        );
        let mut seen = BTreeSet::new();
        while let Some(name) = names.pop() {
            let root = name.split('.').next().unwrap_or_default().to_owned();
            if !seen.insert(name) {
                continue;
            }
            for entry in
                [&self.default, &self.absent, &self.lets].into_iter().filter_map(|all| all.get(&root))
            {
                names.extend(entry.expr.formulas().iter().flat_map(|formula| formula.variables().clone()));
            }
        }
        seen.remove("layer");
        seen.remove("expert");
        seen.remove("head");
        seen
    }

    /// What the file itself says must be of use: a default or a let that nothing reads is a slip of the pen.
    fn check(&self, own: &File) -> Result<(), Error> {
        if self.words.is_empty() {
            return Ok(()); // config habits alone: whoever extends them reads them
        }
        let reads: BTreeSet<String> = self.reads().iter().map(|name| root(name).to_owned()).collect();
        for (key, entry) in own.default.iter().chain(&own.absent).chain(&own.lets) {
            if !reads.contains(key) {
                let known = |name: &str| {
                    [&self.default, &self.absent, &self.lets].iter().any(|all| all.contains_key(name))
                };
                if let Some(slip) = slips::misspelt(own, key, known) {
                    return Err(slip);
                }
                let message = format!("`{key}` is given a value, but no formula reads it");
                return Err(Error::Declaration { origin: entry.origin.clone(), message });
            }
        }
        for (roles, entry) in own.tensors.iter().chain(&own.gguf.tensors).chain(&own.gguf.fused) {
            Template::of(entry).map_err(|message| Error::Declaration {
                origin: entry.origin.clone(),
                message: format!("{}: {message}", write_roles(roles)),
            })?;
        }
        for (from, entry) in &own.rename {
            if entry.expr.text().is_none() {
                let message = format!("`{from}` must be renamed to a key, a string");
                return Err(Error::Declaration { origin: entry.origin.clone(), message });
            }
        }
        Ok(())
    }

    /// The names of the files that may hold the family's vocabulary.
    #[must_use]
    pub fn tokenizer_files(&self) -> Vec<&str> {
        let Some(Expr::List(files)) = self.tokenizer.get("files").map(|entry| &entry.expr) else {
            return Vec::new();
        };
        fn name(file: &Expr) -> Option<&str> {
            match file {
                Expr::Table(file) => file.get("name").and_then(Expr::text),
                Expr::Literal(_) | Expr::Formula(_) | Expr::List(_) => None,
            }
        }
        files.iter().filter_map(name).collect()
    }

    /// Where a word was said.
    #[must_use]
    pub fn origin(&self, word: &str) -> Option<&Origin> {
        self.words.get(word).map(|entry| &entry.origin)
    }
}

fn globs(ignore: &Entries, key: &str) -> Result<Vec<String>, Error> {
    let Some(entry) = ignore.get(key) else { return Ok(Vec::new()) };
    patterns(key, &entry.expr).map_err(|message| Error::Declaration { origin: entry.origin.clone(), message })
}

fn patterns(key: &str, expr: &Expr) -> Result<Vec<String>, String> {
    let Expr::List(list) = expr else {
        return Err(format!("ignore.{key} must be a list of names, with * for any run of letters"));
    };
    list.iter()
        .map(|expr| {
            let text = expr.text().ok_or_else(|| format!("ignore.{key}: {} is no name", expr.written()))?;
            glob::Pattern::new(text).map_err(|e| format!("ignore.{key}: `{text}`: {e}"))?;
            Ok(text.to_owned())
        })
        .collect()
}

/// `[ignore.when]`: a condition, as a formula without its `=`, and the keys that are inert where it holds.
fn conditions(ignore: &Entries) -> Result<Vec<(Formula, Vec<String>)>, Error> {
    let Some(entry) = ignore.get("when") else { return Ok(Vec::new()) };
    let error = |message: String| Error::Declaration { origin: entry.origin.clone(), message };
    let Expr::Table(table) = &entry.expr else {
        return Err(error("ignore.when must be a table: a condition = a list of keys".into()));
    };
    table
        .iter()
        .map(|(condition, keys)| {
            let formula = Formula::parse(condition).map_err(|e| format!("ignore.when.\"{condition}\": {e}"));
            Ok((formula.map_err(error)?, patterns("when", keys).map_err(error)?))
        })
        .collect()
}

/// Lays a child's tensors over its parent's. A role has one owner: naming it evicts the parent's key that held it.
pub(crate) fn overlay(
    parent: &mut Vec<(Vec<Role>, Entry)>,
    child: &[(Vec<Role>, Entry)],
) -> Result<(), Error> {
    let named: BTreeSet<Role> = child.iter().flat_map(|(roles, _)| roles.clone()).collect();
    let (evicted, kept): (Vec<_>, Vec<_>) = std::mem::take(parent)
        .into_iter()
        .partition(|(roles, _)| roles.iter().any(|role| named.contains(role)));
    for (roles, _) in &evicted {
        if let Some(orphan) = roles.iter().find(|role| !named.contains(role)) {
            let (by, entry) =
                child.iter().find(|(own, _)| own.iter().any(|r| roles.contains(r))).unwrap_or(&child[0]);
            let message = format!(
                "naming `{}` takes apart the parent's `{}`, and `{orphan}` is left without a name",
                write_roles(by),
                write_roles(roles)
            );
            return Err(Error::Declaration { origin: entry.origin.clone(), message });
        }
    }
    *parent = kept;
    let none = Expr::Literal(serde_json::Value::Null);
    parent.extend(child.iter().filter(|(_, entry)| entry.expr != none).cloned());
    Ok(())
}
