//! Requests as they are read: every field is taken with its type and its bounds, or refused by its name.

pub(crate) mod chat;
pub(crate) mod completion;
pub(crate) mod fields;
pub(crate) mod options;
