//! Which tensors a declaration names, for each layer and for what stands outside the layers.

use minijinja::value::Value;
use serde_json::Value as Json;

use crate::error::Problem;
use crate::resolved::resolve::{MOST_LAYERS, Resolver};
use crate::waist::architecture::Layer;
use crate::waist::kinds::Kind;
use crate::waist::named::{Named, Suffix, write_roles};
use crate::waist::plan::Part;
use crate::waist::roles::Role;
use crate::written::expr::Entry;
use crate::written::template::Template;

impl Resolver<'_> {
    /// The named tensors of a layer, those that it has room for, or of what stands outside the layers.
    pub(super) fn tensors(
        &mut self,
        context: &Value,
        mine: impl Fn(Role) -> bool,
        layer: Option<&Layer>,
    ) -> Option<Vec<Named>> {
        let declaration = self.declaration;
        let mut out = Vec::new();
        let mut failed = false;
        for (roles, entry) in
            declaration.tensors.iter().filter(|(roles, _)| roles.iter().any(|role| mine(*role)))
        {
            let room = |role: &Role| layer.is_none_or(|layer| layer.has_room_for(*role));
            if !roles.iter().any(room) {
                continue;
            }
            if let Some(role) = roles.iter().find(|role| !room(role)) {
                let word = format!("tensors.\"{}\"", write_roles(roles));
                let message =
                    format!("some layer has no `{role}`, so it can't share a tensor with the others");
                self.push(Problem::Value { word, message, origin: Some(entry.origin.clone()) });
                failed = true;
                continue;
            }
            match self.named(roles, entry, context) {
                Some(named) => out.extend(named),
                None => failed = true,
            }
        }
        (!failed).then_some(out)
    }

    /// A tensor as a layer names it; none within where the layer has no such tensor.
    fn named(&mut self, roles: &[Role], entry: &Entry, context: &Value) -> Option<Option<Named>> {
        let word = format!("tensors.\"{}\"", write_roles(roles));
        let template = match Template::of(entry) {
            Ok(template) => template,
            Err(message) => {
                self.push(Problem::Value { word, message, origin: Some(entry.origin.clone()) });
                return None;
            }
        };
        match template.named(roles, context) {
            Ok(None) => Some(None),
            Ok(Some(named)) => {
                let bias = self.bias(roles, context)?;
                let alone = named.suffix == Suffix::None && !roles[0].is_of_experts();
                if bias && (alone || roles[0].kind() == Kind::Vector) {
                    let name = &named.name;
                    let message =
                        format!("`{name}` is a number or a parameter of its own, which has no bias");
                    self.value(&format!("bias.\"{}\"", write_roles(roles)), message);
                    return None;
                }
                Some(Some(Named { bias, ..named }))
            }
            Err(message) => {
                let missing = self.missing(template.variables().into_iter().collect());
                for key in &missing {
                    let problem = self.lacks(key.clone(), &word, &entry.origin);
                    self.push(problem);
                }
                if missing.is_empty() {
                    self.push(Problem::Value { word, message, origin: Some(entry.origin.clone()) });
                }
                None
            }
        }
    }

    /// Whether a tensor has a bias: all its roles must say the same.
    fn bias(&mut self, roles: &[Role], context: &Value) -> Option<bool> {
        let mut said = Vec::new();
        for role in roles {
            let Some(entry) = self.declaration.bias.get(role) else {
                said.push(false);
                continue;
            };
            match entry.expr.json(context) {
                Ok(Json::Bool(bias)) => said.push(bias),
                Ok(Json::Null) => said.push(false),
                Ok(other) => {
                    let (word, message) =
                        (format!("bias.{role}"), format!("{other} is neither true nor false"));
                    self.push(Problem::Value { word, message, origin: Some(entry.origin.clone()) });
                    return None;
                }
                Err(message) => {
                    self.failed(&format!("bias.{role}"), entry, message);
                    return None;
                }
            }
        }
        if said.iter().any(|bias| *bias != said[0]) {
            let word = format!("bias.\"{}\"", write_roles(roles));
            self.value(&word, "one tensor holds these roles, so all of them have a bias or none".into());
            return None;
        }
        Some(said[0])
    }

    /// The names of all tensors that can be named although something else failed.
    pub(super) fn names(&self) -> Vec<String> {
        let context = self.scope(None);
        let layers =
            self.declaration.words.get("block.layers").and_then(|entry| entry.expr.json(&context).ok());
        let layers =
            layers.and_then(|value| value.as_u64()).map_or(0, |n| n.min(MOST_LAYERS as u64) as usize);
        let scopes: Vec<_> = (0..layers).map(|layer| self.scope(Some(layer))).collect();
        let mut names = Vec::new();
        for (roles, entry) in &self.declaration.tensors {
            let Ok(template) = Template::of(entry) else { continue };
            let per_layer = roles.iter().any(|role| role.per_layer());
            let contexts = if per_layer { scopes.as_slice() } else { std::slice::from_ref(&context) };
            let named = contexts.iter().filter_map(|context| template.named(roles, context).ok().flatten());
            names.extend(named.filter(|named| !named.unit).map(|named| named.part(Part::Weight, None)));
        }
        names
    }
}
