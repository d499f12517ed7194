//! Compares the board's kernels with the reference on made-up weights and states, on the board itself:
//! prints `# ok: N cases`, or the first difference.
//!
//! Packed activations and offsets are each kernel's own business; cells, hidden units and logits must
//! be the same to the last bit.

#![no_std]
#![no_main]

use core::fmt::Write as _;

use firmware::board::{self, Board, entry};
use firmware::image::{BIAS_WORDS, BLOCK, OUTPUT_FRAME_WORDS, TILE_ROWS, UNIT_FRAME_WORDS};
use firmware::kernels::{Bits, Format, Int4, Int8, LayerStep, OutputStep, PACKED_WORDS, portable};
use firmware::sampler::Rng;
use firmware::serial::Text;

/// Most blocks of a row, units of a layer and groups of four logits in a case.
const MAX_BLOCKS: usize = 17;
const MAX_TILES: usize = 3;
const MAX_TILE_WORDS: usize = MAX_BLOCKS * Bits::Eight.block_words();

/// The kernels for one width.
struct Kernels {
    bits: Bits,
    pack: fn(&[i8; BLOCK]) -> [u32; PACKED_WORDS],
    offset: fn(&[i8; BLOCK]) -> i32,
    layer: fn(LayerStep<'_>),
    output: fn(OutputStep<'_>),
}

const fn active<F: Format>() -> Kernels {
    Kernels {
        bits: F::BITS,
        pack: F::pack,
        offset: F::offset,
        layer: F::layer,
        output: F::output,
    }
}

/// What is compared with what.
const PAIRS: [(Kernels, Kernels); 2] = [
    (
        active::<Int8>(),
        Kernels {
            bits: Bits::Eight,
            pack: portable::pack_int8,
            offset: portable::offset_int8,
            layer: portable::layer_int8,
            output: portable::output_int8,
        },
    ),
    (
        active::<Int4>(),
        Kernels {
            bits: Bits::Four,
            pack: portable::pack_int4,
            offset: portable::offset_int4,
            layer: portable::layer_int4,
            output: portable::output_int4,
        },
    ),
];

/// How the numbers of a case are chosen.
#[derive(Clone, Copy)]
enum Choice {
    Random,
    Largest,
    Smallest,
}

const CHOICES: [Choice; 4] = [
    Choice::Random,
    Choice::Random,
    Choice::Largest,
    Choice::Smallest,
];

impl Choice {
    /// A number from `-max` to `max`.
    fn number(self, rng: &mut Rng, max: i32) -> i32 {
        match self {
            Choice::Random => (rng.next_u32() % (2 * max as u32 + 1)) as i32 - max,
            Choice::Largest => max,
            Choice::Smallest => -max,
        }
    }
}

/// Prints whether all results are the same.
#[entry]
fn main() -> ! {
    let mut board = board::start();
    let mut out = Text(board.serial());
    // An emulator's serial port takes everything.
    let _ = match compare_all() {
        Ok(cases) => writeln!(out, "# ok: {cases} cases\n# done"),
        Err(difference) => writeln!(out, "# {difference}\n# done"),
    };
    loop {
        core::hint::spin_loop();
    }
}

/// Where a kernel and the reference differ.
struct Difference {
    what: &'static str,
    bits: u8,
    blocks: usize,
    tiles: usize,
}

impl core::fmt::Display for Difference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Difference {
            what,
            bits,
            blocks,
            tiles,
        } = self;
        write!(
            f,
            "{what} differ: int{bits}, {blocks} blocks, {tiles} tiles"
        )
    }
}

fn compare_all() -> Result<u32, Difference> {
    let mut rng = Rng::new(1);
    let mut cases = 0;
    for (kernels, reference) in &PAIRS {
        for blocks in 1..=MAX_BLOCKS {
            for weights in CHOICES {
                for hidden in CHOICES {
                    let tiles = 1 + cases as usize % MAX_TILES;
                    let shape = (blocks, tiles);
                    let case = Case::new(kernels.bits, shape, (weights, hidden), &mut rng);
                    let differ = |what| Difference {
                        what,
                        bits: kernels.bits.count(),
                        blocks,
                        tiles,
                    };
                    if case.layer(kernels) != case.layer(reference) {
                        return Err(differ("cells or hidden units"));
                    }
                    if case.logits(kernels) != case.logits(reference) {
                        return Err(differ("logits"));
                    }
                    cases += 1;
                }
            }
        }
    }
    Ok(cases)
}

