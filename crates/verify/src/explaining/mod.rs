//! Where a run first leaves the reference, whose fault it is, and which known mistake explains it.
//!
//! Three computations are held against one another, stage by stage and each from the same input: the reference's, ours, and
//! that of the [oracle](crate::oracle), which shares no code with ours. Where ours alone is out, the code of a component is
//! wrong; where the reference alone is out, the declaration (or the checkpoint's layout) does not say what it computes.

mod cause;
mod decode;
mod diagnose;
mod edits;
mod evidence;
mod from_config;
mod mistakes;
mod scene;
#[cfg(test)]
mod tests;
mod unread;
mod words;

pub use diagnose::diagnose;
pub(crate) use mistakes::changes;
pub(crate) use scene::Scene;
pub(crate) use unread::Together;
