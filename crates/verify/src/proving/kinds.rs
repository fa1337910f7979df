//! What a mutation is, and the opposites that several words have.

use camelid_families::{Architecture, At, By, Per, Role};

use crate::changes::Editor;

/// A changed architecture.
#[derive(Debug, Clone)]
pub(crate) struct Mutation {
    pub(crate) architecture: Architecture,
    /// The roles whose tensors were changed, where it was tensors.
    pub(crate) also: Vec<Role>,
}

/// A word to be changed, beside a prompt.
pub(crate) struct Target<'a> {
    pub(crate) editor: &'a Editor<'a>,
    pub(crate) word: &'a str,
    pub(crate) ids: &'a [u32],
}

pub(super) type Tries = Vec<Option<Architecture>>;

/// The other layout, the other sharing, the other side of the turn.
pub(crate) fn flipped(by: By) -> By {
    match by {
        By::Rows => By::Group,
        By::Group | By::Head | By::Turns => By::Rows,
    }
}

/// What else may share a weight.
pub(crate) fn others(per: Per) -> [Per; 2] {
    match per {
        Per::Head => [Per::EachHead, Per::Width],
        Per::EachHead => [Per::Head, Per::Width],
        Per::Width => [Per::Head, Per::EachHead],
    }
}

/// The other side of the turn.
pub(crate) fn across(at: At) -> At {
    match at {
        At::BeforeRope => At::AfterRope,
        At::AfterRope => At::BeforeRope,
    }
}
