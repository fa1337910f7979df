//! One family's file, as written: TOML in, entries with their places out. Nothing is inherited yet.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::error::{Error, Origin};
use crate::waist::named::{read_roles, share};
use crate::waist::roles::Role;
use crate::written::expr::{Entry, Expr};
use crate::written::words;

/// Entries by key, in the order written.
pub type Entries = IndexMap<String, Entry>;

/// A published size: the keys of its `config.json` and the number of its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Size {
    /// Its name, such as `7B`.
    pub name: String,
    /// The published count.
    pub parameters: u64,
    /// Its config.json: the family's `[release]` with this size's own keys over it.
    pub config: Map<String, Json>,
}

/// How the family's tensors and metadata are called in a GGUF file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gguf {
    /// `architecture`, `permuted`, `exponents`, `halves`, `ignore`.
    pub words: Entries,
    /// Words of the mathematics, `table.key`, that are others in such files.
    pub instead: Entries,
    /// Metadata key → the value, or the list of values, at which it means nothing.
    pub neutral: Entries,
    /// Key of config.json → formula over the metadata.
    pub config: Entries,
    /// Roles → tensor name.
    pub tensors: Vec<(Vec<Role>, Entry)>,
    /// Roles that are named apart → the name of the one tensor that may hold them all.
    pub fused: Vec<(Vec<Role>, Entry)>,
}

impl Gguf {
    /// What the family's files call their architecture, the usual name first; none where it has none.
    pub fn architectures(&self) -> impl Iterator<Item = &str> {
        let expr = self.words.get("architecture").map(|entry| &entry.expr);
        let (one, list) = match expr {
            Some(Expr::List(list)) => (None, list.as_slice()),
            Some(expr @ (Expr::Literal(_) | Expr::Formula(_) | Expr::Table(_))) => (expr.text(), &[][..]),
            None => (None, &[][..]),
        };
        one.into_iter().chain(list.iter().filter_map(Expr::text))
    }

    /// Whether a formula over the metadata reads a name.
    pub(crate) fn reads(&self, name: &str) -> bool {
        let mut formulas = self.config.values().flat_map(|entry| entry.expr.formulas());
        formulas.any(|formula| formula.variables().contains(name))
    }
}

/// One file.
#[derive(Debug, Clone, Default)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) head: Entries,
    pub(crate) unwrap: Entries,
    pub(crate) rename: Entries,
    pub(crate) default: Entries,
    pub(crate) absent: Entries,
    pub(crate) lets: Entries,
    pub(crate) require: Entries,
    pub(crate) ignore: Entries,
    /// `table.key` → entry, for the tables of mathematics.
    pub(crate) words: Entries,
    pub(crate) tensors: Vec<(Vec<Role>, Entry)>,
    pub(crate) bias: Vec<(Vec<Role>, Entry)>,
    pub(crate) sizes: Vec<Size>,
    pub(crate) tokenizer: Entries,
    pub(crate) chat: Entries,
    pub(crate) gguf: Gguf,
}

/// The keys that stand outside any table.
pub(crate) const HEAD: [&str; 11] = [
    "title",
    "by",
    "released",
    "summary",
    "source",
    "extends",
    "after",
    "form_of",
    "match",
    "classes",
    "base_classes",
];
const CONFIG: [&str; 7] = ["unwrap", "rename", "default", "absent", "let", "require", "ignore"];
const REST: [&str; 7] = ["tensors", "bias", "release", "sizes", "tokenizer", "chat", "gguf"];

struct Reader<'a> {
    text: &'a str,
    label: &'a str,
}

type Key<'i> = Spanned<DeString<'i>>;
type Val<'i> = Spanned<DeValue<'i>>;

