//! The block: route, run each chosen expert once over its tokens, add the shared one.

use camelid_kernels::Backend;
use camelid_linear::Linear;
use camelid_mlp::{Glu, Layers, Mlp};
use ndarray::{Array2, ArrayView2, Axis};

use crate::{Choice, Error, Expert, Router};

/// The experts of a layer with their router.
#[derive(Debug)]
pub struct Experts {
    router: Router,
    experts: Vec<Expert>,
    glu: Glu,
    shared: Option<Shared>,
}

/// What every token goes through: one MLP, however many shared experts it is counted as.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The MLP.
    pub mlp: Mlp,
    /// w `[1, width]`, if what the MLP gives is multiplied by σ(x·w).
    pub gate: Option<Linear>,
}

impl Experts {
    /// The router with its experts, all of one `glu`, and the shared one.
    ///
    /// # Errors
    /// Where their number or their shapes don't fit the router. No weight is read.
    pub fn new(
        router: Router,
        experts: Vec<Expert>,
        glu: impl Into<Glu>,
        shared: Option<Shared>,
    ) -> Result<Self, Error> {
        let (glu, width) = (glu.into(), router.width());
        let count = router.settings().experts;
        if experts.len() != count {
            return Err(Error::Count { found: experts.len(), experts: count });
        }
        for (index, expert) in experts.iter().enumerate() {
            let [out, inputs] = expert.check(index, glu)?;
            if [out, inputs] != [width, width] {
                return Err(Error::Width { expert: index, out, inputs, width });
            }
        }
        if let Some(shared) = &shared {
            shared.check(width)?;
        }
        Ok(Self { router, experts, glu, shared })
    }

    /// The router.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// The experts.
    pub fn experts(&self) -> &[Expert] {
        &self.experts
    }

    /// y `[tokens, width]` of x `[tokens, width]`, which the router reads too.
    ///
    /// # Panics
    /// Where x has not as many columns as the router.
    #[track_caller]
    pub fn forward(&self, x: ArrayView2<'_, f32>, backend: &Backend) -> Array2<f32> {
        let choice = self.router.route(x, backend);
        self.run(x, &choice, backend)
    }

    /// The same for a choice that the router made of something else.
    ///
    /// # Panics
    /// Where x has not as many columns as the router, or the choice another number of tokens, or names no expert.
    #[track_caller]
    pub fn run(&self, x: ArrayView2<'_, f32>, choice: &Choice, backend: &Backend) -> Array2<f32> {
        let fits = x.nrows() == choice.experts.nrows() && choice.experts.dim() == choice.weights.dim();
        assert!(fits, "{} tokens, a choice for {}", x.nrows(), choice.experts.nrows());
        let mut y = match &self.shared {
            Some(shared) => shared.forward(x, backend),
            None => Array2::zeros(x.raw_dim()),
        };
        // Ascending, so that each token's sum has one order whatever its company.
        for (index, own) in self.tokens_of(choice).into_iter().enumerate().filter(|(_, own)| !own.is_empty())
        {
            let rows: Vec<usize> = own.iter().map(|(token, _)| *token).collect();
            let mut inputs = x.select(Axis(0), &rows);
            if self.router.weighs_input() {
                inputs.outer_iter_mut().zip(&own).for_each(|(mut row, (_, weight))| row *= *weight);
            }
            let outputs = self.experts[index].mlp(self.glu).forward(inputs.view(), backend);
            for (row, (token, weight)) in outputs.outer_iter().zip(&own) {
                let factor = if self.router.weighs_input() { 1.0 } else { *weight };
                let (mut to, from) = (y.row_mut(*token), row.as_slice());
                let (to, from) = (to.as_slice_mut().expect("contiguous"), from.expect("contiguous"));
                backend.axpy(factor, from, to);
            }
        }
        y
    }

    /// The tokens of each expert, with its weight for them.
    fn tokens_of(&self, choice: &Choice) -> Vec<Vec<(usize, f32)>> {
        let mut tokens = vec![Vec::new(); self.experts.len()];
        for ((token, place), expert) in choice.experts.indexed_iter() {
            tokens[*expert].push((token, choice.weights[[token, place]]));
        }
        tokens
    }
}

impl Shared {
    fn check(&self, width: usize) -> Result<(), Error> {
        let (inputs, out) = match self.mlp.layers() {
            Layers::Gated { up, down, .. } | Layers::Plain { up, down } => {
                (up.weight.cols(), down.weight.rows())
            }
        };
        let gate = self.gate.as_ref().map_or(width, |gate| gate.weight.cols());
        if let Some(found) = [inputs, out, gate].into_iter().find(|found| *found != width) {
            return Err(Error::Shared { found, width });
        }
        match self.gate.as_ref().map(|gate| gate.weight.rows()) {
            Some(rows) if rows != 1 => Err(Error::SharedGate { rows }),
            Some(_) | None => Ok(()),
        }
    }

    fn forward(&self, x: ArrayView2<'_, f32>, backend: &Backend) -> Array2<f32> {
        let mut y = self.mlp.forward(x, backend);
        if let Some(gate) = &self.gate {
            let mut gates = gate.forward(x, backend);
            backend.sigmoid(gates.as_slice_mut().expect("just made"));
            y *= &gates;
        }
        y
    }
}
