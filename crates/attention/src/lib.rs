#![doc = include_str!("../README.md")]
mod cache;
mod forward;
mod log_n;
mod partial;
mod reach;
mod settings;
mod softcap;
mod tile;

pub use cache::{BLOCK, Cache};
pub use forward::{Attention, Segment};
pub use log_n::log_n;
pub use partial::Partial;
pub use reach::Reach;
pub use settings::{Error, Settings};
pub use softcap::softcap;
