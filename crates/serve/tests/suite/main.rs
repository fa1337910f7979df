//! The server over real sockets, on a small trained model.

mod client;
mod conversations;
mod life;
mod prefixes;
mod refusals;
mod served;
mod texts;
