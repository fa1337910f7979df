//! The stack machine of a pickle, as far as tensors need it. It runs nothing.
//!
//! A pickle is a program, and its usual machine calls whatever function the file names. This one knows the opcodes that
//! PyTorch writes for a dictionary of tensors; what the few names among them come to is in `calls`. Every other opcode or
//! name ends it.
//!
//! Values with parts live in one arena and are named by number, so that nothing here recurses, however deep a hostile
//! file nests, and what is repeated is shared. Reference: CPython's `pickletools`, protocols 2 to 5.

use std::collections::{HashMap, HashSet};

use super::calls;
use super::values::{Arena, Done, Global, Object, Stop, Value, View, wrong};

/// What a tensor that was saved alone is called.
const ALONE: &str = "tensor";

/// Name → tensor, in the order of the file, from a pickled dictionary; none for one without numbers. Entries that are no
/// tensors (a version, a count, nothing) are passed over. A file of one tensor and no dictionary has it as [`ALONE`].
pub(super) fn tensors(pickle: &[u8]) -> Done<Vec<(&str, Option<View<'_>>)>> {
    let (machine, top) = Machine::run(pickle)?;
    if let Some(Object::Tensor(view)) = machine.arena.object(top) {
        return Ok(vec![(ALONE, Some(view.clone()))]);
    }
    let Some(Object::Dict(items)) = machine.arena.object(top) else {
        return wrong("its pickle holds no dictionary");
    };
    let (mut tensors, mut names) = (Vec::new(), HashSet::new());
    for &(key, value) in items {
        let Value::Text(name) = key else { return wrong("a key of its dictionary is no text") };
        let view = match machine.arena.object(value) {
            Some(Object::Tensor(view)) => Some(view.clone()),
            Some(Object::Meta) => None,
            Some(Object::Tuple(_) | Object::List(_) | Object::Dict(_) | Object::Storage(_)) | None
                if machine.arena.holds_tensors(value) =>
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

struct Machine<'a> {
    pickle: &'a [u8],
    position: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at which marks were set.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    arena: Arena<'a>,
}

impl<'a> Machine<'a> {
    /// Runs the pickle to its end; the machine, and the value on top of its stack.
    fn run(pickle: &'a [u8]) -> Done<(Machine<'a>, Value<'a>)> {
        let (stack, marks, memo, arena) = (vec![], vec![], HashMap::new(), Arena::default());
        let mut machine = Machine { pickle, position: 0, stack, marks, memo, arena };
        while machine.step()? {}
        let top = machine.pop()?;
        Ok((machine, top))
    }

    /// Does one opcode; false at the end.
    fn step(&mut self) -> Done<bool> {
        let at = self.position;
        let [opcode] = self.bytes()?;
        match opcode {
            0x80 => self.protocol()?,
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.stack.push(Value::None),
            0x88 | 0x89 => self.stack.push(Value::Bool),
            b'J' | b'K' | b'M' | 0x8a => self.integer(opcode)?,
            b'G' => self.float()?,
            b'X' | 0x8c | 0x8d => self.unicode(opcode)?,
            b'B' | b'C' => self.skip_bytes(opcode)?,
            b'c' => self.global()?,
            0x93 => self.stack_global()?,
            b'}' => self.make(Object::Dict(vec![])),
            b']' => self.make(Object::List(vec![])),
            b')' => self.make(Object::Tuple(vec![])),
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84))?,
            b't' => self.marked().and_then(|count| self.tuple(count))?,
            b's' => self.set_items(2)?,
            b'u' => self.marked().and_then(|count| self.set_items(count))?,
            b'a' => self.append(1)?,
            b'e' => self.marked().and_then(|count| self.append(count))?,
            b'q' | b'r' => self.put(opcode)?,
            0x94 => self.memoize()?,
            0x95 => drop(self.bytes::<8>()?), // a frame: where to read ahead
            b'h' | b'j' => self.get(opcode)?,
            b'Q' => self.persistent()?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            other => return Err(Stop::Refused(format!("opcode {other:#04x} at byte {at}"))),
        }
        Ok(true)
    }

    fn bytes<const N: usize>(&mut self) -> Done<[u8; N]> {
        let rest = self.pickle.get(self.position..).unwrap_or_default();
        let Some(bytes) = rest.first_chunk::<N>() else { return wrong("its pickle ends too early") };
        self.position += N;
        Ok(*bytes)
    }

    fn protocol(&mut self) -> Done<()> {
        match self.bytes()? {
            [2..=5] => Ok(()),
            [other] => Err(Stop::Refused(format!("pickle protocol {other}, where PyTorch writes 2 to 5"))),
        }
    }

    fn integer(&mut self, opcode: u8) -> Done<()> {
        let value = match opcode {
            b'J' => i32::from_le_bytes(self.bytes()?).into(),
            b'K' => u8::from_le_bytes(self.bytes()?).into(),
            b'M' => u16::from_le_bytes(self.bytes()?).into(),
            _ => self.long()?,
        };
        self.stack.push(Value::Int(value));
        Ok(())
    }

    /// A length, then as many bytes of two's complement.
    fn long(&mut self) -> Done<i64> {
        let [len] = self.bytes()?;
        if len > 8 {
            return wrong(format!("an integer of {len} bytes"));
        }
        let mut bytes = [0; 8];
        for byte in &mut bytes[..len.into()] {
            [*byte] = self.bytes()?;
        }
        let negative = len > 0 && bytes[usize::from(len) - 1] >= 0x80;
        bytes[len.into()..].fill(if negative { 0xff } else { 0 });
        Ok(i64::from_le_bytes(bytes))
    }

    fn float(&mut self) -> Done<()> {
        self.bytes::<8>()?;
        self.stack.push(Value::Float);
        Ok(())
    }

    fn unicode(&mut self, opcode: u8) -> Done<()> {
        let len = match opcode {
            0x8c => u8::from_le_bytes(self.bytes()?).into(),
            b'X' => u32::from_le_bytes(self.bytes()?).into(),
            _ => u64::from_le_bytes(self.bytes()?),
        };
        let at = self.position;
        match std::str::from_utf8(self.part(len)?) {
            Ok(text) => self.stack.push(Value::Text(text)),
            Err(_) => return wrong(format!("the text at {at} is not UTF-8")),
        }
        Ok(())
    }

    fn skip_bytes(&mut self, opcode: u8) -> Done<()> {
        let len = match opcode {
            b'C' => u8::from_le_bytes(self.bytes()?).into(),
            _ => u32::from_le_bytes(self.bytes()?).into(),
        };
        self.part(len)?;
        self.stack.push(Value::Bytes);
        Ok(())
    }

    /// The next `len` bytes.
    fn part(&mut self, len: u64) -> Done<&'a [u8]> {
        let rest = self.pickle.get(self.position..).unwrap_or_default();
        let Some(part) = usize::try_from(len).ok().and_then(|len| rest.get(..len)) else {
            return wrong(format!("a text of {len} bytes at {} is beyond its end", self.position));
        };
        self.position += part.len();
        Ok(part)
    }

    /// Up to the next line's end: half of the name of a function.
    fn line(&mut self) -> Done<&'a str> {
        const LONGEST: usize = 256;
        let rest = self.pickle.get(self.position..).unwrap_or_default();
        let Some(len) = rest.iter().take(LONGEST).position(|&byte| byte == b'\n') else {
            return wrong("the name of a function has no end");
        };
        self.position += len + 1;
        std::str::from_utf8(&rest[..len]).or_else(|_| wrong("the name of a function is not UTF-8"))
    }

    fn global(&mut self) -> Done<()> {
        let (module, name) = (self.line()?, self.line()?);
        self.named(module, name)
    }

    /// As [`Machine::global`], of two texts on the stack.
    fn stack_global(&mut self) -> Done<()> {
        match (self.pop()?, self.pop()?) {
            (Value::Text(name), Value::Text(module)) => self.named(module, name),
            _ => wrong("the name of a function is no text"),
        }
    }

    fn named(&mut self, module: &str, name: &str) -> Done<()> {
        let global = Global::named(module, name).ok_or_else(|| Stop::Refused(format!("{module}.{name}")))?;
        self.stack.push(Value::Global(global));
        Ok(())
    }

    /// A storage that stands outside the pickle.
    fn persistent(&mut self) -> Done<()> {
        let id = self.pop()?;
        let storage = calls::persistent(&self.arena, id)?;
        self.make(storage);
        Ok(())
    }

    fn reduce(&mut self) -> Done<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let made = calls::reduce(&self.arena, function, arguments)?;
        self.make(made);
        Ok(())
    }

    /// Attributes of a dictionary (PyTorch notes its modules' versions so) or of a tensor: they go.
    fn build(&mut self) -> Done<()> {
        self.pop()?;
        let Some(Object::Dict(_) | Object::Tensor(_) | Object::Meta) = self.peek() else {
            return Err(Stop::Refused("attributes for what is no dictionary".to_owned()));
        };
        Ok(())
    }

    fn make(&mut self, object: Object<'a>) {
        let value = self.arena.make(object);
        self.stack.push(value);
    }

    fn peek(&self) -> Option<&Object<'a>> {
        self.stack.last().and_then(|&value| self.arena.object(value))
    }

    fn pop(&mut self) -> Done<Value<'a>> {
        self.stack.pop().map_or_else(|| wrong("a value is taken from an empty stack"), Ok)
    }

    /// The topmost `count` values.
    fn top(&mut self, count: usize) -> Done<Vec<Value<'a>>> {
        match self.stack.len().checked_sub(count) {
            Some(height) => Ok(self.stack.split_off(height)),
            None => wrong("values are taken from an empty stack"),
        }
    }

    /// How many values stand above the last mark, which goes.
    fn marked(&mut self) -> Done<usize> {
        let count = self.marks.pop().and_then(|height| self.stack.len().checked_sub(height));
        count.map_or_else(|| wrong("a mark is missing"), Ok)
    }

    fn tuple(&mut self, count: usize) -> Done<()> {
        let items = self.top(count)?;
        self.make(Object::Tuple(items));
        Ok(())
    }

    /// Keys and values by turns, `count` in all, into the dictionary below them.
    fn set_items(&mut self, count: usize) -> Done<()> {
        let added = self.top(count)?;
        let Some(&dictionary @ Value::Object(_)) = self.stack.last() else {
            return wrong("items without a dictionary");
        };
        let Some(Object::Dict(items)) = self.arena.object_mut(dictionary) else {
            return wrong("items for what is no dictionary");
        };
        let (pairs, odd) = added.as_chunks::<2>();
        items.extend(pairs.iter().map(|&[key, value]| (key, value)));
        if odd.is_empty() { Ok(()) } else { wrong("a key without a value") }
    }

    fn append(&mut self, count: usize) -> Done<()> {
        let added = self.top(count)?;
        let list = self.stack.last().and_then(|&list| self.arena.object_mut(list));
        let Some(Object::List(items)) = list else { return wrong("items for what is no list") };
        items.extend(added);
        Ok(())
    }

    /// A number of the memo, in one byte or, in the opcodes `r` and `j`, in four.
    fn index(&mut self, opcode: u8) -> Done<u32> {
        match opcode {
            b'r' | b'j' => self.bytes().map(u32::from_le_bytes),
            _ => self.bytes().map(|[byte]| byte.into()),
        }
    }

    fn put(&mut self, opcode: u8) -> Done<()> {
        let index = self.index(opcode)?;
        let Some(&top) = self.stack.last() else { return wrong("there is nothing to remember") };
        self.memo.insert(index, top);
        Ok(())
    }

    /// Remembers the topmost value under the next number.
    fn memoize(&mut self) -> Done<()> {
        let index = self.memo.len() as u32; // fewer than the pickle's bytes
        let Some(&top) = self.stack.last() else { return wrong("there is nothing to remember") };
        self.memo.insert(index, top);
        Ok(())
    }

    fn get(&mut self, opcode: u8) -> Done<()> {
        let index = self.index(opcode)?;
        let Some(&value) = self.memo.get(&index) else {
            return wrong(format!("nothing is remembered as {index}"));
        };
        self.stack.push(value);
        Ok(())
    }
}
