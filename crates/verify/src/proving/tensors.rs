//! What a tensor's entry is changed to: names exchanged between equal shapes, packed rows in another order, a bias left out.

use camelid_families::{Architecture, By, Kind, Named, Role};

use super::kinds::{Mutation, across, flipped, others};
use crate::changes::Editor;

/// Every change of the entry `tensors."roles"`.
#[expect(clippy::too_many_lines, reason = "a line for each change")]
pub(crate) fn tensor_mutations(editor: &Editor<'_>, word: &str) -> Vec<(String, Vec<Mutation>)> {
    let roles = read(word);
    let Some(named) = find(editor.architecture, &roles) else { return Vec::new() };
    let mut out = Vec::new();
    let mut add = |name: String, also: &[Role], architectures: Vec<Option<Architecture>>| {
        let also = [&roles[..], also].concat();
        let tries = architectures.into_iter().flatten();
        let tries: Vec<_> = tries.map(|architecture| Mutation { architecture, also: also.clone() }).collect();
        if !tries.is_empty() {
            out.push((name, tries));
        }
    };
    if named.unit {
        add("left out".into(), &[], vec![without(editor, &roles)]);
        return out;
    }
    if let Some((partner, exchanged)) = exchanged(editor, &roles) {
        add("names exchanged with another of its shape".into(), &partner, vec![Some(exchanged)]);
    } else {
        add("another name".into(), &[], vec![each(editor, &roles, |named| named.name.push_str(".other"))]);
    }
    if roles[0].per_layer() {
        add("the name of the next layer's".into(), &[], vec![next_layer(editor, &roles)]);
    }
    for (a, b) in (0..roles.len()).flat_map(|a| (a + 1..roles.len()).map(move |b| (a, b))) {
        let name = format!("rows of {} and {} exchanged", roles[a], roles[b]);
        add(name, &[], vec![each(editor, &roles, |named| named.roles.swap(a, b))]);
    }
    if named.roles.len() > 1 {
        add(
            "rows by group, or one after the other".into(),
            &[],
            vec![each(editor, &roles, |named| {
                let by_rows = roles[0].is_of_experts() && named.by == By::Rows;
                named.by = if by_rows { By::Turns } else { flipped(named.by) };
            })],
        );
    }
    for (name, tries) in attributes(editor, named, &roles) {
        add(name.into(), &[], tries);
    }
    if named.bias {
        add("bias left out".into(), &[], vec![each(editor, &roles, |named| named.bias = false)]);
    }
    let of_heads = roles.iter().any(|role| matches!(role, Role::QueryNorm | Role::KeyNorm | Role::ValueNorm));
    if of_heads {
        let of_query = roles.contains(&Role::QueryNorm);
        let heads = editor.architecture.layers.iter().map(|layer| &layer.attention);
        let many = heads.map(|it| if of_query { it.heads } else { it.kv_heads }).any(|heads| heads > 1);
        if many {
            let shared = others(named.per).map(|per| each(editor, &roles, |named| named.per = per));
            add("weight shared otherwise".into(), &[], shared.into());
        }
        if !roles.contains(&Role::ValueNorm) {
            let across = each(editor, &roles, |named| named.at = across(named.at));
            add("on the other side of the turn".into(), &[], vec![across]);
        }
    }
    let optional =
        |role: &Role| role.kind() != Kind::Matrix || matches!(role, Role::AttentionGate | Role::SharedScore);
    if roles.iter().all(optional) {
        add("left out".into(), &[], vec![without(editor, &roles)]);
    }
    out
}

/// The attributes of a norm that are said, each changed.
fn attributes(
    editor: &Editor<'_>,
    named: &Named,
    roles: &[Role],
) -> Vec<(&'static str, Vec<Option<Architecture>>)> {
    let mut out = Vec::new();
    if named.eps.is_some() {
        out.push((
            "eps a thousandfold",
            vec![each(editor, roles, |named| named.eps = named.eps.map(|eps| 1000.0 * eps))],
        ));
    }
    if named.offset.is_some() {
        let other = |named: &mut Named| named.offset = named.offset.map(|offset| 1.0 - offset);
        out.push(("1 + w for w, or w for 1 + w", vec![each(editor, roles, other)]));
    }
    if named.factor != 1.0 {
        out.push(("factor half as large again", vec![each(editor, roles, |named| named.factor *= 1.5)]));
    }
    out
}

