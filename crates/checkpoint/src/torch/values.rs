//! What a pickle of tensors holds: values, those with parts in an arena, and the names that it may ask for.

use crate::dtype::Dtype;

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
    Text(&'a str),
    Global(Global),
    /// A place in the arena.
    Object(usize),
}

pub(super) enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    /// Lists occur beside the tensors (hooks), never as what is wanted: their items are not kept.
    List,
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Storage(Storage<'a>),
    Tensor(View<'a>),
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
