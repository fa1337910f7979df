//! exp, sigmoid, tanh and erf on vectors, from polynomials fitted for least relative error.

use crate::simd::Simd;

/// e^x, within 1e-7 of itself, subnormal results included; 0 below −104, ∞ above 88.73; NaN stays NaN.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, so that e^x = 2ⁿ·(1 + r + r²·q(r)).
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::V) -> S::V {
    // ln 2 in two parts: n times the first is exact.
    const LN_2_HIGH: f32 = 0.693_145_75;
    const LN_2_LOW: f32 = 1.428_606_8e-6;
    const Q: [f32; 5] = [0.5, 0.166_665_18, 0.041_666_206, 0.008_368_954, 0.001_395_059_4];
    let x = simd.min(simd.splat(89.0), simd.max(simd.splat(-105.0), x));
    let n = simd.round(simd.mul(x, simd.splat(std::f32::consts::LOG2_E)));
    let r = simd.mul_add(n, simd.splat(-LN_2_HIGH), x);
    let r = simd.mul_add(n, simd.splat(-LN_2_LOW), r);
    let tail = simd.mul_add(simd.mul(r, r), polynomial(simd, r, &Q), r);
    simd.scale(simd.add(tail, simd.splat(1.0)), n)
}

/// 1 / (1 + e^(−x))
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::V) -> S::V {
    let one = simd.splat(1.0);
    simd.div(one, simd.add(one, exp(simd, simd.sub(simd.splat(0.0), x))))
}

/// tanh x: x + x³·p(x²) for |x| < 0.625, else 1 − 2 / (e^2|x| + 1) with the sign of x.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::V) -> S::V {
    const P: [f32; 5] = [-0.333_332_84, 0.133_314_9, -0.053_743_485, 0.020_650_554, -0.005_717_011];
    let (one, two) = (simd.splat(1.0), simd.splat(2.0));
    let size = simd.copysign(x, one);
    let square = simd.mul(x, x);
    let small = simd.mul_add(simd.mul(x, square), polynomial(simd, square, &P), x);
    let large = simd.sub(one, simd.div(two, simd.add(exp(simd, simd.mul(size, two)), one)));
    simd.if_less(size, simd.splat(0.625), small, simd.copysign(large, x))
}

/// erf x: x·p(x²) for |x| < 1, else 1 − e^(−q(|x|)) with the sign of x, where q = −ln erfc.
#[inline(always)]
pub(crate) fn erf<S: Simd>(simd: S, x: S::V) -> S::V {
    const P: [f32; 7] = [
        std::f32::consts::FRAC_2_SQRT_PI,
        -0.376_126_26,
        0.112_836,
        -0.026_854_444,
        0.005_189_535,
        -0.000_802_083_8,
        7.889_109e-5,
    ];
    const Q: [f32; 7] = [
        0.000_312_317_92,
        1.127_202_9,
        0.637_964,
        0.103_257,
        -0.021_906_814,
        0.002_964_076,
        -0.000_187_977_04,
    ];
    let one = simd.splat(1.0);
    let size = simd.copysign(x, one);
    let small = simd.mul(x, polynomial(simd, simd.mul(x, x), &P));
    // From 4 on, erfc is less than half a unit in the last place of 1.
    let q = polynomial(simd, simd.min(simd.splat(4.0), size), &Q);
    let large = simd.sub(one, exp(simd, simd.sub(simd.splat(0.0), q)));
    simd.if_less(size, one, small, simd.copysign(large, x))
}

/// c₀ + c₁x + c₂x² + …
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::V, coefficients: &[f32; N]) -> S::V {
    let mut sum = simd.splat(coefficients[N - 1]);
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = simd.mul_add(sum, x, simd.splat(coefficient));
    }
    sum
}