/// What a kernel is given: a layer, an output matrix and the state in front of both.
struct Case {
    units: Words<{ MAX_TILES * (UNIT_FRAME_WORDS + MAX_TILE_WORDS) }>,
    records: Words<{ MAX_TILES * (OUTPUT_FRAME_WORDS + MAX_TILE_WORDS) }>,
    hidden: heapless::Vec<[i8; BLOCK], MAX_BLOCKS>,
    /// As many bytes as 8-bit inputs take; 4-bit ones take half of them.
    inputs: [u8; TILE_ROWS * MAX_TILES],
    cells: [i16; MAX_TILES],
}

type Words<const N: usize> = heapless::Vec<u32, N>;

impl Case {
    fn new(
        bits: Bits,
        (blocks, tiles): (usize, usize),
        (weights, hidden): (Choice, Choice),
        rng: &mut Rng,
    ) -> Self {
        let mut case = Case {
            units: Words::new(),
            records: Words::new(),
            hidden: (0..blocks)
                .map(|_| [0; BLOCK].map(|_: i8| hidden.number(rng, 127) as i8))
                .collect(),
            inputs: [0; TILE_ROWS * MAX_TILES].map(|_: u8| weights.number(rng, 127) as u8),
            cells: [0; MAX_TILES],
        };
        for cell in &mut case.cells {
            *cell = weights.number(rng, 32_767) as i16;
        }
        for _ in 0..tiles {
            let words = blocks * bits.block_words();
            let tile: Words<MAX_TILE_WORDS> =
                (0..words).map(|_| tile_word(bits, weights, rng)).collect();
            case.units
                .extend((0..BIAS_WORDS).map(|_| bias(weights, rng)));
            case.units.extend([multipliers(rng), multipliers(rng)]);
            case.units.extend(tile.iter().copied());
            case.units.extend([multipliers(rng), multipliers(rng)]);
            case.records
                .extend((0..BIAS_WORDS).map(|_| bias(weights, rng)));
            case.records.extend(tile.iter().copied());
            case.records.extend([multipliers(rng), multipliers(rng)]);
        }
        case
    }

    /// The activations as the kernels want them.
    fn packed(&self, kernels: &Kernels) -> Words<{ MAX_BLOCKS * PACKED_WORDS }> {
        self.hidden.iter().flat_map(kernels.pack).collect()
    }

    fn offset(&self, kernels: &Kernels) -> i32 {
        let offsets = self.hidden.iter().map(kernels.offset);
        offsets.fold(0, i32::wrapping_add)
    }

    /// Cells and hidden units after a step.
    fn layer(&self, kernels: &Kernels) -> ([i16; MAX_TILES], [i8; MAX_TILES]) {
        let mut cells = self.cells;
        let mut hidden = [0; MAX_TILES];
        (kernels.layer)(LayerStep {
            inputs: &self.inputs,
            units: &self.units,
            packed: &self.packed(kernels),
            offset: self.offset(kernels),
            cells: &mut cells,
            hidden: &mut hidden,
        });
        (cells, hidden)
    }

    fn logits(&self, kernels: &Kernels) -> [i16; TILE_ROWS * MAX_TILES] {
        let mut logits = [0; TILE_ROWS * MAX_TILES];
        (kernels.output)(OutputStep {
            records: &self.records,
            packed: &self.packed(kernels),
            offset: self.offset(kernels),
            logits: &mut logits,
        });
        logits
    }
}

/// A word of weights, see `firmware::kernels`.
fn tile_word(bits: Bits, choice: Choice, rng: &mut Rng) -> u32 {
    let mut half = || {
        let mut weight = || choice.number(rng, bits.max_weight());
        let half = match bits {
            Bits::Eight => 256 * weight() + weight(),
            Bits::Four => {
                4096 * weight() + 256 * (weight() + 8) + 16 * (weight() + 8) + weight() + 8
            }
        };
        half as u32 & 0xFFFF
    };
    half() | half() << 16
}

/// Two multipliers: large, so that sums saturate, or of any size and sign.
fn multipliers(rng: &mut Rng) -> u32 {
    let word = rng.next_u32();
    match word % 4 {
        0 => 0x7FFF_7FFF,
        1 => (word >> 9) & 0x00FF_00FF,
        _ => word,
    }
}

/// A bias: one that makes the sum overflow, or any.
fn bias(choice: Choice, rng: &mut Rng) -> u32 {
    match (choice, rng.next_u32()) {
        (Choice::Largest, _) => i32::MAX as u32,
        (Choice::Smallest, _) => i32::MIN as u32,
        (Choice::Random, word) if word % 2 == 0 => word,
        (Choice::Random, word) => (word as i32 >> 12) as u32,
    }
}
