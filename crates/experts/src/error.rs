//! Settings and weights that describe no mixture of experts.

/// Why settings or weights don't fit together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A count that must be at least one is zero.
    #[error("{name} is 0, but must be at least 1")]
    Zero {
        /// The field of [`Settings`](crate::Settings).
        name: &'static str,
    },
    /// The experts can't be cut into groups of one size.
    #[error("{groups} groups do not divide {experts} experts")]
    Groups {
        /// Groups asked for.
        groups: usize,
        /// Experts there are.
        experts: usize,
    },
    /// More groups are kept than there are.
    #[error("{groups_kept} groups are kept of {groups}")]
    Kept {
        /// Groups kept.
        groups_kept: usize,
        /// Groups there are.
        groups: usize,
    },
    /// A group that is judged by two has one.
    #[error("groups of one expert can't be judged by their best two")]
    BestTwo,
    /// More experts are chosen than there are to choose from.
    #[error("{chosen} experts are chosen of {of}")]
    Chosen {
        /// Experts chosen.
        chosen: usize,
        /// Experts that may be chosen.
        of: usize,
    },
    /// The scale is not a finite f32.
    #[error("the scale {scale} is not a finite 32-bit number")]
    Scale {
        /// The scale given.
        scale: f64,
    },
    /// The router has one result for each expert, and so have its bias, correction and factors.
    #[error("{what} has {found} elements for {experts} experts")]
    Length {
        /// `the router`, `its bias`, `the correction`, `the factors`.
        what: &'static str,
        /// Elements found.
        found: usize,
        /// Experts there are.
        experts: usize,
    },
    /// Another number of experts than the router chooses from.
    #[error("{found} experts for a router of {experts}")]
    Count {
        /// Experts given.
        found: usize,
        /// Experts that the router chooses from.
        experts: usize,
    },
    /// An expert reads or writes another width than the router reads.
    #[error("expert {expert} is [{out}, {inputs}], the router reads {width} features")]
    Width {
        /// Its number.
        expert: usize,
        /// What it writes.
        out: usize,
        /// What it reads.
        inputs: usize,
        /// What the router reads.
        width: usize,
    },
    /// Gate and up in one matrix have as many rows each.
    #[error("expert {expert} packs gate and up in {rows} rows, an odd number")]
    Packed {
        /// Its number.
        expert: usize,
        /// Rows of the matrix.
        rows: usize,
    },
    /// A shared expert, or its gate, that does not fit the router.
    #[error("the shared expert reads {found} features, the router {width}")]
    Shared {
        /// What it reads or writes.
        found: usize,
        /// What the router reads.
        width: usize,
    },
    /// The gate of a shared expert gives one number.
    #[error("the gate of the shared expert gives {rows} numbers, not 1")]
    SharedGate {
        /// Rows of its weight.
        rows: usize,
    },
    /// What an expert's MLP says.
    #[error("expert {expert}: {error}")]
    Mlp {
        /// Its number.
        expert: usize,
        /// What is wrong.
        error: camelid_mlp::Error,
    },
}
