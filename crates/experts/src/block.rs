//! The block: route, run each chosen expert once over its tokens, add the shared one.

use camelid_kernels::Backend;
use camelid_linear::Linear;
use camelid_mlp::{Glu, Layers, Mlp, run_each};
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

/// The tokens of one expert, with its weight for each.
struct Own {
    expert: usize,
    tokens: Vec<(usize, f32)>,
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
        // Ascending, so that each token's sum has one order whatever its company. Experts that few tokens chose run together.
        let few = |own: &Own| !backend.are_many(own.tokens.len());
        for together in self.chosen(choice).chunk_by(|a, b| few(a) && few(b)) {
            let inputs: Vec<_> = together.iter().map(|own| self.inputs(x, own)).collect();
            let mlps = together.iter().map(|own| self.experts[own.expert].mlp(self.glu));
            let mlps: Vec<_> = mlps.zip(inputs.iter().map(|x| x.view())).collect();
            let outputs = match mlps[..] {
                [(mlp, x)] => vec![mlp.forward(x, backend)],
                _ => run_each(&mlps, backend),
            };
            for (own, outputs) in together.iter().zip(outputs) {
                self.add(own, &outputs, &mut y, backend);
            }
        }
        y
    }

    /// What the expert reads.
    fn inputs(&self, x: ArrayView2<'_, f32>, own: &Own) -> Array2<f32> {
        let rows: Vec<usize> = own.tokens.iter().map(|(token, _)| *token).collect();
        let mut inputs = x.select(Axis(0), &rows);
        if self.router.weighs_input() {
            inputs.outer_iter_mut().zip(&own.tokens).for_each(|(mut row, (_, weight))| row *= *weight);
        }
        inputs
    }

    /// Adds what the expert gives to its tokens.
    fn add(&self, own: &Own, outputs: &Array2<f32>, y: &mut Array2<f32>, backend: &Backend) {
        for (row, (token, weight)) in outputs.outer_iter().zip(&own.tokens) {
            let factor = if self.router.weighs_input() { 1.0 } else { *weight };
            let (mut to, from) = (y.row_mut(*token), row.as_slice());
            let (to, from) = (to.as_slice_mut().expect("contiguous"), from.expect("contiguous"));
            backend.axpy(factor, from, to);
        }
    }

    /// The experts that a token chose, ascending.
    fn chosen(&self, choice: &Choice) -> Vec<Own> {
        let own = |expert| Own { expert, tokens: Vec::new() };
        let mut all: Vec<_> = (0..self.experts.len()).map(own).collect();
        for ((token, place), expert) in choice.experts.indexed_iter() {
            all[*expert].tokens.push((token, choice.weights[[token, place]]));
        }
        all.retain(|own| !own.tokens.is_empty());
        all
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
