//! Pictures of what the words mean, each computed by the crate that runs them.

pub(crate) mod examples;
pub(crate) mod masks;
pub(crate) mod memory;
pub(crate) mod routes;
pub(crate) mod shapes;
pub(crate) mod slopes;
pub(crate) mod turning;
