//! The command `camelid`.

fn main() {}