fn read(word: &str) -> Vec<Role> {
    let inside = word.split('"').nth(1).unwrap_or_default();
    inside.split(" | ").filter_map(|role| role.parse().ok()).collect()
}

fn find<'a>(architecture: &'a Architecture, roles: &[Role]) -> Option<&'a Named> {
    let inside = architecture.layers.iter().flat_map(|layer| &layer.tensors);
    inside.chain(&architecture.tensors).find(|named| named.roles == roles)
}

/// Every tensor that plays these roles, put through `edit`.
fn each(editor: &Editor<'_>, roles: &[Role], edit: impl Fn(&mut Named)) -> Option<Architecture> {
    editor.changed(|architecture| {
        let inside = architecture.layers.iter_mut().flat_map(|layer| &mut layer.tensors);
        inside.chain(&mut architecture.tensors).filter(|named| named.roles == roles).for_each(&edit);
    })
}

/// Exchanges names with the next entry whose tensors have the same shape and a bias if and only if these have one; the norm
/// after the last layer with the first norm of layer 0.
fn exchanged(editor: &Editor<'_>, roles: &[Role]) -> Option<(Vec<Role>, Architecture)> {
    let declared = editor.architecture;
    let shape = |layer: Option<usize>, named: &Named| {
        let rows: usize = named.roles.iter().map(|role| declared.shape(layer, *role, named.per)[0]).sum();
        let lies =
            (named.suffix, named.lies, named.unit, named.is_per_expert(), named.roles[0].is_of_experts());
        (rows, declared.shape(layer, named.roles[0], named.per)[1..].to_vec(), named.bias, lies)
    };
    let mut built = declared.clone();
    let mut partner = None;
    for (index, layer) in built.layers.iter_mut().enumerate() {
        let own = layer.tensors.iter().position(|named| named.roles == roles);
        let Some(own) = own else { continue };
        let fits = |at: &usize| {
            *at != own && shape(Some(index), &layer.tensors[*at]) == shape(Some(index), &layer.tensors[own])
        };
        let other = (own + 1..layer.tensors.len()).chain(0..own).find(fits)?;
        partner = Some(layer.tensors[other].roles.clone());
        let name = layer.tensors[own].name.clone();
        layer.tensors[own].name = std::mem::replace(&mut layer.tensors[other].name, name);
    }
    if let Some(own) = built.tensors.iter().position(|named| named.roles == roles) {
        let fits = |at: &usize| {
            let tied = declared.output.tie && built.tensors[*at].roles == [Role::Output];
            *at != own && !tied && shape(None, &built.tensors[*at]) == shape(None, &built.tensors[own])
        };
        if let Some(other) = (0..built.tensors.len()).find(fits) {
            partner = Some(built.tensors[other].roles.clone());
            let name = built.tensors[own].name.clone();
            built.tensors[own].name = std::mem::replace(&mut built.tensors[other].name, name);
        } else {
            let wanted = shape(None, &built.tensors[own]);
            let first = built.layers.first_mut()?;
            let other = first.tensors.iter_mut().find(|named| shape(Some(0), named) == wanted)?;
            partner = Some(other.roles.clone());
            std::mem::swap(&mut other.name, &mut built.tensors[own].name);
        }
    }
    partner.filter(|_| built != *declared).map(|partner| (partner, built))
}

/// Each layer reads the tensor of the layer after it, the last that of the first.
fn next_layer(editor: &Editor<'_>, roles: &[Role]) -> Option<Architecture> {
    let count = editor.layers();
    let name = |layer: usize| {
        let tensors = &editor.architecture.layers[layer % count].tensors;
        tensors.iter().find(|named| named.roles == roles).map(|named| named.name.clone())
    };
    editor.changed(|architecture| {
        for (index, layer) in architecture.layers.iter_mut().enumerate() {
            let own = layer.tensors.iter_mut().find(|named| named.roles == roles);
            if let (Some(own), Some(next)) = (own, name(index + 1)) {
                own.name = next;
            }
        }
    })
}

fn without(editor: &Editor<'_>, roles: &[Role]) -> Option<Architecture> {
    editor.changed(|architecture| {
        architecture.tensors.retain(|named| named.roles != roles);
        architecture.layers.iter_mut().for_each(|layer| layer.tensors.retain(|named| named.roles != roles));
    })
}
