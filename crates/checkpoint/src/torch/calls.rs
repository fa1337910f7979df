//! What a pickle of tensors may name and call, and what comes of it.

use std::collections::HashSet;

use super::machine::{Done, Machine, Object, Stop, Value, wrong};
use crate::Dtype;
use crate::dtype::Unread;

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
    /// The same over a storage without a type, which is given beside it.
    RebuildTyped,
    RebuildParameter,
    /// A tensor with attributes of a program's own, which go.
    RebuildWithState,
    /// A parameter with such attributes.
    RebuildParameterWithState,
    /// A tensor without numbers.
    RebuildMeta,
    /// A class of tensors, named beside the function that makes one.
    Class,
    Size,
    Storage(Dtype),
    Type(Dtype),
}

impl Global {
    pub(super) fn named(module: &str, name: &str) -> Option<Global> {
        let global = match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v3") => Global::RebuildTyped,
            ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
            ("torch._utils", "_rebuild_parameter_with_state") => Global::RebuildParameterWithState,
            ("torch._utils", "_rebuild_meta_tensor_no_storage") => Global::RebuildMeta,
            ("torch._tensor", "_rebuild_from_type_v2") => Global::RebuildWithState,
            ("torch", "Tensor") | ("torch.nn.parameter", "Parameter" | "Buffer") => Global::Class,
            ("torch", "Size") => Global::Size,
            ("torch.storage", "UntypedStorage") => Global::Storage(Dtype::U8),
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
            ("torch", name) => Global::Type(dtype(name)?),
            _ => return None,
        };
        Some(global)
    }
}

/// PyTorch's names of types.
fn dtype(name: &str) -> Option<Dtype> {
    let unread = |name, bits| Dtype::Unread(Unread { name, bits });
    let dtype = match name {
        "float64" | "double" => Dtype::F64,
        "float32" | "float" => Dtype::F32,
        "float16" | "half" => Dtype::F16,
        "bfloat16" => Dtype::Bf16,
        "int64" | "long" => Dtype::I64,
        "int32" | "int" => Dtype::I32,
        "int16" | "short" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint64" => Dtype::U64,
        "uint32" => Dtype::U32,
        "uint16" => Dtype::U16,
        "uint8" => Dtype::U8,
        "bool" => Dtype::Bool,
        "float8_e4m3fn" => unread("F8_E4M3", 8),
        "float8_e5m2" => unread("F8_E5M2", 8),
        "float8_e4m3fnuz" => unread("F8_E4M3FNUZ", 8),
        "float8_e5m2fnuz" => unread("F8_E5M2FNUZ", 8),
        "float8_e8m0fnu" => unread("F8_E8M0", 8),
        "complex64" => unread("C64", 64),
        _ => return None,
    };
    Some(dtype)
}

