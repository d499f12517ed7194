//! The native backend's matrix product beside those of the crates `gemm` and `matrixmultiply`:
//! `cargo bench --package trainer --bench product`.
//!
//! Each computes, on one thread, the three products that take most of a window's time in a layer, in the
//! sizes of a training, and adds them up where sums already stand. All take turns; the fastest counts.

// So does a benchmark talk.
#![allow(clippy::disallowed_macros)]

use std::hint::black_box;
use std::time::Instant;

use pulp::Arch;

// What the backend uses of it and this program does not.
#[allow(dead_code, unused_imports)]
#[path = "../src/backend/native/product.rs"]
mod product;

use product::{Matrix, Panels, Products};

/// Steps of a window.
const STEPS: usize = 128;

/// How often each takes its turn.
const ROUNDS: usize = 15;

/// A window of a layer.
#[derive(Clone, Copy)]
struct Window {
    /// Hidden size.
    hidden: usize,
    /// Streams of a worker.
    streams: usize,
}

/// What is multiplied.
struct Operands {
    /// `[4 × hidden, hidden]`.
    weights: Vec<f32>,
    /// `[STEPS × streams, hidden]`.
    hidden: Vec<f32>,
    /// `[STEPS × streams, 4 × hidden]`.
    gates: Vec<f32>,
}

/// The products of a window, by one of those compared.
trait Contestant {
    fn name(&self) -> &'static str;

    /// Adds the recurrent part of all pre-activations to `gates`, step by step.
    fn forward(&mut self, window: Window, operands: &Operands, gates: &mut [f32]);

    /// Adds the gradients of all hidden states to `hidden`, step by step.
    fn backward(&mut self, window: Window, operands: &Operands, hidden: &mut [f32]);

    /// Adds the gradient of the recurrent weights to `weights`, all steps at once.
    fn gradient(&mut self, window: Window, operands: &Operands, weights: &mut [f32]);
}

struct Ours {
    arch: Arch,
    products: Products,
    panels: Panels,
}

impl Contestant for Ours {
    fn name(&self) -> &'static str {
        "native"
    }

    fn forward(&mut self, window: Window, operands: &Operands, gates: &mut [f32]) {
        let Window { hidden, streams } = window;
        let weights = Matrix::new(&operands.weights, hidden).transposed();
        self.panels.pack(self.arch, weights);
        let read = operands.hidden.chunks_exact(streams * hidden);
        for (read, gates) in read.zip(gates.chunks_exact_mut(4 * streams * hidden)) {
            let read = Matrix::new(read, hidden);
            self.products.add_packed(read, &self.panels, gates);
        }
    }

    fn backward(&mut self, window: Window, operands: &Operands, hidden: &mut [f32]) {
        let size = window.streams * window.hidden;
        let weights = Matrix::new(&operands.weights, window.hidden);
        self.panels.pack(self.arch, weights);
        let gates = operands.gates.chunks_exact(4 * size);
        for (gates, hidden) in gates.zip(hidden.chunks_exact_mut(size)) {
            let gates = Matrix::new(gates, 4 * window.hidden);
            self.products.add_packed(gates, &self.panels, hidden);
        }
    }

    fn gradient(&mut self, window: Window, operands: &Operands, weights: &mut [f32]) {
        let gates = Matrix::new(&operands.gates, 4 * window.hidden).transposed();
        let read = Matrix::new(&operands.hidden, window.hidden);
        self.products.add(gates, read, weights);
    }
}

/// A matrix by rows or, transposed, by columns.
#[derive(Clone, Copy)]
struct View<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: isize,
    column_step: isize,
}

impl<'a> View<'a> {
    fn new(values: &'a [f32], columns: usize) -> Self {
        Self {
            values,
            rows: values.len() / columns,
            columns,
            row_step: columns as isize,
            column_step: 1,
        }
    }

    fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
        }
    }
}

/// A crate whose product takes everything at each call.
struct Crate {
    name: &'static str,
    /// Adds `left · right` to `sums`, by rows.
    add: fn(View<'_>, View<'_>, &mut [f32]),
}

