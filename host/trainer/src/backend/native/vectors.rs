//! Whole vectors in and out of slices whose last one may be shorter.

use pulp::Simd;

/// The first numbers of `from`, as many as a vector holds; zeros where there are none.
#[inline(always)]
pub fn load<S: Simd>(simd: S, from: &[f32]) -> S::f32s {
    match S::as_simd_f32s(from).0 {
        [first, ..] => *first,
        [] => simd.partial_load_f32s(from),
    }
}

/// Puts `vector` in front in `to`, or as much as there is room for.
#[inline(always)]
pub fn store<S: Simd>(simd: S, to: &mut [f32], vector: S::f32s) {
    match S::as_mut_simd_f32s(to) {
        ([first, ..], _) => *first = vector,
        ([], to) => simd.partial_store_f32s(to, vector),
    }
}