impl File {
    /// Reads a family's file.
    pub(crate) fn read(name: &str, label: &str, text: &str) -> Result<File, Error> {
        let reader = Reader { text, label };
        let document = DeTable::parse(text).map_err(|e| Error::Toml {
            file: label.to_owned(),
            message: e.to_string().trim_end().to_owned(),
        })?;
        let mut file = File { name: name.to_owned(), label: label.to_owned(), ..File::default() };
        let mut release = Map::new();
        let mut sizes = None;
        for (key, value) in document.get_ref() {
            match key.get_ref().as_ref() {
                head if HEAD.contains(&head) => {
                    file.head.insert(head.to_owned(), reader.head(key, value)?);
                }
                "unwrap" => file.unwrap = reader.known(key, value, &["config", "tensors"])?,
                "rename" => file.rename = reader.entries(key, value)?,
                "default" => file.default = reader.entries(key, value)?,
                "absent" => file.absent = reader.entries(key, value)?,
                "let" => file.lets = reader.entries(key, value)?,
                "require" => file.require = reader.entries(key, value)?,
                "ignore" => {
                    file.ignore =
                        reader.known(key, value, &["keys", "tensors", "parts", "when", "packing"])?;
                }
                "tensors" => file.tensors = reader.tensors(key, value)?,
                "bias" => file.bias = reader.roles(key, value)?,
                "release" => release = reader.literals(key, value)?,
                "sizes" => sizes = Some((key, value)),
                "tokenizer" => file.tokenizer = reader.entries(key, value)?,
                "chat" => {
                    file.chat =
                        reader.known(key, value, &["template", "join", "precedes", "stop", "system"])?;
                }
                "gguf" => file.gguf = reader.gguf(key, value)?,
                table if words::TABLES.contains(&table) => {
                    let known: Vec<_> = words::keys(table).into_iter().collect();
                    let entries = reader.known(key, value, &known)?;
                    file.words
                        .extend(entries.into_iter().map(|(word, entry)| (format!("{table}.{word}"), entry)));
                }
                unknown => return Err(reader.unknown(key, unknown)),
            }
        }
        if let Some((key, value)) = sizes {
            file.sizes = reader.sizes(key, value, &release)?;
        }
        Ok(file)
    }

    /// A string outside any table.
    pub(crate) fn head_text(&self, key: &str) -> Option<&str> {
        self.head.get(key).and_then(|entry| entry.expr.text())
    }

    /// A list of strings outside any table; none where it is not written.
    pub(crate) fn head_texts(&self, key: &str) -> Vec<String> {
        let texts = self.head.get(key).and_then(|entry| entry.expr.texts()).unwrap_or_default();
        texts.into_iter().map(str::to_owned).collect()
    }
}

