//! Which experts the tokens of a real case go to, with what weight: the model run, and watched.

use std::path::Path;

use camelid_families::{Allow, Backend, Library, Stage};
use camelid_kernels::Isa;
use camelid_verify::{Case, Course, Shown, Subject, run};
use serde::Serialize;

use crate::Error;
use crate::site::pictures::examples::Route;

/// The choices of one layer.
#[derive(Debug, Serialize)]
pub(crate) struct Routed {
    id: String,
    title: String,
    family: String,
    case: String,
    note: String,
    layer: usize,
    experts: usize,
    /// The largest weight, which is drawn darkest.
    most: f64,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    token: usize,
    /// The id in the vocabulary.
    id: u32,
    /// Expert and weight, ascending.
    chosen: Vec<(usize, f64)>,
}

/// The first layer with a router of each example.
pub(crate) fn routes(library: &Library, cases: &Path, routes: &[Route]) -> Result<Vec<Routed>, Error> {
    routes.iter().enumerate().map(|(index, route)| routed(library, cases, route, index)).collect()
}

fn routed(library: &Library, cases: &Path, route: &Route, index: usize) -> Result<Routed, Error> {
    let wrong =
        |error: &dyn std::fmt::Display| Error::Site(format!("{}/{}: {error}", route.family, route.case));
    let case = Case::open(&cases.join(&route.family).join(&route.case)).map_err(|error| wrong(&error))?;
    let family = library.get(&route.family)?;
    let backend = Backend::serial();
    // The same bits on every machine.
    let backend = backend.with_isa(Isa::Portable).unwrap_or(backend);
    let model = family
        .load(&case.config, &case.checkpoint, backend, &Allow::default())
        .map_err(|error| wrong(&error))?;
    let watched = run(Subject::new(&model), &case, Course::Free).map_err(|error| wrong(&error))?;
    let ids = &case.reference.input_ids;
    let of = |stage: Stage| watched.stages.iter().find(|shown| shown.tap.stage == stage);
    let (Some(Shown { tap, value: chosen, .. }), Some(Shown { value: weights, .. })) =
        (of(Stage::Experts), of(Stage::ExpertWeights))
    else {
        return Err(wrong(&"no layer has a router"));
    };
    let layer = tap.layer.unwrap_or_default();
    let experts = model.architecture().layers[layer].experts.as_ref().map_or(0, |experts| experts.count);
    let rows = ids.iter().enumerate().map(|(token, id)| Row {
        token,
        id: *id,
        chosen: (chosen.row(token).iter().zip(weights.row(token)))
            .map(|(expert, weight)| (*expert as usize, (f64::from(*weight) * 1e3).round() / 1e3))
            .collect(),
    });
    let rows: Vec<Row> = rows.collect();
    let most = rows.iter().flat_map(|row| &row.chosen).map(|(_, weight)| *weight).fold(0.0, f64::max);
    Ok(Routed {
        id: format!("route-{index}"),
        title: route.title.clone(),
        family: route.family.clone(),
        case: route.case.clone(),
        note: route.note.clone(),
        layer,
        experts,
        most,
        rows,
    })
}
