//! Batches: which window of the text each step learns from, as a function of the step alone.
//!
//! Windows of streams that go on from each other make training truncated backpropagation through time
//! (BPTT): the state passes from one window to the next, gradients do not.

use std::ops::Range;

use crate::data::random::{Purpose, draw};
use host::recipe::{Data, Order};

/// How a training text is read for a recipe. The text itself stays where it is, a byte per character.
#[derive(Debug)]
pub struct Batches {
    cut: Cut,
    order: Order,
    seed: u64,
}

/// Symbols and what follows them, step by step: `[seq_len, batch]` each.
#[derive(Debug)]
pub struct Window {
    /// Streams side by side.
    pub streams: usize,
    /// The symbols to read.
    pub inputs: Vec<u8>,
    /// The symbols to predict.
    pub targets: Vec<u8>,
    /// Whether it starts from the zero state instead of going on from the window before.
    pub fresh: bool,
}

impl Window {
    /// The inputs and targets of some of the streams.
    #[must_use]
    pub fn part(&self, streams: &Range<usize>) -> (Vec<u8>, Vec<u8>) {
        let part = |symbols: &[u8]| {
            let steps = symbols.chunks_exact(self.streams);
            steps
                .flat_map(|step| &step[streams.clone()])
                .copied()
                .collect()
        };
        (part(&self.inputs), part(&self.targets))
    }
}

/// How a text is cut: what the recipe asks for, or what fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Windows side by side.
    pub batch: i64,
    /// Predictions per window.
    pub seq_len: i64,
    /// Predictions per stream.
    stream: i64,
    /// Windows until all streams are read.
    windows: i64,
}

impl Cut {
    /// Fits the recipe's batch and sequence length to a text with so many predictions (characters
    /// less one, at least 1): on a short text first the batch shrinks, then the sequence.
    #[must_use]
    pub fn fit(data: &Data, predictions: i64) -> Self {
        let seq_len = data.seq_len.min(predictions);
        let most = match data.order {
            Order::Streams => (predictions / seq_len).max(1),
            Order::Chunks => i64::MAX,
        };
        let batch = data.batch.min(most);
        let stream = match data.order {
            Order::Streams => predictions / batch,
            Order::Chunks => predictions,
        };
        // One window fewer than fit, where there are enough: the first one may then begin anywhere
        // in the first `seq_len` characters, elsewhere each time the text is read.
        let fitting = stream / seq_len;
        let windows = if fitting > 4 { fitting - 1 } else { fitting };
        Self {
            batch,
            seq_len,
            stream,
            windows,
        }
    }
}

impl Batches {
    /// The batches of a training text of so many characters, at least two.
    #[must_use]
    pub fn new(characters: usize, data: &Data, seed: u64) -> Self {
        Self {
            cut: Cut::fit(data, characters as i64 - 1),
            order: data.order,
            seed,
        }
    }

    /// How the text is cut.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// The window of `text` for a step, counted from 0.
    #[must_use]
    pub fn window(&self, text: &[u8], step: u64) -> Window {
        let Cut {
            batch,
            seq_len,
            stream,
            windows,
        } = self.cut;
        let (begins, fresh): (Vec<i64>, bool) = match self.order {
            Order::Streams => {
                let (epoch, index) = (step / windows as u64, step % windows as u64);
                let slack = stream - windows * seq_len;
                let offset = self.anywhere(epoch, slack.min(seq_len - 1));
                let begin = offset + index as i64 * seq_len;
                let begins = (0..batch).map(|column| column * stream + begin);
                (begins.collect(), index == 0)
            }
            Order::Chunks => {
                let first = step * batch as u64;
                let begins =
                    (0..batch as u64).map(|chunk| self.anywhere(first + chunk, stream - seq_len));
                (begins.collect(), true)
            }
        };
        let gather = |ahead: i64| {
            let rows = (0..seq_len).flat_map(|row| begins.iter().map(move |begin| begin + row));
            rows.map(|position| text[(position + ahead) as usize])
                .collect()
        };
        Window {
            streams: begins.len(),
            inputs: gather(0),
            targets: gather(1),
            fresh,
        }
    }

    /// A number from 0 to `most` that depends on the seed and `index`.
    fn anywhere(&self, index: u64, most: i64) -> i64 {
        let choices = most as u64 + 1;
        (draw(self.seed, Purpose::Windows, index) % choices) as i64
    }
}

