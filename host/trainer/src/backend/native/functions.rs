//! Exponential, logistic function and hyperbolic tangent of whole vectors, to about 1e-7.

use pulp::Simd;

/// e^x, for x from -87 to 88; beyond, what it is there.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |x: f32| simd.splat_f32s(x);
    // In this order a NaN stays one.
    let x = simd.max_f32s(splat(-87.0), simd.min_f32s(splat(88.0), x));
    // x = n ln 2 + r: adding 1.5 · 2^23 rounds to a whole number, which then lies in the low bits.
    let magic = splat(12_582_912.0);
    let shifted = simd.mul_add_e_f32s(x, splat(std::f32::consts::LOG2_E), magic);
    let n = simd.sub_f32s(shifted, magic);
    let r = simd.mul_add_e_f32s(n, splat(-0.693_359_4), x);
    let r = simd.mul_add_e_f32s(n, splat(2.121_944_4e-4), r);
    // e^r for |r| <= ln 2 / 2.
    let coefficients = [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    let series = coefficients.into_iter();
    let power = series.fold(splat(0.0), |sum, c| simd.mul_add_e_f32s(sum, r, splat(c)));
    // Times 2^n, by adding n to the exponent.
    let n = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let scaled = simd.add_u32s(simd.transmute_u32s_f32s(power), n);
    simd.transmute_f32s_u32s(scaled)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let power = exp(simd, simd.sub_f32s(simd.splat_f32s(0.0), x));
    simd.div_f32s(one, simd.add_f32s(one, power))
}

/// tanh x, as 2 σ(2x) − 1.
#[inline(always)]
pub fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let half = sigmoid(simd, simd.add_f32s(x, x));
    simd.sub_f32s(simd.add_f32s(half, half), simd.splat_f32s(1.0))
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    /// Exponential, logistic function and hyperbolic tangent of one number.
    struct All(f32);

    impl WithSimd for All {
        type Output = [f32; 3];

        fn with_simd<S: Simd>(self, simd: S) -> [f32; 3] {
            let x = simd.splat_f32s(self.0);
            let values = [exp(simd, x), sigmoid(simd, x), tanh(simd, x)];
            values.map(|vector| bytemuck::cast_slice(&[vector])[0])
        }
    }

    #[test]
    fn functions_are_as_exact_as_floats_allow() {
        for arch in [Arch::new(), Arch::Scalar] {
            for step in -20_000..20_000 {
                let x = step as f32 * 0.0043;
                let [e, s, t] = arch.dispatch(All(x));
                let exact = f64::from(x);
                assert!(
                    (f64::from(e) / exact.exp() - 1.0).abs() < 5e-7,
                    "exp {x}: {e}"
                );
                let logistic = 1.0 / (1.0 + (-exact).exp());
                assert!((f64::from(s) - logistic).abs() < 3e-7, "sigmoid {x}: {s}");
                assert!((f64::from(t) - exact.tanh()).abs() < 6e-7, "tanh {x}: {t}");
            }
        }
    }

    #[test]
    fn extremes_stay_finite_and_nan_stays_nan() {
        for x in [f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY] {
            let values = Arch::new().dispatch(All(x));
            assert!(
                values.iter().all(|value| value.is_finite()),
                "{x}: {values:?}"
            );
        }
        let values = Arch::new().dispatch(All(f32::NAN));
        assert!(values.iter().all(|value| value.is_nan()), "{values:?}");
    }
}
