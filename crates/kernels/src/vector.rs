//! Arithmetic over slices: one call, one pass, on the calling thread.

use crate::Backend;
use crate::math;
use crate::simd::{Kernel, Simd};

impl Backend {
    /// Σ aᵢ·bᵢ
    ///
    /// # Panics
    /// Where the lengths differ.
    #[track_caller]
    pub fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        same_length(a, b);
        self.call(Dot { a, b })
    }

    /// yᵢ ← yᵢ + factor·xᵢ
    ///
    /// # Panics
    /// Where the lengths differ.
    #[track_caller]
    pub fn axpy(&self, factor: f32, x: &[f32], y: &mut [f32]) {
        same_length(x, y);
        self.call(Axpy { factor, x, y });
    }

    /// xᵢ ← xᵢ·yᵢ
    ///
    /// # Panics
    /// Where the lengths differ.
    #[track_caller]
    pub fn times(&self, x: &mut [f32], y: &[f32]) {
        same_length(x, y);
        self.call(Times { x, y });
    }

    /// xᵢ ← factor·xᵢ
    pub fn scale(&self, factor: f32, x: &mut [f32]) {
        self.call(Map { x, op: Scale(factor) });
    }

    /// max xᵢ; −∞ for an empty slice. A NaN may be passed over.
    pub fn max(&self, x: &[f32]) -> f32 {
        self.call(Max { x })
    }

    /// xᵢ ← e^(xᵢ − shift); returns Σ of the new xᵢ. One softmax step: `shift` is the largest score so far.
    pub fn exp_sum(&self, x: &mut [f32], shift: f32) -> f32 {
        self.call(ExpSum { x, shift })
    }

    /// xᵢ ← e^xᵢ, within 1e-7 of itself; 0 and ∞ where f32 ends.
    pub fn exp(&self, x: &mut [f32]) {
        self.call(Map { x, op: Exp });
    }

    /// xᵢ ← 1 / (1 + e^(−xᵢ))
    pub fn sigmoid(&self, x: &mut [f32]) {
        self.call(Map { x, op: Sigmoid });
    }

    /// xᵢ ← xᵢ·σ(slope·(xᵢ + cube·xᵢ³)), where σ(x) = 1 / (1 + e^(−x))
    pub fn sigmoid_gate(&self, x: &mut [f32], slope: f32, cube: f32) {
        self.call(Map { x, op: Gate { slope, cube } });
    }

    /// xᵢ ← tanh xᵢ
    pub fn tanh(&self, x: &mut [f32]) {
        self.call(Map { x, op: Tanh });
    }

    /// xᵢ ← erf xᵢ = 2/√π ∫₀^x e^(−t²) dt
    pub fn erf(&self, x: &mut [f32]) {
        self.call(Map { x, op: Erf });
    }
}

#[track_caller]
fn same_length(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "slices of {} and {} elements", a.len(), b.len());
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl Kernel for Dot<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let (a, b, length) = (self.a.as_ptr(), self.b.as_ptr(), self.a.len());
        let mut sums = [simd.splat(0.0); 4];
        let step = 4 * S::LANES;
        let whole = length - length % step;
        // SAFETY: all reads are within the slices, which are equally long.
        unsafe {
            for start in (0..whole).step_by(step) {
                for (part, sum) in sums.iter_mut().enumerate() {
                    let at = start + part * S::LANES;
                    *sum = simd.mul_add(simd.load(a.add(at)), simd.load(b.add(at)), *sum);
                }
            }
            for at in (whole..length).step_by(S::LANES) {
                let count = S::LANES.min(length - at);
                let (a, b) = (simd.load_first(a.add(at), count), simd.load_first(b.add(at), count));
                sums[0] = simd.mul_add(a, b, sums[0]);
            }
        }
        simd.sum(simd.add(simd.add(sums[0], sums[1]), simd.add(sums[2], sums[3])))
    }
}

struct Axpy<'a> {
    factor: f32,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Axpy<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (x, y, length, factor) =
            (self.x.as_ptr(), self.y.as_mut_ptr(), self.x.len(), simd.splat(self.factor));
        let whole = length - length % S::LANES;
        // SAFETY: all reads and writes are within the slices, which are equally long.
        unsafe {
            for at in (0..whole).step_by(S::LANES) {
                simd.store(y.add(at), simd.mul_add(factor, simd.load(x.add(at)), simd.load(y.add(at))));
            }
            if whole < length {
                let (x, y, count) = (x.add(whole), y.add(whole), length - whole);
                let sum = simd.mul_add(factor, simd.load_first(x, count), simd.load_first(y, count));
                simd.store_first(y, sum, count);
            }
        }
    }
}

