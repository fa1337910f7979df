//! What follows from a declaration at one size, in numbers: how features turn, what queries see, what is kept, what a prompt
//! looks like, and in what two families differ.

pub(crate) mod compared;
pub(crate) mod said;
pub(crate) mod side;
pub(crate) mod sight;
pub(crate) mod text;
pub(crate) mod turns;