impl Contestant for Crate {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&mut self, window: Window, operands: &Operands, gates: &mut [f32]) {
        let Window { hidden, streams } = window;
        let weights = View::new(&operands.weights, hidden).transposed();
        let read = operands.hidden.chunks_exact(streams * hidden);
        for (read, gates) in read.zip(gates.chunks_exact_mut(4 * streams * hidden)) {
            (self.add)(View::new(read, hidden), weights, gates);
        }
    }

    fn backward(&mut self, window: Window, operands: &Operands, hidden: &mut [f32]) {
        let size = window.streams * window.hidden;
        let weights = View::new(&operands.weights, window.hidden);
        let gates = operands.gates.chunks_exact(4 * size);
        for (gates, hidden) in gates.zip(hidden.chunks_exact_mut(size)) {
            (self.add)(View::new(gates, 4 * window.hidden), weights, hidden);
        }
    }

    fn gradient(&mut self, window: Window, operands: &Operands, weights: &mut [f32]) {
        let gates = View::new(&operands.gates, 4 * window.hidden).transposed();
        (self.add)(gates, View::new(&operands.hidden, window.hidden), weights);
    }
}

fn by_gemm(left: View<'_>, right: View<'_>, sums: &mut [f32]) {
    assert_eq!(
        (left.columns, sums.len()),
        (right.rows, left.rows * right.columns)
    );
    // SAFETY: with these sizes and steps all three matrices lie within their slices.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            sums.as_mut_ptr(),
            1,
            right.columns as isize,
            true,
            left.values.as_ptr(),
            left.column_step,
            left.row_step,
            right.values.as_ptr(),
            right.column_step,
            right.row_step,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

fn by_matrixmultiply(left: View<'_>, right: View<'_>, sums: &mut [f32]) {
    assert_eq!(
        (left.columns, sums.len()),
        (right.rows, left.rows * right.columns)
    );
    // SAFETY: with these sizes and steps all three matrices lie within their slices.
    unsafe {
        matrixmultiply::sgemm(
            left.rows,
            left.columns,
            right.columns,
            1.0,
            left.values.as_ptr(),
            left.row_step,
            left.column_step,
            right.values.as_ptr(),
            right.row_step,
            right.column_step,
            1.0,
            sums.as_mut_ptr(),
            right.columns as isize,
            1,
        );
    }
}

/// Numbers from -0.5 to 0.5.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.7).sin() / 2.0).collect()
}

fn seconds(mut work: impl FnMut()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

fn main() {
    let arch = Arch::new();
    let mut contestants: [Box<dyn Contestant>; 3] = [
        Box::new(Ours {
            arch,
            products: Products::new(arch),
            panels: Panels::default(),
        }),
        Box::new(Crate {
            name: "gemm",
            add: by_gemm,
        }),
        Box::new(Crate {
            name: "matrixmultiply",
            add: by_matrixmultiply,
        }),
    ];
    println!("GFLOP/s on one thread, {STEPS} steps                       time beside native's");
    for (hidden, streams) in [128, 256, 512].into_iter().flat_map(|h| [(h, 16), (h, 32)]) {
        let window = Window { hidden, streams };
        let size = STEPS * streams * hidden;
        let operands = Operands {
            weights: numbers(4 * hidden * hidden),
            hidden: numbers(size),
            gates: numbers(4 * size),
        };
        let mut sums = [
            vec![0.0; 4 * size],
            vec![0.0; size],
            vec![0.0; 4 * hidden * hidden],
        ];
        let mut best = [[f64::INFINITY; 3]; 3];
        let mut checks = Vec::new();
        for round in 0..ROUNDS {
            for (contestant, best) in contestants.iter_mut().zip(&mut best) {
                sums.iter_mut().for_each(|sums| sums.fill(0.0));
                let [forward, backward, gradient] = &mut sums;
                let times = [
                    seconds(|| contestant.forward(window, &operands, forward)),
                    seconds(|| contestant.backward(window, &operands, backward)),
                    seconds(|| contestant.gradient(window, &operands, gradient)),
                ];
                black_box(&sums);
                for (best, time) in best.iter_mut().zip(times) {
                    *best = best.min(time);
                }
                if round == 0 {
                    checks.push(sums.each_ref().map(|sums| sums[sums.len() / 3]));
                }
            }
        }
        for check in &checks {
            let gaps = check.iter().zip(&checks[0]).map(|(a, b)| (a - b).abs());
            assert!(gaps.fold(0.0, f32::max) < 1e-2, "{checks:?}");
        }
        println!("hidden {hidden}, {streams} streams     forward  backward  gradient");
        let operations = (2 * 4 * size * hidden) as f64 / 1e9;
        let ours: f64 = best[0].iter().sum();
        for (contestant, best) in contestants.iter().zip(&best) {
            let [forward, backward, gradient] = best.map(|time| operations / time);
            let times = best.iter().sum::<f64>() / ours;
            let name = contestant.name();
            println!("  {name:<20}{forward:>10.1}{backward:>10.1}{gradient:>10.1}{times:>12.2} ×");
        }
    }
}