struct Times<'a> {
    x: &'a mut [f32],
    y: &'a [f32],
}

impl Kernel for Times<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (x, y, length) = (self.x.as_mut_ptr(), self.y.as_ptr(), self.x.len());
        let whole = length - length % S::LANES;
        // SAFETY: all reads and writes are within the slices, which are equally long.
        unsafe {
            for at in (0..whole).step_by(S::LANES) {
                simd.store(x.add(at), simd.mul(simd.load(x.add(at)), simd.load(y.add(at))));
            }
        }
        self.x[whole..].iter_mut().zip(&self.y[whole..]).for_each(|(x, y)| *x *= y);
    }
}

struct Max<'a> {
    x: &'a [f32],
}

impl Kernel for Max<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let (x, length) = (self.x.as_ptr(), self.x.len());
        let whole = length - length % S::LANES;
        let mut most = simd.splat(f32::NEG_INFINITY);
        let mut lanes = [f32::NEG_INFINITY; crate::simd::MOST_LANES];
        // SAFETY: all reads are within the slice; `lanes` has room for any vector.
        unsafe {
            for at in (0..whole).step_by(S::LANES) {
                most = simd.max(most, simd.load(x.add(at)));
            }
            simd.store(lanes.as_mut_ptr(), most);
        }
        lanes.iter().chain(&self.x[whole..]).copied().fold(f32::NEG_INFINITY, f32::max)
    }
}

struct ExpSum<'a> {
    x: &'a mut [f32],
    shift: f32,
}

impl Kernel for ExpSum<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let (x, length, shift) = (self.x.as_mut_ptr(), self.x.len(), simd.splat(self.shift));
        let whole = length - length % S::LANES;
        let mut sum = simd.splat(0.0);
        // SAFETY: all reads and writes are within the slice.
        unsafe {
            for at in (0..whole).step_by(S::LANES) {
                let value = math::exp(simd, simd.sub(simd.load(x.add(at)), shift));
                simd.store(x.add(at), value);
                sum = simd.add(sum, value);
            }
            if whole < length {
                let (x, count) = (x.add(whole), length - whole);
                simd.store_first(x, math::exp(simd, simd.sub(simd.load_first(x, count), shift)), count);
                // Loaded again, since the lanes beyond the end are not 0 after exp.
                sum = simd.add(sum, simd.load_first(x, count));
            }
        }
        simd.sum(sum)
    }
}

/// A function of each element by itself.
trait Op: Copy {
    fn of<S: Simd>(self, simd: S, x: S::V) -> S::V;
}

struct Map<'a, F> {
    x: &'a mut [f32],
    op: F,
}

impl<F: Op> Kernel for Map<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (x, length) = (self.x.as_mut_ptr(), self.x.len());
        let whole = length - length % S::LANES;
        // SAFETY: all reads and writes are within the slice.
        unsafe {
            for at in (0..whole).step_by(S::LANES) {
                simd.store(x.add(at), self.op.of(simd, simd.load(x.add(at))));
            }
            if whole < length {
                let (x, count) = (x.add(whole), length - whole);
                simd.store_first(x, self.op.of(simd, simd.load_first(x, count)), count);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Scale(f32);

impl Op for Scale {
    #[inline(always)]
    fn of<S: Simd>(self, simd: S, x: S::V) -> S::V {
        simd.mul(x, simd.splat(self.0))
    }
}

#[derive(Clone, Copy)]
struct Gate {
    slope: f32,
    cube: f32,
}

impl Op for Gate {
    #[inline(always)]
    fn of<S: Simd>(self, simd: S, x: S::V) -> S::V {
        let cubed = simd.mul(simd.mul(x, x), simd.mul(x, simd.splat(self.cube)));
        simd.mul(x, math::sigmoid(simd, simd.mul(simd.splat(self.slope), simd.add(x, cubed))))
    }
}

macro_rules! op {
    ($name:ident, $function:path) => {
        #[derive(Clone, Copy)]
        struct $name;

        impl Op for $name {
            #[inline(always)]
            fn of<S: Simd>(self, simd: S, x: S::V) -> S::V {
                $function(simd, x)
            }
        }
    };
}
op!(Exp, math::exp);
op!(Sigmoid, math::sigmoid);
op!(Tanh, math::tanh);
op!(Erf, math::erf);
