//! Any sound image: of a seed, or the one closest to some bytes.

use alloc::vec::Vec;

use crate::aligned::AlignedImage;
use crate::fixed::{MAX_GATE_SHIFT, MIN_GATE_SHIFT};
use crate::format::{
    ALIGNMENT, BLOCK_GROUPS, CHECKSUM_OFFSET, DIGIT_BITS, Dimensions, EMBEDDING_OFFSET,
    FIRST_DIGIT, FIRST_DIGITS, GATE_SHIFT_OFFSET, GROUP, GUARDED_VERSION, HEADER_BYTES, HIGH_SUMS,
    LENGTH_OFFSET, LOW_SUMS, MAGIC, MAX_EMBEDDING, MAX_LAYERS, MAX_PLANES, MAX_SYMBOLS, MAX_UNITS,
    NAME_BYTES, NAME_OFFSET, NEXT_DIGIT, OLDEST_VERSION, Planes, STREAK_SHIFT, STREAKS_OFFSET,
    Section, VERSION, VERSION_OFFSET, unpack,
};
use crate::image::{checksum, crc32};
use crate::sampler::Rng;
use crate::spelling::digit;

/// A code point that any alphabet may hold, for one that it may not.
const LETTERS: u32 = 0xD800;

/// The sound image that is closest to some bytes: itself, if they are one. What is missing is made up.
#[must_use]
pub fn mended(bytes: &[u8]) -> AlignedImage {
    let mut image: Vec<u8> = bytes.iter().copied().take(HEADER_BYTES).collect();
    image.resize(HEADER_BYTES, 0);
    let (dimensions, version) = mend_header(&mut image);
    let length = dimensions.image_bytes();
    image.extend(bytes.iter().skip(HEADER_BYTES).take(length - HEADER_BYTES));
    let mut random = Rng::new(crc32(bytes).into());
    image.resize_with(length, || random.next_u32() as u8);
    let mut rest = &mut image[HEADER_BYTES..];
    for (section, length) in dimensions.sections() {
        let (content, behind) = rest.split_at_mut(length.next_multiple_of(ALIGNMENT));
        mend_section(section, &mut content[..length], version);
        rest = behind;
    }
    image[LENGTH_OFFSET..][..4].copy_from_slice(&(length as u32).to_le_bytes());
    let checksum = checksum(&image).to_le_bytes();
    image[CHECKSUM_OFFSET..][..4].copy_from_slice(&checksum);
    AlignedImage::new(&image)
}

/// The number, if it may stand there, and else another one.
fn within(number: usize, least: usize, most: usize) -> usize {
    match (least..=most).contains(&number) {
        true => number,
        false => least + number % (most - least + 1),
    }
}

fn mend_header(header: &mut [u8]) -> (Dimensions, u16) {
    fn byte(header: &mut [u8], at: usize, least: usize, most: usize) -> u8 {
        header[at] = within(header[at].into(), least, most) as u8;
        header[at]
    }
    fn half(header: &mut [u8], at: usize, least: usize, most: usize) -> usize {
        let found = u16::from_le_bytes([header[at], header[at + 1]]);
        let number = within(found.into(), least, most);
        header[at..at + 2].copy_from_slice(&(number as u16).to_le_bytes());
        number
    }
    header[..MAGIC.len()].copy_from_slice(&MAGIC);
    let versions = (OLDEST_VERSION.into(), VERSION.into());
    let version = half(header, VERSION_OFFSET, versions.0, versions.1) as u16;
    let layers = byte(header, 20, 1, MAX_LAYERS).into();
    let hidden = half(header, 16, 1, MAX_UNITS / layers);
    let symbols = half(header, 18, 1, MAX_SYMBOLS);
    let embedding = half(header, EMBEDDING_OFFSET, 0, MAX_EMBEDDING);
    let most = MAX_PLANES.into();
    // Where inputs are folded, any number stands there for nothing.
    let planes = Planes {
        recurrent: byte(header, 21, 1, most),
        input: byte(header, 22, usize::from(embedding > 0), most),
        output: byte(header, 23, 1, most),
    };
    let shifts = (MIN_GATE_SHIFT as usize, MAX_GATE_SHIFT as usize);
    byte(header, GATE_SHIFT_OFFSET, shifts.0, shifts.1);
    if version == GUARDED_VERSION {
        byte(header, STREAKS_OFFSET, 1, u8::MAX.into());
    }
    let name = &mut header[NAME_OFFSET..NAME_OFFSET + NAME_BYTES];
    if core::str::from_utf8(name).is_err() {
        name.iter_mut().for_each(|byte| *byte &= 0x7F);
    }
    let dimensions = Dimensions {
        hidden,
        symbols,
        layers,
        embedding,
        planes,
    };
    (dimensions, version)
}

fn mend_section(section: Section, content: &mut [u8], version: u16) {
    match section {
        Section::Alphabet => {
            for word in content.as_chunks_mut().0 {
                *word = mended_symbol(u32::from_le_bytes(*word), version).to_le_bytes();
            }
        }
        Section::InputMatrix | Section::RecurrentMatrix | Section::OutputMatrix => {
            let bytes = content.iter_mut().filter(|byte| unpack(**byte).is_none());
            for byte in bytes {
                let (low, high) = (*byte % 27, *byte / 27 % HIGH_SUMS as u8);
                *byte = low + LOW_SUMS as u8 * high;
            }
        }
        _ => {}
    }
}

