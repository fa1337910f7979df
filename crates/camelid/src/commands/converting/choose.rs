//! Which form a checkpoint is written in.

use anyhow::bail;
use camelid_families::{
    Allowed, Conversion, Declaration, Engine, Form, Grade, Library, Source, engine, engines, own_form,
};
use camelid_generate::Opened;

use crate::commands::output::titles::titled;

/// A form, and what it takes to write a checkpoint in it.
#[derive(Debug)]
pub(super) struct Chosen<'l> {
    pub(super) engine: Option<&'static Engine>,
    pub(super) form: Option<&'static Form>,
    pub(super) family: &'l Declaration,
    pub(super) conversion: Conversion,
    /// That another form would lose less.
    pub(super) better: Option<String>,
}

impl Chosen<'_> {
    pub(super) fn is_gguf(&self) -> bool {
        self.form.is_some_and(Form::is_gguf)
    }

    /// Fewer is better: the grade, how many tensors are rounded, how many folds there are.
    fn cost(&self) -> (Grade, usize, usize) {
        let computed = self.conversion.tensors.iter().filter(|tensor| tensor.is_computed()).count();
        (self.conversion.grade, computed, self.conversion.folds.len())
    }
}

/// The form that is asked for: a family's, an engine's, or both.
///
/// # Errors
/// No such family or engine; no form that holds the checkpoint, with what stands in the way of each.
pub(super) fn choose<'l>(
    library: &'l Library,
    opened: &Opened,
    to: Option<&str>,
    engine_name: Option<&str>,
    allowed: Allowed,
) -> anyhow::Result<Chosen<'l>> {
    let architecture = opened.architecture()?;
    let source = Source { family: opened.family(), config: opened.config(), architecture: &architecture };
    let Some(name) = engine_name else {
        let family = library.get(to.unwrap_or_default())?;
        // What it is already, whatever an engine makes of that.
        let form = own_form(&family.name).filter(|_| family.name != source.family.name);
        let converted = family.converted(source, form, allowed);
        let engine =
            form.and_then(|form| engines().find(|engine| engine.forms.iter().any(|f| std::ptr::eq(f, form))));
        return match converted {
            Ok(conversion) => {
                let mut chosen = Chosen { engine, form, family, conversion, better: None };
                if chosen.conversion.grade > Grade::Bytes {
                    chosen.better = lossless(library, source, &family.name);
                }
                Ok(chosen)
            }
            Err(error) => {
                let place = opened.path().display();
                let other = lossless(library, source, &family.name).map(|line| format!("\n  {line}"));
                bail!("{place} can't be said as {}: {error}{}", titled(family), other.unwrap_or_default())
            }
        };
    };
    let Some(engine) = engine(name) else {
        let known: Vec<_> = engines().map(|engine| format!("`{}`", engine.name)).collect();
        bail!("no engine is called `{name}`; there are {}", known.join(", "))
    };
    of_engine(library, opened, source, engine, to, allowed)
}

fn of_engine<'l>(
    library: &'l Library,
    opened: &Opened,
    source: Source<'_>,
    engine: &'static Engine,
    to: Option<&str>,
    allowed: Allowed,
) -> anyhow::Result<Chosen<'l>> {
    let wanted = |form: &&Form| to.is_none_or(|to| form.family == to || form.name == to);
    let (mut best, mut refusals): (Option<Chosen<'l>>, Vec<(usize, String)>) = (None, Vec::new());
    for form in engine.forms.iter().filter(wanted) {
        let family = library.get(&form.family)?;
        match family.converted(source, Some(form), allowed) {
            Ok(conversion) => {
                let chosen =
                    Chosen { engine: Some(engine), form: Some(form), family, conversion, better: None };
                if best.as_ref().is_none_or(|best| chosen.cost() < best.cost()) {
                    best = Some(chosen);
                }
            }
            Err(error) => {
                let reasons = match &error {
                    camelid_families::Error::Misfit { problems, .. } => problems.len(),
                    _ => usize::MAX,
                };
                refusals.push((reasons, format!("\n{}: {error}", form.name)));
            }
        }
    }
    if let Some(best) = best {
        return Ok(best);
    }
    if refusals.is_empty() {
        let known: Vec<_> = engine.forms.iter().map(|form| format!("`{}`", form.name)).collect();
        bail!("{} reads no form of `{}`; there are {}", engine.name, to.unwrap_or_default(), known.join(", "))
    }
    // The nearest first.
    refusals.sort_by_key(|(reasons, _)| *reasons);
    let told: Vec<_> = refusals.into_iter().map(|(_, told)| told).collect();
    bail!("{}: no form that {} reads holds it{}", opened.path().display(), engine.name, told.join(""))
}

/// The forms of transformers that hold a checkpoint without loss, where the one that was asked for does not.
fn lossless(library: &Library, source: Source<'_>, asked: &str) -> Option<String> {
    let forms = engine("transformers")?.forms.iter().filter(|form| form.family != asked);
    let holds = forms.filter(|form| {
        let family = library.get(&form.family);
        family.is_ok_and(|family| {
            family.name != source.family.name
                && family
                    .converted(source, Some(form), Allowed::Bytes)
                    .is_ok_and(|it| it.grade == Grade::Bytes)
        })
    });
    let names: Vec<_> = holds.map(|form| format!("--to {}", form.family)).collect();
    (!names.is_empty()).then(|| format!("without any change of a number: {}", names.join(", ")))
}
