//! The same function under another family's names: which rows of which tensors go where, what is done to their numbers, and
//! the config.json that says so.
//!
//! ```text
//! architecture ─→ what the engine can't do  ─┐ fold ─→ architecture' ─→ config.json that resolves to it ─→ rows laid out
//!              └→ what the family can't say ─┘ (again, until neither finds more)
//! ```
//! A word that config.json can say is said; only what it can't is folded into numbers. What is left is the refusal, all at once.

mod gguf;
mod guess;
mod keys;
mod made;
mod search;
mod told;

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use self::guess::Said;
use self::made::missing;
pub use self::made::{Allowed, Conversion, InFile};
use self::search::{Found, Search};
use self::told::{Differences, both, differences, normal, structure, told};
use crate::doors::engines::Form;
use crate::doors::folding::{Fold, Folding, Grade, rank};
use crate::error::{Error, Problem};
use crate::resolved::config;
use crate::waist::architecture::Architecture;
use crate::waist::plan::Part;
use crate::waist::roles::Role;
use crate::written::declaration::Declaration;

/// More rounds than any model needs: each folds every word that it can.
const MOST_ROUNDS: usize = 12;

/// A model that is converted.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The family that reads it.
    pub family: &'a Declaration,
    /// Its config.json.
    pub config: &'a Map<String, Json>,
    /// What that resolved to.
    pub architecture: &'a Architecture,
}

impl Declaration {
    /// This family's form of a checkpoint, as an engine reads it.
    ///
    /// # Errors
    /// [`Error::Misfit`] with every word that stands in the way, those among them that would be allowed to more.
    pub fn converted(
        &self,
        source: Source<'_>,
        form: Option<&Form>,
        allowed: Allowed,
    ) -> Result<Conversion, Error> {
        let misfit =
            |problems| Error::Misfit { place: "config.json".into(), family: self.name.clone(), problems };
        let said = Said { family: source.family, config: source.config };
        let mut folding = Folding::new(normal(source.architecture));
        let (found, limits) = self.folded(&mut folding, said, form).map_err(misfit)?;
        let mut problems = left(&folding, &found, &limits);
        problems.extend(folding.folds.iter().filter(|fold| !allowed.takes(fold.grade)).map(needs));
        if !problems.is_empty() {
            return Err(misfit(problems));
        }
        self.written(&folding, found, said, form).map_err(misfit)
    }

    /// Folds until neither the engine nor the family finds more to fold; what both then still find.
    fn folded(
        &self,
        folding: &mut Folding,
        said: Said<'_>,
        form: Option<&Form>,
    ) -> Result<(Found, Differences), Vec<Problem>> {
        let may = |role: Role| form.is_none_or(|form| form.may_have_bias(role));
        // The bias of values has one place to go to.
        let foldable = |word: &String| word != "tensors.value" || may(Role::AttentionOutput);
        for _ in 0..MOST_ROUNDS {
            let mut limits = limits(form, &folding.architecture)?;
            limits.sort_by_key(|(word, ..)| rank(word));
            let folds = limits.iter().filter(|(word, ..)| foldable(word));
            let folded = folds.map(|(word, _, takes)| folding.fold(word, takes)).collect::<Vec<_>>();
            if folded.contains(&true) {
                continue;
            }
            let search = Search { target: self, wanted: &folding.architecture };
            let mut found = search.nearest(self.guesses(said, &folding.architecture))?;
            found.differs.sort_by_key(|(word, ..)| rank(word));
            let differs = found.differs.iter().filter(|(word, ..)| word != "block.context");
            let folded = differs.map(|(word, _, takes)| folding.fold(word, takes)).collect::<Vec<_>>();
            let moved = may(Role::AttentionOutput) && self.moved_biases(folding, &found.architecture);
            let biased = zero_biases(folding, &found.architecture, may) || moved;
            if !folded.contains(&true) && !biased {
                return Ok((found, limits));
            }
        }
        let message = "folding one word undid another: this pair of families has no common form".to_owned();
        Err(vec![Problem::Value { word: "folds".into(), message, origin: None }])
    }

    /// The bias of values into that of the attention's output, where the family has room for this one alone.
    fn moved_biases(&self, folding: &mut Folding, target: &Architecture) -> bool {
        let has = |role: Role| target.tensor(Some(0), role).is_some_and(|named| named.bias);
        let says = |role: Role| self.bias.get(&role).and_then(|entry| self.key(&entry.expr));
        let own = says(Role::AttentionOutput).is_some_and(|key| says(Role::Value) != Some(key));
        !has(Role::Value)
            && (has(Role::AttentionOutput) || own)
            && folding.fold("tensors.value", &Json::from("a tensor"))
    }

