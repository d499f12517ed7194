//! Dropout and DropConnect: which numbers of a window are dropped.

use std::ops::Range;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::shape::Shape;
use host::recipe::Regularization;

/// What is dropped in a window, as factors: zero where it is, else what keeps the mean (inverted
/// dropout).
#[derive(Debug, Clone, Default)]
pub struct Dropped {
    /// Dropout of embedded symbols, the same in all steps of a window: `[streams, embedding]`.
    pub input: Option<Vec<f32>>,
    /// Dropout of the last layer's hidden state, likewise: `[streams, hidden]`.
    pub output: Option<Vec<f32>>,
    /// DropConnect: factors of the recurrent weights, `[4 × hidden, hidden]` per layer; empty where no
    /// weight is dropped. All streams share them.
    pub recurrent: Arc<[Vec<f32>]>,
    /// The probability with which the backend drops recurrent weights by itself, where it computes: on a GPU a
    /// million numbers are drawn sooner than they are brought there. 0 where [`recurrent`](Self::recurrent) says
    /// what is dropped.
    pub undrawn: f64,
}

impl Dropped {
    /// Draws for so many streams from libtorch's generator, which is to be seeded first.
    ///
    /// That of the CPU, so that both backends drop the same there; recurrent weights are left to the backend
    /// on another device.
    #[must_use]
    pub fn draw(shape: &Shape, streams: usize, settings: &Regularization, device: Device) -> Self {
        let (drawn, undrawn) = match device {
            Device::Cpu => (settings.drop_connect, 0.0),
            _ => (0.0, settings.drop_connect),
        };
        let factors = |probability: f64, count: usize| {
            (probability > 0.0).then(|| {
                let keep = 1.0 - probability;
                let mut drawn = Tensor::empty([count as i64], (Kind::Float, Device::Cpu));
                let drawn = drawn.bernoulli_float_(keep).divide_scalar_(keep);
                let mut factors = vec![0.0; count];
                drawn.copy_data(&mut factors, count);
                factors
            })
        };
        Self {
            input: factors(settings.input_dropout, streams * shape.embedding),
            output: factors(settings.output_dropout, streams * shape.hidden),
            recurrent: (0..shape.layers)
                .filter_map(|_| factors(drawn, 4 * shape.hidden * shape.hidden))
                .collect(),
            undrawn,
        }
    }

    /// What is dropped in some of the streams.
    #[must_use]
    pub fn part(&self, shape: &Shape, streams: Range<usize>) -> Self {
        let part = |factors: &Option<Vec<f32>>, size: usize| {
            let own = streams.start * size..streams.end * size;
            factors.as_ref().map(|factors| factors[own].to_vec())
        };
        Self {
            input: part(&self.input, shape.embedding),
            output: part(&self.output, shape.hidden),
            recurrent: Arc::clone(&self.recurrent),
            undrawn: self.undrawn,
        }
    }
}
