//! What the names that a pickle of tensors may call come to.

use super::values::{Arena, Done, Global, Object, Stop, Storage, Value, View, wrong};

/// More extents than any tensor of these models has.
const MOST_EXTENTS: usize = 8;
/// Record names are short: "0", "17".
const LONGEST_KEY: usize = 255;

/// A storage: ("storage", its class, the record's name, a device, how many numbers).
pub(super) fn persistent<'a>(arena: &Arena<'a>, id: Value<'a>) -> Done<Object<'a>> {
    let Some(Object::Tuple(parts)) = arena.object(id) else {
        return wrong("a persistent id that is no tuple");
    };
    match parts[..] {
        [
            Value::Text("storage"),
            Value::Global(Global::Storage(dtype)),
            Value::Text(key),
            Value::Text(_),
            Value::Int(numbers),
        ] if key.len() <= LONGEST_KEY => Ok(Object::Storage(Storage { key, dtype, numbers })),
        _ => wrong("a persistent id that describes no storage"),
    }
}

/// Calls one of the few functions there are.
pub(super) fn reduce<'a>(arena: &Arena<'a>, function: Value<'a>, arguments: Value<'a>) -> Done<Object<'a>> {
    let Some(Object::Tuple(arguments)) = arena.object(arguments) else {
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
        ) => Ok(Object::Tensor(view(arena, storage, offset, [shape, strides])?)),
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
            let mut view = view(arena, storage, offset, [shape, strides])?;
            // A storage without a type counts bytes.
            view.storage.numbers /= dtype.block().1 as i64;
            view.storage.dtype = dtype;
            Ok(Object::Tensor(view))
        }
        (Global::RebuildParameter, &[tensor, Value::Bool, _])
        | (Global::RebuildParameterWithState, &[tensor, Value::Bool, _, _]) => match arena.object(tensor) {
            Some(Object::Tensor(view)) => Ok(Object::Tensor(view.clone())),
            Some(Object::Meta) => Ok(Object::Meta),
            _ => wrong("a parameter of what is no tensor"),
        },
        (Global::RebuildMeta, [_, _, _, _]) => Ok(Object::Meta),
        (
            Global::RebuildWithState,
            &[
                Value::Global(inner @ (Global::RebuildTensor | Global::RebuildTyped | Global::RebuildMeta)),
                Value::Global(Global::Class),
                arguments,
                _,
            ],
        ) => reduce(arena, Value::Global(inner), arguments),
        _ => refused(),
    }
}

fn view<'a>(
    arena: &Arena<'a>,
    storage: Value<'a>,
    offset: i64,
    [shape, strides]: [Value<'a>; 2],
) -> Done<View<'a>> {
    let Some(&Object::Storage(storage)) = arena.object(storage) else {
        return wrong("a tensor of what is no storage");
    };
    Ok(View { storage, offset, shape: integers(arena, shape)?, strides: integers(arena, strides)? })
}

fn integers<'a>(arena: &Arena<'a>, value: Value<'a>) -> Done<Vec<i64>> {
    let Some(Object::Tuple(items)) = arena.object(value) else {
        return wrong("a shape that is no tuple");
    };
    if items.len() > MOST_EXTENTS {
        return wrong(format!("a tensor of {} dimensions; at most {MOST_EXTENTS} are read", items.len()));
    }
    let integer = |&item| if let Value::Int(value) = item { Some(value) } else { None };
    let integers: Option<Vec<_>> = items.iter().map(integer).collect();
    integers.map_or_else(|| wrong("a dimension that is no integer"), Ok)
}
