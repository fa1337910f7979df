//! What a pickle of tensors may name and call, and what comes of it.

use std::collections::HashSet;

use super::machine::{Done, Machine, Object, Stop, Value, wrong};
use crate::Dtype;

/// More extents than any tensor of these models has.
const MOST_EXTENTS: usize = 8;
/// Record names are short: "0", "17".
const LONGEST_KEY: usize = 255;

/// A tensor as the pickle describes it: a view of a storage.
#[derive(Clone)]
pub(super) struct View<'a> {
    pub(super) storage: Storage<'a>,
    /// The first number of the view, counted in numbers.
    pub(super) offset: i64,
    pub(super) shape: Vec<i64>,
    /// Steps from one index to the next, in numbers.
    pub(super) strides: Vec<i64>,
}

/// A run of numbers of one type, kept in a record of its own.
#[derive(Clone, Copy)]
pub(super) struct Storage<'a> {
    pub(super) key: &'a str,
    pub(super) dtype: Dtype,
    pub(super) numbers: i64,
}

/// The names that may be asked for.
#[derive(Clone, Copy)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

impl Global {
    pub(super) fn named(module: &str, name: &str) -> Option<Global> {
        let global = match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
            ("torch", "DoubleStorage") => Global::Storage(Dtype::F64),
            ("torch", "FloatStorage") => Global::Storage(Dtype::F32),
            ("torch", "HalfStorage") => Global::Storage(Dtype::F16),
            ("torch", "BFloat16Storage") => Global::Storage(Dtype::Bf16),
            ("torch", "LongStorage") => Global::Storage(Dtype::I64),
            ("torch", "IntStorage") => Global::Storage(Dtype::I32),
            ("torch", "ShortStorage") => Global::Storage(Dtype::I16),
            ("torch", "CharStorage") => Global::Storage(Dtype::I8),
            ("torch", "ByteStorage") => Global::Storage(Dtype::U8),
            ("torch", "BoolStorage") => Global::Storage(Dtype::Bool),
            _ => return None,
        };
        Some(global)
    }
}

/// Name → tensor, in the order of the file, from a pickled dictionary.
pub(super) fn tensors(pickle: &[u8]) -> Done<Vec<(&str, View<'_>)>> {
    let (machine, top) = Machine::run(pickle)?;
    let Some(Object::Dict(items)) = machine.object(top) else {
        return wrong("its pickle holds no dictionary");
    };
    let (mut tensors, mut names) = (Vec::new(), HashSet::new());
    for &(key, value) in items {
        let Value::Text(name) = key else { return wrong("a key of its dictionary is no text") };
        let Some(Object::Tensor(view)) = machine.object(value) else {
            return wrong(format!("key {name:?} holds no tensor; is it a checkpoint of a training run?"));
        };
        if !names.insert(name) {
            return wrong(format!("key {name:?} stands twice"));
        }
        tensors.push((name, view.clone()));
    }
    Ok(tensors)
}

impl<'a> Machine<'a> {
    /// A storage: ("storage", its class, the record's name, a device, how many numbers).
    pub(super) fn persistent(&mut self) -> Done<()> {
        let id = self.pop()?;
        let Some(Object::Tuple(parts)) = self.object(id) else {
            return wrong("a persistent id that is no tuple");
        };
        match parts[..] {
            [
                Value::Text("storage"),
                Value::Global(Global::Storage(dtype)),
                Value::Text(key),
                Value::Text(_),
                Value::Int(numbers),
            ] if key.len() <= LONGEST_KEY => self.make(Object::Storage(Storage { key, dtype, numbers })),
            _ => return wrong("a persistent id that describes no storage"),
        }
        Ok(())
    }

    /// Calls one of the three functions there are.
    pub(super) fn reduce(&mut self) -> Done<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Some(Object::Tuple(arguments)) = self.object(arguments) else {
            return wrong("a call whose arguments are no tuple");
        };
        let made = match (function, &arguments[..]) {
            (Value::Global(Global::OrderedDict), []) => Object::Dict(vec![]),
            // The last are the hooks and, in newer files, metadata of the tensor: neither is a number of it.
            (
                Value::Global(Global::RebuildTensor),
                &[storage, Value::Int(offset), shape, strides, Value::Bool, _]
                | &[storage, Value::Int(offset), shape, strides, Value::Bool, _, _],
            ) => Object::Tensor(self.view(storage, offset, shape, strides)?),
            (Value::Global(Global::RebuildParameter), &[tensor, Value::Bool, _]) => match self.object(tensor)
            {
                Some(Object::Tensor(view)) => Object::Tensor(view.clone()),
                _ => return wrong("a parameter of what is no tensor"),
            },
            _ => return Err(Stop::Refused("a call of what is no function of tensors".to_owned())),
        };
        self.make(made);
        Ok(())
    }

    fn view(&self, storage: Value<'a>, offset: i64, shape: Value<'a>, strides: Value<'a>) -> Done<View<'a>> {
        let Some(&Object::Storage(storage)) = self.object(storage) else {
            return wrong("a tensor of what is no storage");
        };
        Ok(View { storage, offset, shape: self.integers(shape)?, strides: self.integers(strides)? })
    }

    fn integers(&self, value: Value<'a>) -> Done<Vec<i64>> {
        let Some(Object::Tuple(items)) = self.object(value) else {
            return wrong("extents that are no tuple");
        };
        if items.len() > MOST_EXTENTS {
            return wrong(format!("a tensor of {} extents, where {MOST_EXTENTS} are the most", items.len()));
        }
        let integer = |&item| if let Value::Int(value) = item { Some(value) } else { None };
        let integers: Option<Vec<_>> = items.iter().map(integer).collect();
        integers.map_or_else(|| wrong("an extent that is no integer"), Ok)
    }

    /// Attributes of a dictionary (PyTorch notes its modules' versions so): they go.
    pub(super) fn build(&mut self) -> Done<()> {
        self.pop()?;
        let Some(Object::Dict(_)) = self.peek() else {
            return Err(Stop::Refused("attributes for what is no dictionary".to_owned()));
        };
        Ok(())
    }
}