impl Reader<'_> {
    fn origin(&self, offset: usize) -> Origin {
        let line = self.text.get(..offset).unwrap_or(self.text).matches('\n').count() + 1;
        Origin { file: self.label.to_owned(), line }
    }

    fn error(&self, offset: usize, message: String) -> Error {
        Error::Declaration { origin: self.origin(offset), message }
    }

    fn unknown(&self, key: &Key<'_>, name: &str) -> Error {
        let known: Vec<_> = HEAD.iter().chain(&CONFIG).chain(&words::TABLES).chain(&REST).copied().collect();
        self.error(
            key.span().start,
            format!("`{name}` is no key of a family's file; there are {}", known.join(", ")),
        )
    }

    fn head(&self, key: &Key<'_>, value: &Val<'_>) -> Result<Entry, Error> {
        let entry = self.entry(key, value)?;
        let name = key.get_ref().as_ref();
        let (fits, wanted) = match name {
            "match" => {
                (matches!(entry.expr, Expr::Formula(_)), "a formula, such as \"= model_type == 'name'\"")
            }
            "classes" | "base_classes" => (entry.expr.texts().is_some(), "a list of names"),
            _ => (entry.expr.text().is_some(), "a string"),
        };
        if fits { Ok(entry) } else { Err(self.error(key.span().start, format!("`{name}` must be {wanted}"))) }
    }

    fn entry(&self, key: &Key<'_>, value: &Val<'_>) -> Result<Entry, Error> {
        let expr = Expr::read(value.get_ref())
            .map_err(|message| self.error(value.span().start, format!("{} = {message}", key.get_ref())))?;
        Ok(Entry { expr, origin: self.origin(key.span().start) })
    }

    fn table<'v, 'i>(&self, key: &Key<'_>, value: &'v Val<'i>) -> Result<&'v DeTable<'i>, Error> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.error(key.span().start, format!("`{}` must be a table", key.get_ref()))),
        }
    }

    fn entries(&self, key: &Key<'_>, value: &Val<'_>) -> Result<Entries, Error> {
        self.table(key, value)?
            .iter()
            .map(|(k, v)| Ok((k.get_ref().to_string(), self.entry(k, v)?)))
            .collect()
    }

    fn known(&self, key: &Key<'_>, value: &Val<'_>, known: &[&str]) -> Result<Entries, Error> {
        for entry in self.table(key, value)?.keys() {
            let name = entry.get_ref().as_ref();
            if !known.contains(&name) {
                let message =
                    format!("`{name}` is no key of [{}]; there are {}", key.get_ref(), known.join(", "));
                return Err(self.error(entry.span().start, message));
            }
        }
        self.entries(key, value)
    }

    /// Names of tensors by the roles that each holds.
    fn tensors(&self, key: &Key<'_>, value: &Val<'_>) -> Result<Vec<(Vec<Role>, Entry)>, Error> {
        let tensors = self.roles(key, value)?;
        for (roles, entry) in &tensors {
            share(roles).map_err(|message| Error::Declaration { origin: entry.origin.clone(), message })?;
        }
        Ok(tensors)
    }

    fn roles(&self, key: &Key<'_>, value: &Val<'_>) -> Result<Vec<(Vec<Role>, Entry)>, Error> {
        let mut out: Vec<(Vec<Role>, Entry)> = Vec::new();
        for (k, v) in self.table(key, value)? {
            let roles = read_roles(k.get_ref()).map_err(|message| self.error(k.span().start, message))?;
            if let Some(twice) = roles.iter().find(|role| out.iter().any(|(named, _)| named.contains(role))) {
                return Err(
                    self.error(k.span().start, format!("`{twice}` is named twice in [{}]", key.get_ref()))
                );
            }
            out.push((roles, self.entry(k, v)?));
        }
        Ok(out)
    }

    fn literals(&self, key: &Key<'_>, value: &Val<'_>) -> Result<Map<String, Json>, Error> {
        let table = self.table(key, value)?;
        let nothing = minijinja::Value::from(());
        table
            .iter()
            .map(|(k, v)| {
                let entry = self.entry(k, v)?;
                if !entry.expr.formulas().is_empty() {
                    let message =
                        format!("{}: keys of config.json are literals here, not formulas", k.get_ref());
                    return Err(self.error(k.span().start, message));
                }
                let value =
                    entry.expr.json(&nothing).map_err(|message| self.error(k.span().start, message))?;
                Ok((k.get_ref().to_string(), value))
            })
            .collect()
    }

    fn gguf(&self, key: &Key<'_>, value: &Val<'_>) -> Result<Gguf, Error> {
        let mut gguf = Gguf::default();
        for (k, v) in self.table(key, value)? {
            match k.get_ref().as_ref() {
                "config" => gguf.config = self.entries(k, v)?,
                "neutral" => gguf.neutral = self.entries(k, v)?,
                "tensors" => gguf.tensors = self.tensors(k, v)?,
                "fused" => gguf.fused = self.tensors(k, v)?,
                "words" => gguf.instead = self.instead(k, v)?,
                name @ ("architecture" | "permuted" | "exponents" | "halves" | "ignore") => {
                    gguf.words.insert(name.to_owned(), self.entry(k, v)?);
                }
                name => {
                    let known = "architecture, permuted, exponents, halves, ignore, words, config, neutral, tensors, fused";
                    return Err(self
                        .error(k.span().start, format!("`{name}` is no key of [gguf]; there are {known}")));
                }
            }
        }
        Ok(gguf)
    }

    /// Words as `"table.key" = value`.
    fn instead(&self, key: &Key<'_>, value: &Val<'_>) -> Result<Entries, Error> {
        let entries = self.entries(key, value)?;
        let known = |word: &str| {
            let (table, key) = word.split_once('.')?;
            (words::TABLES.contains(&table) && words::keys(table).contains(key)).then_some(())
        };
        match entries.keys().find(|word| known(word).is_none()) {
            None => Ok(entries),
            Some(word) => {
                let message = format!("`{word}` is no word of a family: write \"norm.offset\" = 0, say");
                Err(self.error(key.span().start, message))
            }
        }
    }

    fn sizes(&self, key: &Key<'_>, value: &Val<'_>, release: &Map<String, Json>) -> Result<Vec<Size>, Error> {
        let DeValue::Array(list) = value.get_ref() else {
            return Err(self.error(key.span().start, "`sizes` must be written as [[sizes]]".into()));
        };
        list.iter().map(|size| self.size(key, size, release)).collect()
    }

    fn size(&self, key: &Key<'_>, value: &Val<'_>, release: &Map<String, Json>) -> Result<Size, Error> {
        let table = self.table(key, value)?;
        let (mut name, mut parameters, mut config) = (None, None, release.clone());
        for (k, v) in table {
            let at = k.span().start;
            match k.get_ref().as_ref() {
                "name" => name = v.get_ref().as_str().map(str::to_owned),
                "parameters" => parameters = v.get_ref().as_integer().and_then(|i| i.as_str().parse().ok()),
                "config" => config.extend(self.literals(k, v)?),
                other => {
                    let message =
                        format!("`{other}` is no key of [[sizes]]; there are name, parameters, config");
                    return Err(self.error(at, message));
                }
            }
        }
        let lacks = |what: &str| self.error(value.span().start, format!("[[sizes]] needs `{what}`"));
        let name = name.ok_or_else(|| lacks("name, a string"))?;
        let parameters = parameters.ok_or_else(|| lacks("parameters, a count"))?;
        Ok(Size { name, parameters, config })
    }
}
