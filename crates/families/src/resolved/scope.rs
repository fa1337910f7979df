//! The names that formulas see: config.json's keys, the declaration's defaults and lets, and `layer`.
//!
//! Defaults and lets are evaluated when a formula asks for them, once per scope: one that is never reached can't fail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, ObjectRepr, Serde, Value};
use serde_json::{Map, Value as Json};

use crate::waist::named::{EXPERT, HEAD};
use crate::written::declaration::Declaration;
use crate::written::file::Entries;

/// Defaults and lets may build on one another this deep.
const DEEPEST: usize = 32;

/// The names of one layer, or of what stands outside the layers.
#[derive(Debug)]
pub(crate) struct Scope {
    config: Arc<Map<String, Json>>,
    default: Entries,
    absent: Entries,
    lets: Entries,
    layer: Option<usize>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    values: HashMap<String, Value>,
    /// Names under evaluation, outermost first.
    pending: Vec<String>,
}

impl Scope {
    /// The names of a layer, or with `None` those outside the layers.
    pub(crate) fn names(
        declaration: &Declaration,
        config: Arc<Map<String, Json>>,
        layer: Option<usize>,
    ) -> Value {
        Value::from_object(Scope {
            config,
            default: declaration.default.clone(),
            absent: declaration.absent.clone(),
            lets: declaration.lets.clone(),
            layer,
            known: Mutex::default(),
        })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn evaluate(self: &Arc<Self>, name: &str, entries: &Entries) -> Option<Value> {
        let entry = entries.get(name)?;
        {
            let mut known = self.known();
            if let Some(value) = known.values.get(name) {
                return Some(value.clone());
            }
            if let Some(start) = known.pending.iter().position(|pending| pending == name) {
                let circle = known.pending[start..].join(" → ");
                return Some(failure(format!("`{name}` needs itself: {circle} → {name}")));
            }
            if known.pending.len() == DEEPEST {
                let first = &known.pending[0];
                return Some(failure(format!(
                    "`{first}` builds on more than {DEEPEST} other names, one upon the other"
                )));
            }
            known.pending.push(name.to_owned());
        }
        let value = match entry.expr.json(&Value::from_dyn_object(self.clone())) {
            Ok(json) => Value::from(Serde(&json)),
            // A refusal is said in whole sentences.
            Err(message) if entry.expr.formulas().iter().any(|formula| formula.refuses()) => failure(message),
            Err(message) => failure(format!("{message}, in {name} = {}", entry.expr.written())),
        };
        let mut known = self.known();
        known.pending.pop();
        known.values.insert(name.to_owned(), value.clone());
        Some(value)
    }
}

/// A value that fails whatever formula touches it.
fn failure(message: String) -> Value {
    Value::from(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message))
}

impl Object for Scope {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if name == "layer" {
            return self.layer.map(Value::from);
        }
        // Names of the experts' tensors keep it until the plan counts them.
        if name == "expert" {
            return self.layer.map(|_| Value::from(EXPERT));
        }
        if name == "head" {
            return self.layer.map(|_| Value::from(HEAD));
        }
        if self.lets.contains_key(name) {
            return self.evaluate(name, &self.lets);
        }
        match self.config.get(name) {
            Some(value) if !value.is_null() => Some(Value::from(Serde(value))),
            Some(_) => Some(self.evaluate(name, &self.default).unwrap_or_else(|| Value::from(()))),
            None if self.absent.contains_key(name) => self.evaluate(name, &self.absent),
            None => self.evaluate(name, &self.default),
        }
    }
}
