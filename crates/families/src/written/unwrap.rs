//! `[unwrap]`: a text model that comes inside a larger one, its keys in a table and its tensors under a prefix.

use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::waist::architecture::Architecture;
use crate::waist::named::Named;
use crate::waist::roles::Role;
use crate::written::expr::{Entry, Expr};
use crate::written::file::Entries;

/// Where a text model lies within a larger one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unwrap {
    /// Tables of config.json that are the text model's own: their keys are read as if they stood outside, before those there.
    pub config: Vec<String>,
    /// Ways in which tensors are called: each replaces the beginning of a name by another.
    pub tensors: Vec<Vec<(String, String)>>,
}

impl Unwrap {
    /// Lays what a file says over what it inherits.
    pub(crate) fn inherit(&mut self, entries: &Entries) -> Result<(), Error> {
        if let Some(entry) = entries.get("config") {
            self.config = names(entry)?;
        }
        if let Some(entry) = entries.get("tensors") {
            self.tensors = ways(entry)?;
        }
        Ok(())
    }

    /// A config.json with the text model's keys outside.
    pub(crate) fn config(&self, config: &Map<String, Json>) -> Map<String, Json> {
        let mut flat = config.clone();
        for name in &self.config {
            if let Some(Json::Object(_)) = flat.get(name)
                && let Some(Json::Object(inside)) = flat.shift_remove(name)
            {
                flat.extend(inside);
            }
        }
        flat
    }

    /// The architecture under the names that a checkpoint has: its own, or those of the first way under which `has` finds the
    /// table of embeddings.
    pub(crate) fn tensors(&self, architecture: Architecture, has: impl Fn(&str) -> bool) -> Architecture {
        let found = |architecture: &Architecture| {
            let plan = architecture.plan();
            plan.tensors.iter().any(|planned| planned.roles == [Role::Embedding] && has(&planned.name))
        };
        if found(&architecture) {
            return architecture;
        }
        let renamed = self.tensors.iter().map(|way| renamed(architecture.clone(), way)).find(found);
        renamed.unwrap_or(architecture)
    }
}

fn renamed(mut architecture: Architecture, way: &[(String, String)]) -> Architecture {
    let rename = |named: &mut Named| {
        let change = way.iter().find_map(|(from, to)| Some((named.name.strip_prefix(from.as_str())?, to)));
        if let Some((rest, to)) = change {
            named.name = format!("{to}{rest}");
        }
    };
    architecture.tensors.iter_mut().for_each(rename);
    architecture.layers.iter_mut().flat_map(|layer| &mut layer.tensors).for_each(rename);
    architecture
}

fn wrong(entry: &Entry, wanted: &str) -> Error {
    Error::Declaration {
        origin: entry.origin.clone(),
        message: format!("{wanted}, not {}", entry.expr.written()),
    }
}

fn names(entry: &Entry) -> Result<Vec<String>, Error> {
    let wanted = "unwrap.config must be a list of keys";
    let Expr::List(list) = &entry.expr else { return Err(wrong(entry, wanted)) };
    list.iter().map(|name| name.text().map(str::to_owned).ok_or_else(|| wrong(entry, wanted))).collect()
}

fn ways(entry: &Entry) -> Result<Vec<Vec<(String, String)>>, Error> {
    let wanted =
        "unwrap.tensors must be a list of tables, each of beginnings of names and what stands there instead";
    let Expr::List(list) = &entry.expr else { return Err(wrong(entry, wanted)) };
    let way = |way: &Expr| {
        let Expr::Table(table) = way else { return Err(wrong(entry, wanted)) };
        let pair = |(from, to): (&String, &Expr)| {
            Ok((from.clone(), to.text().ok_or_else(|| wrong(entry, wanted))?.to_owned()))
        };
        table.iter().map(pair).collect()
    };
    list.iter().map(way).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_inner_tables_keys_stand_outside_and_come_first() {
        let unwrap = Unwrap { config: vec!["text_config".into()], tensors: Vec::new() };
        let wrapped = json!({ "model_type": "outer", "tied": true, "text_config": { "model_type": "inner", "width": 3 } });
        let flat = unwrap.config(wrapped.as_object().expect("an object"));
        assert_eq!(Json::Object(flat), json!({ "model_type": "inner", "tied": true, "width": 3 }));
        let bare = json!({ "model_type": "inner", "text_config": null });
        let flat = unwrap.config(bare.as_object().expect("an object"));
        assert_eq!(Json::Object(flat), bare);
    }
}
