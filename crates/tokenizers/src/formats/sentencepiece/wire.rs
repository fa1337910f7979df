//! Protobuf's wire format, as much of it as a model needs: a run of (number, value) pairs.

use crate::Error;

/// The fields of one message.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// A field's value, by wire type.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed32([u8; 4]),
    Fixed64,
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = self.take()?;
            if shift == 63 && byte > 1 {
                return Err(broken("a varint passes 64 bits"));
            }
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(broken("a varint passes 64 bits"))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| broken("ends inside a field"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Error> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                self.take::<8>()?;
                Value::Fixed64
            }
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                let bytes = self.rest.get(..length).ok_or_else(|| broken("ends inside a field"))?;
                self.rest = &self.rest[length..];
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(self.take()?),
            other => return Err(broken(&format!("wire type {other} is not used by this format"))),
        };
        Ok((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.field())
    }
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Error> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Varint(_) | Value::Fixed32(_) | Value::Fixed64 => {
                Err(broken("a number stands where bytes are expected"))
            }
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes()?).map_err(|_| broken("a text is no UTF-8"))
    }

    pub(super) fn integer(self) -> Result<u64, Error> {
        match self {
            Value::Varint(value) => Ok(value),
            Value::Bytes(_) | Value::Fixed32(_) | Value::Fixed64 => {
                Err(broken("something else stands where an integer is expected"))
            }
        }
    }

    pub(super) fn flag(self) -> Result<bool, Error> {
        Ok(self.integer()? != 0)
    }

    pub(super) fn float(self) -> Result<f32, Error> {
        match self {
            Value::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            Value::Varint(_) | Value::Bytes(_) | Value::Fixed64 => {
                Err(broken("something else stands where a float is expected"))
            }
        }
    }
}

fn broken(reason: &str) -> Error {
    Error::SentencePiece(reason.to_owned())
}
