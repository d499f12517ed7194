//! Counts what a character costs on a board: prints one line of JSON per figure on the serial port.
//!
//! A figure is a number of clock ticks and what they were spent on; the host turns ticks into
//! instructions. A kernel does input, product and activations of a unit in one go. The product shows
//! in how the time grows with the number of columns; the input is measured alone, as the reference
//! kernel does it.

#![no_std]
#![no_main]

use core::hint::black_box;

use embedded_io::Write;
use firmware::alphabet::Symbol;
use firmware::board::{self, Board, Selected, entry};
use firmware::generator::Generator;
use firmware::image::{MAX_UNITS, Model, TILE_ROWS};
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

/// Prints the figures.
#[entry]
fn main() -> ! {
    let mut meter = Meter(board::start());
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
    let mut symbols = [0; CHARACTERS];
    write_text(meter, model, &mut symbols);
    read_text(meter, model, &symbols);
    match model.dimensions().recurrent_bits {
        Bits::Eight => run_kernels::<Int8>(meter, model, &symbols),
        Bits::Four => run_kernels::<Int4>(meter, model, &symbols),
    }
}

// Each measurement has its state to itself and gives it back: together they would not fit 16 KiB.

/// Generates a text, and once more to note its symbols.
#[inline(never)]
fn write_text(meter: &mut Meter, model: Model<'_>, symbols: &mut [Symbol]) {
    let mut generator = Generator::new(model, Settings::default(), SEED);
    meter.time("character", CHARACTERS as u32, || {
        for _ in 0..CHARACTERS {
            black_box(generator.next_char());
        }
    });
    generator.restart(SEED);
    for symbol in symbols {
        let next = generator.next_char();
        *symbol = model.alphabet().index_of(next).unwrap_or_default();
    }
}

/// Reads the text without drawing symbols, without and with logits.
#[inline(never)]
fn read_text(meter: &mut Meter, model: Model<'_>, symbols: &[Symbol]) {
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

/// Runs the layers' kernels on a state that the text has led to, over and over.
#[inline(never)]
fn run_kernels<F: Format>(meter: &mut Meter, model: Model<'_>, symbols: &[Symbol]) {
    let mut packed = [0_u32; MAX_PACKED_WORDS];
    pack_state::<F>(model, symbols, &mut packed);

    meter.time("layers", CHARACTERS as u32, || {
        for &symbol in symbols {
            run_layers::<F>(&model, symbol, &packed, 1);
        }
    });
    meter.time("layers_of_half_the_columns", CHARACTERS as u32, || {
        for &symbol in symbols {
            run_layers::<F>(&model, symbol, &packed, 2);
        }
    });
    meter.time("input_rows", CHARACTERS as u32, || {
        for &symbol in symbols {
            black_box(add_up_inputs(&model, symbol));
        }
    });
}

/// Packs the state that the text leads to, repeated over the whole of `packed`.
#[inline(never)]
fn pack_state<F: Format>(model: Model<'_>, symbols: &[Symbol], packed: &mut [u32]) {
    let mut lstm = Lstm::new(model);
    for &symbol in symbols {
        lstm.step(symbol);
    }
    let mut activations = [0_i8; MAX_UNITS];
    for (to, from) in activations.iter_mut().zip(lstm.hidden().iter().cycle()) {
        *to = *from;
    }
    pack::<F>(&activations, packed);
}

/// Runs the kernel on every layer, over so small a part of its columns.
#[inline(always)]
fn run_layers<F: Format>(model: &Model<'_>, symbol: Symbol, packed: &[u32], part: usize) {
    let mut cells = [0_i16; MAX_UNITS];
    let mut hidden = [0_i8; MAX_UNITS];
    for (index, layer) in model.lstm_layers().iter().enumerate() {
        let words = model.dimensions().blocks(index) / part * PACKED_WORDS;
        F::layer(LayerStep {
            inputs: layer.input_row(input_row(index, symbol)),
            units: layer.units(),
            packed: packed.get(..words).unwrap_or_default(),
            offset: 0,
            cells: &mut cells,
            hidden: &mut hidden,
        });
        black_box(&hidden);
    }
}

/// What the input contributes to all units of all layers, added up so that nothing is left out.
#[inline(always)]
fn add_up_inputs(model: &Model<'_>, symbol: Symbol) -> [i32; TILE_ROWS] {
    let mut total = [0; TILE_ROWS];
    for (index, layer) in model.lstm_layers().iter().enumerate() {
        let records = layer
            .units()
            .chunks_exact(model.dimensions().unit_words(index));
        let bits = model.dimensions().recurrent_bits;
        let inputs = layer.input_row(input_row(index, symbol));
        for (input, record) in inputs.chunks_exact(bits.input_bytes()).zip(records) {
            let Some(front) = record.first_chunk() else {
                continue;
            };
            let sums = portable::input_sums(portable::inputs(bits, input), front, 0);
            for (total, sum) in total.iter_mut().zip(sums) {
                *total ^= sum;
            }
        }
    }
    total
}

/// The lowest layer reads a symbol's row, the others have only one.
fn input_row(layer: usize, symbol: Symbol) -> usize {
    if layer == 0 { symbol.into() } else { 0 }
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
