//! Compares the board's kernels with the reference on made-up weights and columns, on the board itself:
//! prints `# ok: N cases`, or the first difference. Then it writes with each of the images that lie one
//! behind the other in the place of the model, and prints what can be seen of that as one number.

#![no_std]
#![no_main]

use core::fmt::Write as _;

use firmware::board::once::Once;
use firmware::board::{self, Board, entry};
use firmware::serial::Text;
use firmware::session::MODEL_WORDS;
use inkling_engine::Generator;
use inkling_engine::anything::{TRACED, settings, trace};
use inkling_engine::format::{BLOCK_GROUPS, GROUP, MAX_PLANES, TILE_ROWS, pack, unpack};
use inkling_engine::image::{ImageError, Matrix, Model};
use inkling_engine::kernels::{self, Sums, TABLE_WORDS, Table, portable};
use inkling_engine::sampler::Rng;

/// What the models work in, and before them the kernels: small stacks have no room for tables.
static MEMORY: Once<[u32; MODEL_WORDS]> = Once::new([0; MODEL_WORDS]);

/// Most tiles of a case.
const MAX_TILES: usize = 3;

/// The weights of the largest case.
const MAX_BYTES: usize = MAX_TILES * MAX_PLANES as usize * BLOCK_GROUPS * TILE_ROWS;

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
    let memory = MEMORY.take().expect("the program starts once");
    let tables = memory.as_chunks_mut().0;
    // An emulator's serial port takes everything.
    let _ = match compare_all(tables) {
        Ok(cases) => writeln!(out, "# ok: {cases} cases"),
        Err(difference) => writeln!(out, "# {difference}"),
    };
    let mut images = board::linked_image();
    while let Ok(model) = Model::parse(images) {
        let _ = match write(model, memory) {
            Ok(trace) => writeln!(out, "# image: {trace:08x}"),
            Err(error) => writeln!(out, "# image: {error}"),
        };
        images = images.get(model.image_bytes()..).unwrap_or_default();
    }
    let _ = writeln!(out, "# done");
    loop {
        core::hint::spin_loop();
    }
}

/// What can be seen of a model that writes; its checksum chooses how.
#[inline(never)]
fn write(model: Model<'_>, memory: &mut [u32]) -> Result<u32, ImageError> {
    let seed = model.checksum().into();
    let settings = settings(&mut Rng::new(seed));
    let mut generator = Generator::new(model, memory, settings, seed)?;
    Ok(trace(&mut generator, TRACED))
}

/// Where a kernel and the reference differ.
struct Difference {
    what: &'static str,
    planes: u8,
    groups: usize,
    tiles: usize,
}

impl core::fmt::Display for Difference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Difference {
            what,
            planes,
            groups,
            tiles,
        } = self;
        write!(
            f,
            "{what} differ: {planes} planes, {groups} groups, {tiles} tiles"
        )
    }
}

fn compare_all(tables: &mut [Table]) -> Result<u32, Difference> {
    let mut rng = Rng::new(1);
    let mut cases = 0;
    for planes in 1..=MAX_PLANES {
        for groups in 1..=BLOCK_GROUPS {
            for weights in CHOICES {
                for columns in CHOICES {
                    let tiles = 1 + cases as usize % MAX_TILES;
                    let mut differ = None;
                    compare(
                        planes,
                        &mut tables[..groups],
                        tiles,
                        (weights, columns),
                        &mut rng,
                        |what| {
                            differ = Some(Difference {
                                what,
                                planes,
                                groups,
                                tiles,
                            });
                        },
                    );
                    if let Some(difference) = differ {
                        return Err(difference);
                    }
                    cases += 1;
                }
            }
        }
    }
    Ok(cases)
}

/// Compares the sums of the groups of a block.
#[inline(never)]
fn compare(
    planes: u8,
    tables: &mut [Table],
    tiles: usize,
    (weights, columns): (Choice, Choice),
    rng: &mut Rng,
    mut differ: impl FnMut(&'static str),
) {
    let mut bytes = [0; MAX_BYTES];
    for byte in &mut bytes {
        *byte = pack([0; GROUP].map(|_: i8| weights.number(rng, 1) as i8));
    }
    let matrix = Matrix {
        weights: &bytes,
        planes,
    };
    for table in &mut *tables {
        let columns = [0; GROUP].map(|_: i8| columns.number(rng, 127) as i8);
        let mut expected = [0; TABLE_WORDS];
        kernels::build(table, &columns);
        portable::build(&mut expected, &columns);
        if sums(table) != sums(&expected) {
            differ("tables");
        }
    }
    let mut ours: [Sums; MAX_TILES] = [[0; TILE_ROWS]; MAX_TILES];
    for sum in ours.as_flattened_mut() {
        *sum = rng.next_u32() as i32;
    }
    let mut expected = ours;
    kernels::sweep(tables, matrix, &mut ours[..tiles]);
    portable::sweep(tables, matrix, &mut expected[..tiles]);
    if ours != expected {
        differ("sums");
    }
}

/// What bytes that stand for trits find in a table.
fn sums(table: &Table) -> impl PartialEq + use<> {
    let mut checksum = 0_u32;
    for byte in 0..=u8::MAX {
        if unpack(byte).is_some() {
            let word = table[usize::from(byte / 2)];
            let sum = word >> (16 * u32::from(byte % 2)) & 0xFFFF;
            checksum = checksum.wrapping_mul(0x0100_0193) ^ sum;
        }
    }
    checksum
}
