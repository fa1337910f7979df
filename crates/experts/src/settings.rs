//! What a router is told, and the checks that it must pass once.

use crate::Error;

/// How a router scores, chooses and weighs.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Settings {
    /// E, how many experts there are.
    pub experts: usize,
    /// k, how many are chosen for a token.
    pub chosen: usize,
    /// The function of the router's results.
    pub score: Score,
    /// Which results it is computed over.
    pub over: Over,
    /// Groups of equal size, of neighbours; 1 is no grouping.
    pub groups: usize,
    /// How many groups may be chosen from.
    pub groups_kept: usize,
    /// What a group is judged by.
    pub group_by: GroupBy,
    /// Whether the weights of a token are divided by their sum.
    pub normalise: bool,
    /// What the weights are multiplied by at last.
    pub scale: f64,
    /// What a weight multiplies.
    pub weigh: Weigh,
}

/// The function that makes scores of a router's results z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Score {
    /// e^z ÷ Σ e^z.
    #[default]
    Softmax,
    /// σ(z) = 1 / (1 + e^(−z)).
    Sigmoid,
    /// √ln(1 + e^z).
    SqrtSoftplus,
}

/// Which of a token's results are scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Over {
    /// All; the choice is by score.
    #[default]
    All,
    /// The chosen; the choice is by the result itself.
    Chosen,
}

/// What a group of experts is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum GroupBy {
    /// Its best expert.
    #[default]
    Best,
    /// The sum of its best two.
    BestTwo,
}

/// What an expert's weight p multiplies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Weigh {
    /// What the expert gives: p·expert(x).
    #[default]
    Output,
    /// What the expert reads: expert(p·x).
    Input,
}

impl Settings {
    /// Softmax over all, no groups, no normalising, weighing the output.
    pub fn plain(experts: usize, chosen: usize) -> Self {
        Self {
            experts,
            chosen,
            score: Score::default(),
            over: Over::default(),
            groups: 1,
            groups_kept: 1,
            group_by: GroupBy::default(),
            normalise: false,
            scale: 1.0,
            weigh: Weigh::default(),
        }
    }

    /// Whether the numbers fit together.
    ///
    /// # Errors
    /// If there are no experts or none is chosen, more are chosen than can be, the groups do not divide the experts, more
    /// are kept than there are, a group of one is judged by its best two, or the scale is not finite.
    pub fn check(&self) -> Result<(), Error> {
        let Self { experts, chosen, groups, groups_kept, .. } = *self;
        for (name, value) in
            [("experts", experts), ("chosen", chosen), ("groups", groups), ("groups_kept", groups_kept)]
        {
            if value == 0 {
                return Err(Error::Zero { name });
            }
        }
        if !experts.is_multiple_of(groups) {
            return Err(Error::Groups { groups, experts });
        }
        if groups_kept > groups {
            return Err(Error::Kept { groups_kept, groups });
        }
        let size = experts / groups;
        if groups_kept < groups && self.group_by == GroupBy::BestTwo && size < 2 {
            return Err(Error::BestTwo);
        }
        if chosen > groups_kept * size {
            return Err(Error::Chosen { chosen, of: groups_kept * size });
        }
        if !(self.scale as f32).is_finite() {
            return Err(Error::Scale { scale: self.scale });
        }
        Ok(())
    }
}
