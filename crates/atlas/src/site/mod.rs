//! The pages of docs/atlas/: made from the library and the cases, the same bytes every time.

mod chart;
mod compare;
mod family;
mod layer;
mod matrix;
mod page;
mod pictures;
mod texts;
pub(crate) mod tokens;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use camelid_families::Library;
use serde_json::json;

use crate::Error;
use crate::site::page::Pages;
use crate::site::pictures::examples::Examples;
use crate::site::pictures::{masks, memory, routes, shapes, slopes, turning};

/// Every file of the site by its path within it. `cases` is the folder of the project's cases.
///
/// # Errors
/// A declaration does not resolve, or a case can't be run.
pub fn site(library: &Library, cases: &Path) -> Result<BTreeMap<String, String>, Error> {
    let examples = Examples::read()?;
    let mut pages = Pages::new()?;
    pages.add("index", "The atlas", json!({ "tree": tree::tree(library)? }))?;
    pages.add("matrix", "Families and words", json!({ "matrix": matrix::matrix(library)? }))?;
    pages.add("compare", "Two side by side", json!({ "families": compare::names(library) }))?;
    pages.add("masks", "What a query sees", json!({ "masks": masks::masks(library, &examples.mask)? }))?;
    let turns = turning::turning(library, &examples.turn)?;
    pages.add("rope", "How places turn", json!({ "turns": turns }))?;
    let slopes = slopes::slopes(library, &examples.slope)?;
    pages.add("alibi", "Slopes in place of turns", json!({ "slopes": slopes }))?;
    pages.add("activations", "Activations and caps", json!({ "shapes": shapes::shapes(library)? }))?;
    let routes = routes::routes(library, cases, &examples.route)?;
    pages.add("router", "Where tokens go", json!({ "routes": routes }))?;
    pages.add(
        "memory",
        "Parameters and cache",
        json!({ "memory": memory::memory(library, &examples.cache)? }),
    )?;
    pages.add("tokens", "How text is cut", json!({ "tokens": tokens::Tokens::read()? }))?;
    for declaration in library.families() {
        let name = &declaration.name;
        pages.family(
            name,
            &declaration.title,
            json!({ "family": family::family(library, declaration, cases)? }),
        )?;
    }
    let mut files = pages.files;
    files.insert("data.js".into(), compare::data(library)?);
    files.insert("style.css".into(), include_str!("../../site/style.css").into());
    files.insert("atlas.js".into(), include_str!("../../site/atlas.js").into());
    Ok(files)
}
