//! The model images in flash, and the mark with the board's name, for the PC to look up in the linked
//! firmware, or in whatever file has been made of it.
//!
//! `build.rs` puts the file that `INKLING_MODEL` names where this module includes it from;
//! `link/inkling.x` gives both their sections. A second image may lie in the region `MODEL` of the
//! board's memory map, where it is flashed by itself.

use super::identity::{MARK, MARK_END};
use super::{Board, Selected, facts};
use crate::choice::Choice;

/// The file, at the alignment that the engine's widest load needs.
#[repr(C, align(16))]
struct Aligned<const BYTES: usize>([u8; BYTES]);

const FILE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/model.img"));

// SAFETY: the section holds nothing else, and no other symbol has this name.
#[cfg_attr(not(feature = "esp32c3"), unsafe(link_section = ".model"))]
// There, other sections than these would be where the processor reads instructions.
#[cfg_attr(feature = "esp32c3", unsafe(link_section = ".rodata.model"))]
#[unsafe(no_mangle)]
#[used]
static INKLING_MODEL: Aligned<{ FILE.len() }> =
    Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/model.img")));

const NAME: &[u8] = <Selected as Board>::NAME.as_bytes();

// SAFETY: the section holds nothing else, and no other symbol has this name.
#[cfg_attr(not(feature = "esp32c3"), unsafe(link_section = ".board"))]
#[cfg_attr(feature = "esp32c3", unsafe(link_section = ".rodata.board"))]
#[unsafe(no_mangle)]
#[used]
static INKLING_BOARD: [u8; MARK.len() + NAME.len() + 1] = {
    let mut mark = [MARK_END; _];
    let (front, rest) = mark.split_at_mut(MARK.len());
    front.copy_from_slice(MARK.as_bytes());
    rest.split_at_mut(NAME.len()).0.copy_from_slice(NAME);
    mark
};

/// The linked image, not checked yet.
///
/// What it holds is hidden from the optimizer: the section may be replaced in the linked file.
#[must_use]
pub fn linked_image() -> &'static [u8] {
    core::hint::black_box(&INKLING_MODEL.0)
}

/// The flash that is set aside for models, not checked yet; empty where there is none.
///
/// Where the program itself writes there, it does so only to parts that nobody holds a slice of any more.
pub(super) fn model_region() -> &'static [u8] {
    unsafe extern "C" {
        static _model_region_start: u8;
        static _model_region_end: u8;
    }
    let start = &raw const _model_region_start;
    let end = &raw const _model_region_end;
    // SAFETY: the linker script says that this is flash, which nothing writes while the slice is read: the
    // store leaves the model in use alone, and looks at the rest between its writes. Where there is none,
    // both addresses are the same one of a byte that exists.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// The model that the board uses: see [`Choice`]. It is read from RAM where the board wants it so.
#[must_use]
pub fn models() -> Choice<'static> {
    // Without a region there is nothing to choose from, and no code for it.
    let choice = match facts::HAS_MODEL_REGION {
        true => Choice::new(model_region(), linked_image()),
        false => Choice::only(linked_image()),
    };
    match choice
        .model
        .is_ok()
        .then(|| Selected::copy_to_ram(choice.image))
    {
        Some(Some(copy)) => choice.copied(copy),
        _ => choice,
    }
}
