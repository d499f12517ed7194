//! Counts what a character costs on a board: prints one line of JSON per figure on the serial port.
//!
//! A figure is a number of clock ticks and what they were spent on; the host turns ticks into
//! instructions. Products are measured with the tables that they are looked up in, and these alone.

#![no_std]
#![no_main]

use core::hint::black_box;

use embedded_io::Write;
use firmware::board::once::Once;
use firmware::board::{self, Board, Selected, entry};
use firmware::session::MODEL_WORDS;
use inkling_engine::format::{Dimensions, GROUP, MAX_UNITS};
use inkling_engine::image::{ImageError, Inputs, Layer, Matrix, Model};
use inkling_engine::kernels::{
    self, Kernel, Part, Product, Sums, TABLE_WORDS, TABLES, Table, Tables,
};
use inkling_engine::{Generator, Lstm, Settings, Symbol};

/// What a model works in.
static MEMORY: Once<[u32; MODEL_WORDS]> = Once::new([0; MODEL_WORDS]);

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
    let memory = MEMORY.take().expect("the program starts once");
    let mut symbols = [0; CHARACTERS];
    let measured = write_text(meter, model, memory, &mut symbols)
        .and_then(|()| read_text(meter, model, memory, &symbols));
    if let Err(error) = measured {
        meter.print(format_args!("# no model: {error}"));
    }
    run_kernels(meter, model, memory, &symbols);
}

/// Generates a text, and once more to note its symbols.
#[inline(never)]
fn write_text(
    meter: &mut Meter,
    model: Model<'_>,
    memory: &mut [u32],
    symbols: &mut [Symbol],
) -> Result<(), ImageError> {
    let mut generator = Generator::new(model, memory, Settings::default(), SEED)?;
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
    Ok(())
}

/// Reads the text without drawing symbols.
#[inline(never)]
fn read_text(
    meter: &mut Meter,
    model: Model<'_>,
    memory: &mut [u32],
    symbols: &[Symbol],
) -> Result<(), ImageError> {
    let mut lstm = Lstm::new(model, memory)?;
    meter.time("step", CHARACTERS as u32, || {
        for &symbol in symbols {
            lstm.step(symbol);
        }
    });
    Ok(())
}

/// Runs the kernels on made-up hidden units, over and over, and computes what symbols add to the gates.
#[inline(never)]
fn run_kernels(meter: &mut Meter, model: Model<'_>, memory: &mut [u32], symbols: &[Symbol]) {
    let dimensions = model.dimensions();
    let mut hidden = [0_i8; MAX_UNITS];
    for (index, unit) in hidden.iter_mut().enumerate() {
        *unit = (index * 37 % 255) as i8;
    }
    let hidden = &hidden[..Dimensions::padded(dimensions.hidden)];
    let (tables, sums) = memory.split_at_mut(TABLES * TABLE_WORDS);
    let tables: &mut [Table] = bytemuck::cast_slice_mut(tables);
    let sums: &mut [Sums] = bytemuck::cast_slice_mut(sums.as_chunks_mut::<4>().0);

    let products = 2 * dimensions.layers - 1;
    meter.time("tables", CHARACTERS as u32, || {
        for _ in 0..CHARACTERS * products {
            let groups = hidden.as_chunks::<GROUP>().0;
            for portion in groups.chunks(TABLES) {
                for (table, group) in tables.iter_mut().zip(portion) {
                    kernels::build(table, group);
                }
                black_box(&*tables);
            }
        }
    });
    meter.time("recurrent_and_tables", CHARACTERS as u32, || {
        for _ in 0..CHARACTERS {
            for (index, layer) in model.lstm_layers().iter().enumerate() {
                let Layer {
                    recurrent,
                    from_below,
                    ..
                } = *layer;
                let part = Part::Recurrent(index);
                multiply(
                    part,
                    recurrent,
                    hidden,
                    &mut sums[..dimensions.hidden],
                    tables,
                );
                if index > 0 {
                    let part = Part::FromBelow(index);
                    multiply(
                        part,
                        from_below,
                        hidden,
                        &mut sums[..dimensions.hidden],
                        tables,
                    );
                }
            }
        }
    });
    meter.time("output_and_tables", CHARACTERS as u32, || {
        for _ in 0..CHARACTERS {
            let tiles = dimensions.output_tiles();
            multiply(
                Part::Output,
                model.output(),
                hidden,
                &mut sums[..tiles],
                tables,
            );
        }
    });
    meter.time("inputs", CHARACTERS as u32, || {
        for &symbol in symbols {
            add_up_inputs(&model, symbol, tables);
        }
    });
}

/// A product with a matrix, as a step does it.
#[inline(always)]
fn multiply(
    part: Part,
    matrix: Matrix<'_>,
    hidden: &[i8],
    sums: &mut [Sums],
    tables: &mut [Table],
) {
    let all = 0..hidden.len();
    Tables.multiply(hidden, all, &mut [Product { part, matrix, sums }], tables);
    black_box(&*tables);
}

/// What a symbol adds to the gates of the first layer; nothing to do where it is read from a table.
#[inline(always)]
fn add_up_inputs(model: &Model<'_>, symbol: Symbol, tables: &mut [Table]) {
    if let Inputs::Embedded { embedding, matrix } = model.inputs() {
        let columns = Dimensions::padded(model.dimensions().embedding);
        let begin = usize::from(symbol) * columns;
        let embedded = embedding.get(begin..begin + columns).unwrap_or_default();
        let embedded = bytemuck::cast_slice(embedded);
        let units = 0..model.hidden();
        Tables.inputs(matrix, embedded, units, tables, |_, sums| {
            black_box(sums);
        });
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
