//! Answers: what the thread tells, in the shapes of OpenAI's API, whole or piece by piece.

pub(crate) mod gathered;
pub(crate) mod shape;
pub(crate) mod spelling;
pub(crate) mod stream;
