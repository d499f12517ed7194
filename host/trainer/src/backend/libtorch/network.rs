//! The network by libtorch: embedding → LSTM → a logit per symbol, over whole windows at once.
//!
//! It trains as the backend [`libtorch`](super), and measures and samples whatever the backend.

use tch::{Device, Kind, Tensor};

use crate::shape::{Entry, Shape};

/// Hidden and cell state of an LSTM: `[layers, streams, hidden]` each.
#[derive(Debug)]
pub struct State {
    /// The hidden state.
    pub hidden: Tensor,
    /// The cell state.
    pub cell: Tensor,
}

impl State {
    /// The state before the first symbol.
    #[must_use]
    pub fn zero(shape: &Shape, streams: usize, device: Device) -> Self {
        let size = [shape.layers, streams, shape.hidden].map(|n| n as i64);
        let zeros = || Tensor::zeros(size, (Kind::Float, device));
        Self {
            hidden: zeros(),
            cell: zeros(),
        }
    }
}

/// [`Dropped`](crate::data::dropout::Dropped) as tensors; nothing is dropped where there is none.
#[derive(Debug, Default)]
pub struct Factors {
    /// `[1, streams, embedding]`.
    pub input: Option<Tensor>,
    /// `[1, streams, hidden]`.
    pub output: Option<Tensor>,
    /// Per layer `[4 × hidden, hidden]`.
    pub recurrent: Vec<Tensor>,
}

/// The matrices of a network, for a forward pass.
#[derive(Debug)]
pub struct Weights {
    tensors: Vec<Tensor>,
}

impl Weights {
    /// Views of `flat`, which must be as long as `shape` says.
    #[must_use]
    pub fn of(shape: &Shape, flat: &Tensor) -> Self {
        Self {
            tensors: shape
                .views(flat)
                .into_iter()
                .map(|(_, view)| view)
                .collect(),
        }
    }

    /// Views of `flat` that gradients can be asked for. They share its memory: what the optimizer
    /// does to it shows in them.
    #[must_use]
    pub fn leaves(shape: &Shape, flat: &Tensor) -> Self {
        let leaf = |(_, view): (Entry, Tensor)| view.detach().set_requires_grad(true);
        Self {
            tensors: shape.views(flat).into_iter().map(leaf).collect(),
        }
    }

    /// `[V, E]`: a row per symbol.
    pub fn embedding(&self) -> &Tensor {
        &self.tensors[0]
    }

    /// Per layer: input and recurrent weights, then their biases, as libtorch's LSTM takes them.
    pub fn lstm(&self) -> &[Tensor] {
        &self.tensors[1..self.tensors.len() - 2]
    }

    /// `[V, H]`: from the last layer's state to a logit per symbol.
    pub fn output(&self) -> &Tensor {
        &self.tensors[self.tensors.len() - 2]
    }

    /// `[V]`: what is added to those logits.
    pub fn output_bias(&self) -> &Tensor {
        &self.tensors[self.tensors.len() - 1]
    }

    /// The gradients of `loss`, flat. The graph behind `loss` is used up.
    ///
    /// # Errors
    /// When libtorch cannot differentiate it.
    pub fn gradient(&self, loss: &Tensor) -> Result<Tensor, tch::TchError> {
        let gradients = Tensor::f_run_backward(&[loss], &self.tensors, false, false)?;
        let flat: Vec<Tensor> = gradients.iter().map(|g| g.reshape([-1])).collect();
        Tensor::f_cat(&flat, 0)
    }
}

/// Logits `[steps × streams, symbols]` for what follows each symbol of `input` `[steps, streams]`, and
/// the state after the last.
pub fn forward(
    weights: &Weights,
    input: &Tensor,
    state: &State,
    factors: &Factors,
) -> (Tensor, State) {
    let scaled = |values: Tensor, factors: &Option<Tensor>| match factors {
        Some(factors) => values * factors,
        None => values,
    };
    let embedded = Tensor::embedding(weights.embedding(), input, -1, false, false);
    let embedded = scaled(embedded, &factors.input);
    let (output, state) = recurrence(weights.lstm(), &embedded, state, &factors.recurrent);
    let output = scaled(output, &factors.output);
    let rows = output.view([-1, output.size()[2]]);
    let logits = rows.linear(weights.output(), Some(weights.output_bias()));
    (logits, state)
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
