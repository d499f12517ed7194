//! Counts what a character costs on a board: prints one line of JSON per figure on the serial port.
//!
//! A figure is a number of clock ticks and what they were spent on; the host turns ticks into
//! instructions. Kernels do input, products and activations of a unit in one go, so these parts are
//! told apart by leaving one out: the layer without products, the input bytes alone.

#![no_std]
#![no_main]

use core::hint::black_box;

use embedded_io::Write;
use firmware::alphabet::Symbol;
use firmware::board::{self, Board, Selected, entry};
use firmware::generator::Generator;
use firmware::image::{MAX_UNITS, Model};
use firmware::kernels::{
    Bits, Format, Int4, Int8, LayerStep, MAX_PACKED_WORDS, PACKED_WORDS, pack, portable,
};
use firmware::lstm::Lstm;
use firmware::sampler::Settings;

/// How many characters each figure is taken over.
const CHARACTERS: usize = 1_000;

/// The seed of the text that is written meanwhile.
const SEED: u64 = 1;

/// The length of the calibration loop.
const LOOP_INSTRUCTIONS: u32 = 1_000_000;

#[entry]
fn main() -> ! {
    let mut meter = Meter(Selected::start());
    match Model::parse(board::linked_image()) {
        Ok(model) => measure(&mut meter, model),
        Err(error) => meter.print(format_args!("# no model: {error}")),
    }
    meter.print(format_args!("# done"));
    loop {
        core::hint::spin_loop();
    }
}

fn measure(meter: &mut Meter, model: Model<'_>) {
    // Two instructions a round.
    meter.time("calibration", LOOP_INSTRUCTIONS, || {
        board::spin(LOOP_INSTRUCTIONS / 2);
    });
    let mut generator = Generator::new(model, Settings::default(), SEED);
    meter.time("character", CHARACTERS as u32, || {
        for _ in 0..CHARACTERS {
            black_box(generator.next_char());
        }
    });
    let mut symbols = [0; CHARACTERS];
    generator.restart(SEED);
    for symbol in &mut symbols {
        let next = generator.next_char();
        *symbol = model.alphabet().index_of(next).unwrap_or_default();
    }
    measure_step(meter, model, &symbols);
    match model.dimensions().recurrent_bits {
        Bits::Eight => measure_layers::<Int8>(meter, generator.lstm(), &symbols),
        Bits::Four => measure_layers::<Int4>(meter, generator.lstm(), &symbols),
    }
}

/// The same text once more, without drawing symbols and then without logits.
#[inline(never)]
fn measure_step(meter: &mut Meter, model: Model<'_>, symbols: &[Symbol]) {
    let mut lstm = Lstm::new(model);
    meter.time("step", CHARACTERS as u32, || {
        for &symbol in symbols {
            lstm.step(symbol);
        }
    });
    lstm.reset();
    meter.time("step_and_logits", CHARACTERS as u32, || {
        for &symbol in symbols {
            lstm.step(symbol);
            black_box(lstm.logits());
        }
    });
}

/// The layers' kernels on a state that a text has led to, over and over.
#[inline(never)]
fn measure_layers<F: Format>(meter: &mut Meter, lstm: &Lstm<'_>, symbols: &[Symbol]) {
    let model = lstm.model();
    let mut activations = [0_i8; MAX_UNITS];
    for (to, from) in activations.iter_mut().zip(lstm.hidden().iter().cycle()) {
        *to = *from;
    }
    let mut packed = [0_u32; MAX_PACKED_WORDS];
    pack::<F>(&activations, &mut packed);

    meter.time("layers", CHARACTERS as u32, || {
        for &symbol in symbols {
            run_layers::<F>(&model, symbol, &packed, true);
        }
    });
    meter.time("layers_without_products", CHARACTERS as u32, || {
        for &symbol in symbols {
            run_layers::<F>(&model, symbol, &packed, false);
        }
    });
    meter.time("input_rows", CHARACTERS as u32, || {
        for &symbol in symbols {
            for (index, layer) in model.lstm_layers().iter().enumerate() {
                let row = if index == 0 { symbol.into() } else { 0 };
                for &input in layer.input_row(row) {
                    black_box(portable::input_sums(input, black_box([1; 4]), 0));
                }
            }
        }
    });
}

#[inline(always)]
fn run_layers<F: Format>(model: &Model<'_>, symbol: Symbol, packed: &[u32], products: bool) {
    let mut cells = [0_i16; MAX_UNITS];
    let mut hidden = [0_i8; MAX_UNITS];
    for (index, layer) in model.lstm_layers().iter().enumerate() {
        let row = if index == 0 { symbol.into() } else { 0 };
        let words = match products {
            true => model.dimensions().blocks(index) * PACKED_WORDS,
            false => 0,
        };
        F::layer(LayerStep {
            inputs: layer.input_row(row),
            units: layer.units(),
            packed: packed.get(..words).unwrap_or_default(),
            offset: 0,
            cells: &mut cells,
            hidden: &mut hidden,
        });
        black_box(&hidden);
    }
}

/// A board as a stopwatch that prints.
struct Meter(Selected);

impl Meter {
    /// Prints how many ticks `work` takes, which is on `count` of something.
    #[inline(never)]
    fn time(&mut self, figure: &str, count: u32, work: impl FnOnce()) {
        let start = self.0.ticks();
        work();
        let ticks = self.0.ticks().wrapping_sub(start);
        self.print(format_args!(
            "{{\"figure\":\"{figure}\",\"ticks\":{ticks},\"count\":{count}}}"
        ));
    }

    fn print(&mut self, line: core::fmt::Arguments<'_>) {
        // A serial port of an emulator takes everything.
        let _ = writeln!(self.0.serial(), "{line}");
    }
}
