//! Arguments as Python binds them, by place or by name, and what is said where they can't be.

use minijinja::value::{Kwargs, Rest, from_args};
use minijinja::{Error, Value};

/// A prompt may be this long, in bytes.
pub(in crate::chat) const LONGEST: usize = 64 << 20;

/// An error of a template's own making.
pub(in crate::chat) fn wrong(message: impl Into<String>) -> Error {
    Error::new(minijinja::ErrorKind::InvalidOperation, message.into())
}

/// Refuses a text that would be longer than any prompt may be, before it is made.
pub(in crate::chat) fn room(bytes: usize) -> Result<(), Error> {
    if bytes <= LONGEST { Ok(()) } else { Err(wrong("a text without end")) }
}

/// The arguments of a call, in the order of the parameters.
pub(in crate::chat) struct Bound {
    called: String,
    values: Vec<Option<Value>>,
}

impl Bound {
    /// Binds `args` to the parameters `names`.
    pub(in crate::chat) fn new(called: &str, names: &[&str], args: &[Value]) -> Result<Bound, Error> {
        let (Rest(places), named): (Rest<Value>, Kwargs) = from_args(args)?;
        Bound::of(called, names, places, &named)
    }

    /// The same of arguments that are told apart already.
    pub(in crate::chat) fn of(
        called: &str,
        names: &[&str],
        places: Vec<Value>,
        named: &Kwargs,
    ) -> Result<Bound, Error> {
        if places.len() > names.len() {
            return Err(wrong(format!(
                "{called} takes at most {} arguments, and is given {}",
                names.len(),
                places.len()
            )));
        }
        let mut values: Vec<Option<Value>> = places.into_iter().map(Some).collect();
        values.resize(names.len(), None);
        for name in named.args() {
            let Some(place) = names.iter().position(|known| *known == name) else {
                return Err(wrong(format!("{called} has no argument `{name}`")));
            };
            values[place] = Some(named.get(name)?);
        }
        Ok(Bound { called: called.to_owned(), values })
    }

    /// An argument that is given and not none.
    pub(in crate::chat) fn given(&self, place: usize) -> Option<&Value> {
        self.values.get(place)?.as_ref().filter(|value| !value.is_none())
    }

    /// An argument that is given, were it none.
    pub(in crate::chat) fn any(&self, place: usize) -> Option<Value> {
        self.values.get(place)?.clone()
    }

    pub(in crate::chat) fn text(&self, place: usize) -> Result<Option<&str>, Error> {
        let Some(value) = self.given(place) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| wrong(format!("{}: {value} is no text", self.called)))
    }

    /// A text that must be given.
    pub(in crate::chat) fn needed(&self, place: usize) -> Result<&str, Error> {
        self.text(place)?.ok_or_else(|| wrong(format!("{} needs a text", self.called)))
    }

    pub(in crate::chat) fn integer(&self, place: usize) -> Result<Option<i64>, Error> {
        let Some(value) = self.given(place) else { return Ok(None) };
        let wrong = || wrong(format!("{}: {value} is no whole number", self.called));
        i64::try_from(value.clone()).map(Some).map_err(|_| wrong())
    }

    pub(in crate::chat) fn truth(&self, place: usize) -> bool {
        self.given(place).is_some_and(Value::is_true)
    }
}
