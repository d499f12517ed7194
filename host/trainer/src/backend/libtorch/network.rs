//! The network: embedding → LSTM → one score per symbol, over whole windows at once, by libtorch.
//!
//! It measures and samples everywhere, and trains on GPUs; `native` trains on the CPU.

use tch::{Device, Kind, Tensor};

use crate::shape::{Shape, Weights};
use host::recipe::Regularization;

/// What an LSTM remembers between windows: `[layers, batch, hidden]` each.
#[derive(Debug)]
pub struct State {
    /// The output of each cell.
    pub hidden: Tensor,
    /// The content of each cell.
    pub cell: Tensor,
}

impl State {
    /// The state before the first symbol.
    #[must_use]
    pub fn zero(shape: &Shape, batch: i64, device: Device) -> Self {
        let zeros = || Tensor::zeros([shape.layers, batch, shape.hidden], (Kind::Float, device));
        Self {
            hidden: zeros(),
            cell: zeros(),
        }
    }

    /// The state of `size` of the streams, from `begin` on.
    #[must_use]
    pub fn part(&self, begin: i64, size: i64) -> Self {
        Self {
            hidden: self.hidden.narrow(1, begin, size).contiguous(),
            cell: self.cell.narrow(1, begin, size).contiguous(),
        }
    }

    /// The state of all streams, from that of its parts in order.
    #[must_use]
    pub fn join(parts: &[Self]) -> Self {
        let join =
            |of: fn(&Self) -> &Tensor| Tensor::cat(&parts.iter().map(of).collect::<Vec<_>>(), 1);
        Self {
            hidden: join(|part| &part.hidden),
            cell: join(|part| &part.cell),
        }
    }
}

/// What is dropped in a window, as factors: zero, or what keeps the mean. Drawn apart from the
/// forward pass, so that parts of a batch can be computed side by side.
#[derive(Debug, Default)]
pub struct Dropped {
    /// `[1, batch, embedding]`.
    pub input: Option<Tensor>,
    /// `[1, batch, hidden]`.
    pub output: Option<Tensor>,
    /// Per layer `[4 × hidden, hidden]`.
    pub recurrent: Vec<Tensor>,
}

impl Dropped {
    /// Draws from libtorch's generator: seed it first.
    #[must_use]
    pub fn draw(shape: &Shape, batch: i64, settings: &Regularization, device: Device) -> Self {
        let factors = |probability: f64, size: &[i64]| {
            (probability > 0.0).then(|| {
                let keep = 1.0 - probability;
                let mut factors = Tensor::empty(size, (Kind::Float, device));
                factors.bernoulli_float_(keep).divide_scalar_(keep)
            })
        };
        let weights = [4 * shape.hidden, shape.hidden];
        Self {
            input: factors(settings.input_dropout, &[1, batch, shape.embedding]),
            output: factors(settings.output_dropout, &[1, batch, shape.hidden]),
            recurrent: (0..shape.layers)
                .filter_map(|_| factors(settings.drop_connect, &weights))
                .collect(),
        }
    }

    /// What is dropped in `size` of the streams, from `begin` on.
    #[must_use]
    pub fn part(&self, begin: i64, size: i64) -> Self {
        let part = |factors: &Tensor| factors.narrow(1, begin, size);
        Self {
            input: self.input.as_ref().map(part),
            output: self.output.as_ref().map(part),
            recurrent: self.recurrent.iter().map(Tensor::shallow_clone).collect(),
        }
    }
}

/// Scores `[steps × batch, symbols]` for what follows each symbol of `input` `[steps, batch]`, and
/// the state after the last.
pub fn forward(
    weights: &Weights,
    input: &Tensor,
    state: &State,
    dropped: &Dropped,
) -> (Tensor, State) {
    let scaled = |values: Tensor, factors: &Option<Tensor>| match factors {
        Some(factors) => values * factors,
        None => values,
    };
    let embedded = Tensor::embedding(weights.embedding(), input, -1, false, false);
    let embedded = scaled(embedded, &dropped.input);
    let (output, state) = recurrence(weights.lstm(), &embedded, state, &dropped.recurrent);
    let output = scaled(output, &dropped.output);
    let rows = output.view([-1, output.size()[2]]);
    let scores = rows.linear(weights.output(), Some(weights.output_bias()));
    (scores, state)
}

/// All layers over a whole window: `[steps, batch, input]` to `[steps, batch, hidden]`.
///
/// `layers` holds four tensors per layer, in libtorch's order; `factors` are those of the recurrent
/// weights, or empty.
fn recurrence(
    layers: &[Tensor],
    input: &Tensor,
    state: &State,
    factors: &[Tensor],
) -> (Tensor, State) {
    let layers: Vec<Tensor> = layers
        .iter()
        .enumerate()
        .map(
            |(index, weight)| match (index % 4, factors.get(index / 4)) {
                (1, Some(factors)) => weight * factors,
                _ => weight.shallow_clone(),
            },
        )
        .collect();
    let start = [&state.hidden, &state.cell];
    let (output, hidden, cell) = input.lstm(
        &start,
        &layers.iter().collect::<Vec<_>>(),
        true,
        (layers.len() / 4) as i64,
        0.0,
        true,
        false,
        false,
    );
    (output, State { hidden, cell })
}
