//! HTTP: connections, keys, bodies, routes.

pub(crate) mod access;
pub(crate) mod answer;
pub(crate) mod app;
pub(crate) mod body;
pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod prompts;
pub(crate) mod reply;
pub(crate) mod routes;