fn mended_symbol(word: u32, version: u16) -> u32 {
    let streak = match version {
        OLDEST_VERSION => 0,
        _ => word >> STREAK_SHIFT << STREAK_SHIFT,
    };
    let code = word ^ streak;
    let is_sound = char::from_u32(code).is_some() && (version == VERSION || digit(code).is_none());
    match is_sound {
        true => word,
        false => (code % LETTERS) | streak,
    }
}

/// An image of no more than so many bytes whose every field has any value that it may have.
#[must_use]
pub fn image(seed: u64, most_bytes: usize) -> AlignedImage {
    let mut random = Rng::new(seed);
    let mut below = |count: usize| random.next_u32() as usize % count;
    let layers = 1 + below(MAX_LAYERS);
    // The edges of groups, of blocks and of whatever kernels have besides, more often than others.
    let edges = [1, GROUP, GROUP * BLOCK_GROUPS, 128, 256, MAX_UNITS / layers];
    let mut hidden = match below(3) {
        0 => 1 + below(20),
        1 => (edges[below(edges.len())] + below(3)).saturating_sub(1),
        _ => 1 + below(200),
    };
    let mut dimensions = Dimensions {
        hidden: 1,
        symbols: [1, 2, 3, 1 + below(MAX_SYMBOLS), MAX_SYMBOLS][below(5)],
        layers,
        embedding: [0, 0, 1, 1 + below(MAX_EMBEDDING), MAX_EMBEDDING][below(5)],
        planes: Planes {
            recurrent: 1 + below(MAX_PLANES.into()) as u8,
            input: 1 + below(MAX_PLANES.into()) as u8,
            output: 1 + below(MAX_PLANES.into()) as u8,
        },
    };
    loop {
        dimensions.hidden = hidden.clamp(1, MAX_UNITS / layers);
        if dimensions.image_bytes() <= most_bytes || dimensions.hidden == 1 {
            break;
        }
        hidden = dimensions.hidden * 2 / 3;
        dimensions.symbols = dimensions.symbols.min(1 + below(MAX_SYMBOLS));
    }
    let version = usize::from(OLDEST_VERSION) + below(3);
    let mut bytes: Vec<u8> = Vec::with_capacity(dimensions.image_bytes());
    bytes.extend(MAGIC);
    bytes.extend((version as u16).to_le_bytes());
    bytes.extend([0; 10]);
    bytes.extend((dimensions.hidden as u16).to_le_bytes());
    bytes.extend((dimensions.symbols as u16).to_le_bytes());
    let planes = dimensions.planes;
    bytes.push(layers as u8);
    bytes.extend([planes.recurrent, planes.input, planes.output]);
    bytes.resize(NAME_OFFSET, 0);
    bytes.extend(b"anything");
    bytes.resize(EMBEDDING_OFFSET, 0);
    bytes.extend((dimensions.embedding as u16).to_le_bytes());
    let shifts = (MAX_GATE_SHIFT - MIN_GATE_SHIFT) as usize;
    bytes.push(
        [
            MAX_GATE_SHIFT as u8,
            (MIN_GATE_SHIFT as usize + below(shifts + 1)) as u8,
        ][below(2)],
    );
    bytes.resize(STREAKS_OFFSET, 0);
    bytes.resize_with(HEADER_BYTES, || [0, below(256) as u8][below(2)]);
    for (section, length) in dimensions.sections() {
        let content = content(section, length, &mut below);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    }
    mended(&bytes)
}

/// Numbers of a section, of a size and a kind that all of them share.
fn content(section: Section, length: usize, below: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    const ENDS: [u8; 4] = [0, 0x7F, 0x80, 0xFF];
    let (only_ends, shift) = (below(4) == 0, below(16));
    let mut bytes = Vec::with_capacity(length + size_of::<u32>());
    while bytes.len() < length {
        let any = core::array::from_fn(|_| match only_ends {
            true => ENDS[below(ENDS.len())],
            false => below(256) as u8,
        });
        match section {
            Section::Alphabet => bytes.extend(symbol(below).to_le_bytes()),
            // Random numbers of full size leave no gate half open.
            Section::Units => {
                let halves: [i16; 2] = bytemuck::cast(any);
                bytes.extend(
                    halves
                        .map(|half| half >> shift)
                        .map(i16::to_le_bytes)
                        .as_flattened(),
                );
            }
            Section::OutputRows => {
                bytes.extend((i32::from_le_bytes(any) >> (2 * shift)).to_le_bytes());
            }
            Section::Inputs | Section::Embedding => {
                bytes.extend(any.map(|byte| (byte as i8 >> (shift % 8)) as u8));
            }
            _ => bytes.extend(any),
        }
    }
    bytes.truncate(length);
    bytes
}

/// A word of an alphabet: a letter, a digit, or anything else, with any longest streak.
fn symbol(below: &mut impl FnMut(usize) -> usize) -> u32 {
    let code = match below(4) {
        0 => 0x20 + below(0x60) as u32,
        1 => FIRST_DIGIT + below(FIRST_DIGITS as usize) as u32,
        2 => NEXT_DIGIT + below(1 << DIGIT_BITS) as u32,
        _ => below(0x11_0000) as u32,
    };
    code | (below(256) as u32) << STREAK_SHIFT
}
