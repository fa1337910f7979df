//! What a pickle of tensors holds: values, those with parts in an arena, and the names that it may ask for.

use std::collections::HashSet;

use crate::dtype::{Dtype, Unread};

/// Why the pickle was not read to its end.
pub(super) enum Stop {
    /// It asks for what tensors do not need: an opcode, a function, a class.
    Refused(String),
    /// It breaks the rules of the machine, or ends too early.
    Wrong(String),
}

pub(super) type Done<T> = Result<T, Stop>;

pub(super) fn wrong<T>(problem: impl Into<String>) -> Done<T> {
    Err(Stop::Wrong(problem.into()))
}

#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    None,
    Bool,
    Int(i64),
    Float,
    /// Bytes, which no tensor is made of.
    Bytes,
    Text(&'a str),
    Global(Global),
    /// A place in the arena.
    Object(usize),
}

pub(super) enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Storage(Storage<'a>),
    Tensor(View<'a>),
    /// A tensor of which only the shape was saved.
    Meta,
}

/// The values with parts, named by their places, so that nothing recurses and what is repeated is shared.
#[derive(Default)]
pub(super) struct Arena<'a>(Vec<Object<'a>>);

impl<'a> Arena<'a> {
    /// Puts one in, and gives its name.
    pub(super) fn make(&mut self, object: Object<'a>) -> Value<'a> {
        self.0.push(object);
        Value::Object(self.0.len() - 1)
    }

    pub(super) fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        if let Value::Object(at) = value { self.0.get(at) } else { None }
    }

    pub(super) fn object_mut(&mut self, value: Value<'a>) -> Option<&mut Object<'a>> {
        if let Value::Object(at) = value { self.0.get_mut(at) } else { None }
    }

    /// Whether a tensor lies within a value, however deep.
    pub(super) fn holds_tensors(&self, value: Value<'a>) -> bool {
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
}

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
