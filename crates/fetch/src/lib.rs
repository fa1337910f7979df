//! Models of the Hugging Face hub, fetched into its own cache.
//!
//! ```text
//! name ─→ list: commit, files with size and hash ─→ those that are needed ─→ blobs/HASH.incomplete ─→ blobs/HASH
//!                                                                              (resumed, checked)        ↑
//!                                                             snapshots/COMMIT/PATH, a link ─────────────┘
//! ```
//! Nothing has its name before it is whole. `refs/REVISION` is written last, so that a model which is named is there.
#![doc = include_str!("../README.md")]

mod cache;
mod client;
mod download;
mod environment;
mod error;
mod hub;
mod needed;
mod wanted;

pub use camelid_checkpoint::hub::Name;
pub use environment::is_offline;
pub use error::Error;
pub use hub::Hub;
pub use wanted::{File, Got, Hash, Wanted};
