//! The network: embedding → LSTM → one score per symbol, over whole windows at once.
//!
//! [`recurrence`] is the only place that knows how an LSTM is computed.

use tch::{Device, Kind, Tensor};

use super::recipe::Regularization;
use super::weights::{Shape, Weights};

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

    /// The same numbers, without the way they came about.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            hidden: self.hidden.detach(),
            cell: self.cell.detach(),
        }
    }
}

/// Scores `[steps × batch, symbols]` for what follows each symbol of `input` `[steps, batch]`, and
/// the state after the last.
///
/// With `dropping`, parts are dropped by libtorch's generator: seed it first.
pub fn forward(
    weights: &Weights,
    input: &Tensor,
    state: &State,
    dropping: Option<&Regularization>,
) -> (Tensor, State) {
    let none = Regularization::default();
    let dropping = dropping.unwrap_or(&none);
    let embedded = Tensor::embedding(weights.embedding(), input, -1, false, false);
    let embedded = drop_components(embedded, dropping.input_dropout);
    let (output, state) = recurrence(weights.lstm(), &embedded, state, dropping.drop_connect);
    let output = drop_components(output, dropping.output_dropout);
    let rows = output.view([-1, output.size()[2]]);
    let scores = rows.linear(weights.output(), Some(weights.output_bias()));
    (scores, state)
}

/// All layers over a whole window: `[steps, batch, input]` to `[steps, batch, hidden]`.
fn recurrence(
    layers: &[Tensor],
    input: &Tensor,
    state: &State,
    drop_connect: f64,
) -> (Tensor, State) {
    let layers: Vec<Tensor> = layers
        .iter()
        .enumerate()
        .map(|(index, weight)| match index % 4 {
            1 if drop_connect > 0.0 => weight * keep_mask(&weight.size(), drop_connect, weight),
            _ => weight.shallow_clone(),
        })
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

/// Drops the same components at every step of a window `[steps, batch, components]`.
fn drop_components(values: Tensor, probability: f64) -> Tensor {
    if probability == 0.0 {
        return values;
    }
    let size = values.size();
    &values * keep_mask(&[1, size[1], size[2]], probability, &values)
}

/// Zero with `probability`, else what keeps the mean.
fn keep_mask(size: &[i64], probability: f64, like: &Tensor) -> Tensor {
    let keep = 1.0 - probability;
    let mut mask = Tensor::empty(size, (Kind::Float, like.device()));
    mask.bernoulli_float_(keep).divide_scalar_(keep)
}
