//! Templates and the pages that are made of them.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde_json::{Value as Json, json};

use crate::Error;

/// The templates, by name.
const TEMPLATES: [(&str, &str); 14] = [
    ("layout", include_str!("../../site/layout.html")),
    ("chart", include_str!("../../site/chart.html")),
    ("layer", include_str!("../../site/layer.html")),
    ("index", include_str!("../../site/index.html")),
    ("matrix", include_str!("../../site/matrix.html")),
    ("compare", include_str!("../../site/compare.html")),
    ("masks", include_str!("../../site/masks.html")),
    ("rope", include_str!("../../site/rope.html")),
    ("alibi", include_str!("../../site/alibi.html")),
    ("activations", include_str!("../../site/activations.html")),
    ("router", include_str!("../../site/router.html")),
    ("memory", include_str!("../../site/memory.html")),
    ("tokens", include_str!("../../site/tokens.html")),
    ("family", include_str!("../../site/family.html")),
];

/// What stands in the bar over every page.
const LINKS: [(&str, &str); 10] = [
    ("index", "Tree"),
    ("matrix", "Matrix"),
    ("compare", "Compare"),
    ("masks", "Masks"),
    ("rope", "Rotary"),
    ("alibi", "ALiBi"),
    ("activations", "Activations"),
    ("router", "Experts"),
    ("memory", "Memory"),
    ("tokens", "Text"),
];

/// Pages that were made so far.
pub(crate) struct Pages {
    environment: Environment<'static>,
    /// Path within the site → text.
    pub(crate) files: BTreeMap<String, String>,
}

impl Pages {
    pub(crate) fn new() -> Result<Pages, Error> {
        Ok(Pages { environment: environment()?, files: BTreeMap::new() })
    }

    /// A page of its own.
    pub(crate) fn add(&mut self, name: &str, title: &str, context: Json) -> Result<(), Error> {
        let text = self.render(name, title, name, "", context)?;
        self.files.insert(format!("{name}.html"), text);
        Ok(())
    }

    /// A family's page, in a folder below.
    pub(crate) fn family(&mut self, name: &str, title: &str, context: Json) -> Result<(), Error> {
        let text = self.render("family", title, "", "../", context)?;
        self.files.insert(format!("family/{name}.html"), text);
        Ok(())
    }

    fn render(
        &self,
        template: &str,
        title: &str,
        here: &str,
        up: &str,
        context: Json,
    ) -> Result<String, Error> {
        let mut context = context;
        if let (Some(context), Json::Object(frame)) =
            (context.as_object_mut(), json!({ "title": title, "here": here, "up": up, "links": LINKS }))
        {
            context.extend(frame);
        }
        // Attributes stand in double quotes, within which these two mean themselves.
        Ok(render(&self.environment, template, &context)?.replace("&#x27;", "'").replace("&#x2f;", "/"))
    }
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| Error::Site(error.to_string()))?);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).map_err(|error| Error::Site(format!("{name}: {error:#}")))?;
    }
    Ok(environment)
}

fn render(environment: &Environment<'_>, template: &str, context: &Json) -> Result<String, Error> {
    let wrong = |error: minijinja::Error| Error::Site(format!("{template}: {error:#}"));
    let mut context = context.clone();
    whole(&mut context);
    let context = Value::from(Serde(&context));
    let text = environment.get_template(template).and_then(|found| found.render(context)).map_err(wrong)?;
    Ok(format!("{}\n", text.trim_end()))
}

/// Numbers without a fraction as integers: `34`, not `34.0`, many thousand times.
fn whole(value: &mut Json) {
    match value {
        Json::Number(number) => {
            if let Some(float) = number.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < 1e15) {
                *value = json!(float as i64);
            }
        }
        Json::Array(list) => list.iter_mut().for_each(whole),
        Json::Object(table) => table.values_mut().for_each(whole),
        Json::Null | Json::Bool(_) | Json::String(_) => {}
    }
}

/// A layer's drawing by itself.
pub(crate) fn drawing(layer: &impl serde::Serialize) -> Result<String, Error> {
    // In single quotes, which a script need not escape.
    Ok(render(&environment()?, "layer", &json!({ "layer": layer, "alone": true }))?
        .trim()
        .replace('"', "'")
        .replace("&#x2f;", "/"))
}