#[cfg(test)]
mod tests {
    use host::corpus::Split;
    use proptest::prelude::*;

    use super::*;

    /// The steps of a window's inputs or targets.
    fn steps(window: &Window, symbols: &[u8]) -> Vec<Vec<u8>> {
        let steps = symbols.chunks_exact(window.streams);
        steps.map(<[u8]>::to_vec).collect()
    }

    fn data(order: Order, batch: i64, seq_len: i64) -> Data {
        Data {
            order,
            batch,
            seq_len,
            workers: 1,
            validation: Split::Last,
        }
    }

    proptest! {
        #[test]
        fn targets_are_what_follows_in_the_text(
            len in 2_usize..200,
            batch in 1_i64..9,
            seq_len in 1_i64..40,
            chunks: bool,
            step in 0_u64..50,
        ) {
            let order = if chunks { Order::Chunks } else { Order::Streams };
            let text: Vec<u8> = (0..len as u8).collect();
            let batches = Batches::new(len, &data(order, batch, seq_len), 7);
            let window = batches.window(&text, step);
            let input = steps(&window, &window.inputs);
            let target = steps(&window, &window.targets);
            prop_assert!(input.len() as i64 <= seq_len && input[0].len() as i64 <= batch);
            for (row, (inputs, targets)) in input.iter().zip(&target).enumerate() {
                for (column, (a, b)) in inputs.iter().zip(targets).enumerate() {
                    prop_assert_eq!(a + 1, *b);
                    prop_assert_eq!(*a, input[0][column] + row as u8);
                }
            }
        }

        #[test]
        fn a_stream_goes_on_where_its_last_window_ended(
            len in 2_usize..200,
            batch in 1_i64..9,
            seq_len in 1_i64..40,
            step in 0_u64..50,
        ) {
            let text: Vec<u8> = (0..len as u8).collect();
            let batches = Batches::new(len, &data(Order::Streams, batch, seq_len), 7);
            let (this, next) = (batches.window(&text, step), batches.window(&text, step + 1));
            if !next.fresh {
                let ends = steps(&this, &this.targets).pop();
                prop_assert_eq!(ends, steps(&next, &next.inputs).first().cloned());
            }
        }
    }

    #[test]
    fn streams_read_nearly_all_of_a_long_text_each_time() {
        let data = data(Order::Streams, 4, 10);
        let text: Vec<u8> = (0..=250).collect();
        let batches = Batches::new(text.len(), &data, 7);
        let (mut seen, mut begins) = ([false; 251], Vec::new());
        for step in 0..20 * batches.cut.windows as u64 {
            let window = batches.window(&text, step);
            if window.fresh {
                begins.push(window.inputs[0]);
            }
            for &symbol in &window.inputs {
                seen[usize::from(symbol)] = true;
            }
        }
        assert_eq!(begins.len(), 20);
        assert!(seen.iter().filter(|&&seen| seen).count() > 230);
        begins.dedup();
        assert!(
            begins.len() > 1,
            "each reading begins elsewhere: {begins:?}"
        );
    }

    #[test]
    fn parts_of_a_window_are_its_streams() {
        let text: Vec<u8> = (0..100).collect();
        let batches = Batches::new(text.len(), &data(Order::Streams, 5, 3), 7);
        let window = batches.window(&text, 0);
        let (inputs, targets) = window.part(&(1..3));
        let of = |symbols: &[u8]| -> Vec<u8> {
            let steps = symbols.chunks_exact(5);
            steps.flat_map(|step| [step[1], step[2]]).collect()
        };
        assert_eq!((inputs, targets), (of(&window.inputs), of(&window.targets)));
    }

    #[test]
    fn a_short_text_shrinks_the_batch_before_the_sequence() {
        let cut = |predictions| {
            let cut = Cut::fit(&data(Order::Streams, 32, 128), predictions);
            (cut.batch, cut.seq_len)
        };
        assert_eq!(cut(1_000_000), (32, 128));
        assert_eq!(cut(1_000), (7, 128));
        assert_eq!(cut(130), (1, 128));
        assert_eq!(cut(5), (1, 5));
        assert_eq!(cut(1), (1, 1));
    }
}