/// Name → tensor, in the order of the file, from a pickled dictionary; none for one without numbers. Entries that are no
/// tensors (a version, a count, nothing) are passed over.
pub(super) fn tensors(pickle: &[u8]) -> Done<Vec<(&str, Option<View<'_>>)>> {
    let (machine, top) = Machine::run(pickle)?;
    let Some(Object::Dict(items)) = machine.object(top) else {
        return wrong("its pickle holds no dictionary");
    };
    let (mut tensors, mut names) = (Vec::new(), HashSet::new());
    for &(key, value) in items {
        let Value::Text(name) = key else { return wrong("a key of its dictionary is no text") };
        let view = match machine.object(value) {
            Some(Object::Tensor(view)) => Some(view.clone()),
            Some(Object::Meta) => None,
            Some(Object::Tuple(_) | Object::List(_) | Object::Dict(_) | Object::Storage(_)) | None
                if machine.holds_tensors(value) =>
            {
                return wrong(format!(
                    "key {name:?} holds no tensor, but some within it; is it a checkpoint of a training run? Save what is \
                     in {name:?} alone"
                ));
            }
            Some(Object::Tuple(_) | Object::List(_) | Object::Dict(_) | Object::Storage(_)) | None => {
                continue;
            }
        };
        if !names.insert(name) {
            return wrong(format!("key {name:?} stands twice"));
        }
        tensors.push((name, view));
    }
    if tensors.is_empty() && !items.is_empty() {
        return wrong("no key of its dictionary holds a tensor");
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

    /// Whether a tensor lies within a value, however deep.
    fn holds_tensors(&self, value: Value<'a>) -> bool {
        let (mut open, mut seen) = (vec![value], HashSet::new());
        while let Some(value) = open.pop() {
            let Value::Object(at) = value else { continue };
            if !seen.insert(at) {
                continue;
            }
            match self.object(value) {
                Some(Object::Tensor(_) | Object::Meta) => return true,
                Some(Object::Tuple(items) | Object::List(items)) => open.extend(items),
                Some(Object::Dict(items)) => open.extend(items.iter().map(|(_, value)| *value)),
                Some(Object::Storage(_)) | None => {}
            }
        }
        false
    }

    /// Calls one of the few functions there are.
    pub(super) fn reduce(&mut self) -> Done<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let made = self.called(function, arguments)?;
        self.make(made);
        Ok(())
    }

    fn called(&self, function: Value<'a>, arguments: Value<'a>) -> Done<Object<'a>> {
        let Some(Object::Tuple(arguments)) = self.object(arguments) else {
            return wrong("a call whose arguments are no tuple");
        };
        let refused = || Err(Stop::Refused("a call of what is no function of tensors".to_owned()));
        let Value::Global(function) = function else { return refused() };
        match (function, &arguments[..]) {
            (Global::OrderedDict, []) => Ok(Object::Dict(vec![])),
            (Global::Size, _) => Ok(Object::Tuple(vec![])),
            // The last are the hooks and, in newer files, metadata of the tensor: neither is a number of it.
            (
                Global::RebuildTensor,
                &[storage, Value::Int(offset), shape, strides, Value::Bool, _]
                | &[storage, Value::Int(offset), shape, strides, Value::Bool, _, _],
            ) => Ok(Object::Tensor(self.view(storage, offset, shape, strides)?)),
            (
                Global::RebuildTyped,
                &[
                    storage,
                    Value::Int(offset),
                    shape,
                    strides,
                    Value::Bool,
                    _,
                    Value::Global(Global::Type(dtype)),
                ]
                | &[
                    storage,
                    Value::Int(offset),
                    shape,
                    strides,
                    Value::Bool,
                    _,
                    Value::Global(Global::Type(dtype)),
                    _,
                ],
            ) => {
                let mut view = self.view(storage, offset, shape, strides)?;
                // A storage without a type counts bytes.
                view.storage.numbers /= dtype.block().1 as i64;
                view.storage.dtype = dtype;
                Ok(Object::Tensor(view))
            }
            (Global::RebuildParameter, &[tensor, Value::Bool, _])
            | (Global::RebuildParameterWithState, &[tensor, Value::Bool, _, _]) => {
                match self.object(tensor) {
                    Some(Object::Tensor(view)) => Ok(Object::Tensor(view.clone())),
                    Some(Object::Meta) => Ok(Object::Meta),
                    _ => wrong("a parameter of what is no tensor"),
                }
            }
            (Global::RebuildMeta, [_, _, _, _]) => Ok(Object::Meta),
            (
                Global::RebuildWithState,
                &[
                    Value::Global(
                        inner @ (Global::RebuildTensor | Global::RebuildTyped | Global::RebuildMeta),
                    ),
                    Value::Global(Global::Class),
                    arguments,
                    _,
                ],
            ) => self.called(Value::Global(inner), arguments),
            _ => refused(),
        }
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

    /// Attributes of a dictionary (PyTorch notes its modules' versions so) or of a tensor: they go.
    pub(super) fn build(&mut self) -> Done<()> {
        self.pop()?;
        let Some(Object::Dict(_) | Object::Tensor(_) | Object::Meta) = self.peek() else {
            return Err(Stop::Refused("attributes for what is no dictionary".to_owned()));
        };
        Ok(())
    }
}