    /// The config.json and the tensors of what was folded.
    fn written(
        &self,
        folding: &Folding,
        found: Found,
        said: Said<'_>,
        form: Option<&Form>,
    ) -> Result<Conversion, Vec<Problem>> {
        let search = Search { target: self, wanted: &folding.architecture };
        let renamed = config::rename(said.family, said.config).0;
        let mut config = match said.family.name == self.name && folding.folds.is_empty() {
            true if form.is_some() => self.for_both_majors(said.config),
            true => said.config.clone(),
            false => self.in_own_keys(search.without_surplus(found.config, &renamed)),
        };
        self.name_class(&mut config, form, said.family.name == self.name, &folding.architecture);
        let resolved = self.resolve(&config, &[]).map_err(|unresolved| unresolved.problems)?;
        let differs = differences(&folding.architecture, &resolved).into_iter();
        let differs: Differences = differs.chain(structure(&folding.architecture, &resolved)).collect();
        let differs: Vec<_> = differs.iter().map(|(word, has, takes)| told(word, has, takes)).collect();
        if !differs.is_empty() {
            return Err(differs);
        }
        // One that was read as this family because somebody said so stays as it is, and a GGUF file has no config.json.
        let told_apart = said.family.name == self.name || form.is_some_and(Form::is_gguf);
        if !told_apart && !self.accepts(&config) {
            let rule = self.matches.as_ref().map(|rule| rule.source()).unwrap_or_default();
            let message = format!("its rule, {rule}, does not accept the converted config.json");
            return Err(vec![Problem::Value { word: "match".into(), message, origin: None }]);
        }
        if let Some(form) = form.filter(|form| form.is_gguf()) {
            return gguf::written(self, folding.clone(), config, form);
        }
        let tensors = folding.recipe.laid(&resolved).map_err(missing)?;
        let (folds, grade) = (folding.folds.clone(), folding.grade());
        Ok(Conversion { config, architecture: resolved, tensors, folds, grade, gguf: None })
    }

    /// `architectures`, without which engines know no config.json; the remote code of another family goes. Where a family's
    /// classes compute different things, it is one that computes what is wanted.
    fn name_class(
        &self,
        config: &mut Map<String, Json>,
        form: Option<&Form>,
        same_family: bool,
        wanted: &Architecture,
    ) {
        if !same_family {
            config.shift_remove("auto_map");
            // A config class has a default for it, which may be no row of this model's table.
            config.entry("pad_token_id").or_insert(Json::Null);
        }
        let own =
            |class: &Json| class.as_str().is_some_and(|name| self.classes.iter().any(|own| own == name));
        let named = config.get("architectures").and_then(Json::as_array);
        let keeps = named.is_some_and(|named| same_family || named.iter().any(own));
        let class = form.and_then(|form| form.class.as_deref()).filter(|_| !same_family || !keeps);
        let computes = |class: &&String| {
            let mut config = config.clone();
            config.insert("architectures".into(), vec![class.as_str()].into());
            self.resolve(&config, &[]).is_ok_and(|resolved| differences(wanted, &resolved).is_empty())
        };
        let own = self.classes.iter().find(computes).or(self.classes.first());
        let class = class.or(own.map(String::as_str).filter(|_| !keeps));
        if let Some(class) = class {
            config.insert("architectures".into(), vec![class].into());
        }
    }
}

/// What an engine computes otherwise: a word, what the model has, what it would be.
fn limits(form: Option<&Form>, architecture: &Architecture) -> Result<Differences, Vec<Problem>> {
    let Some(form) = form else { return Ok(Vec::new()) };
    let limits = form
        .limits(architecture)
        .map_err(|message| vec![Problem::Value { word: "engines".into(), message, origin: None }])?;
    Ok(limits.into_iter().map(|limit| (limit.word, limit.has, limit.takes)).collect())
}

/// Biases that the target has and the model has not are zeros.
fn zero_biases(folding: &mut Folding, target: &Architecture, may: impl Fn(Role) -> bool) -> bool {
    let mut roles: BTreeSet<Role> = BTreeSet::new();
    for planned in target.plan().tensors.iter().filter(|planned| planned.part == Part::Bias) {
        for role in planned.roles.iter().filter(|role| !role.is_of_experts() && !role.is_of_delta()) {
            let (layer, role) = (planned.layer, *role);
            if !may(role)
                || folding.recipe.has(layer, role, Part::Bias)
                || !folding.recipe.has(layer, role, Part::Weight)
            {
                continue;
            }
            let rows = target.shape(layer, role, Default::default())[0];
            folding.recipe.zeros(layer, role, rows);
            folding.say_bias(layer, role, true);
            roles.insert(role);
        }
    }
    if roles.is_empty() {
        return false;
    }
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    let what = format!("biases of zeros for {}", names.join(", "));
    folding.folds.push(Fold {
        word: "bias".into(),
        what,
        grade: Grade::Bytes,
        from: Json::Null,
        to: Json::Null,
    });
    true
}

/// What no fold reaches.
fn left(folding: &Folding, found: &Found, limits: &Differences) -> Vec<Problem> {
    let shape = structure(&folding.architecture, &found.architecture);
    let mut problems: Vec<Problem> = Vec::new();
    for (word, has, takes) in limits.iter().chain(&found.differs).chain(&shape) {
        let problem = told(word, has, takes);
        let said = |other: &Problem| matches!(other, Problem::Value { word: known, .. } if known == word);
        if !problems.iter().any(said) {
            problems.push(problem);
        }
    }
    problems
}

/// A fold that is not allowed: the word, and what would allow it.
fn needs(fold: &Fold) -> Problem {
    let allow = match fold.grade {
        Grade::Bytes | Grade::Exact => "fold".to_owned(),
        Grade::Within(tokens) => format!("length (equal within {tokens} tokens)"),
    };
    let message = format!("{}; --allow {allow}: {}", both(&fold.word, &fold.from, &fold.to), fold.what);
    Problem::Value { word: fold.word.clone(), message, origin: None }
}
