//! Kernels for Arm cores: the loops of [`super::portable`] in assembly, a file for each.
//!
//! Why not by the compiler: it wants every table's address in a register of its own, and there are not
//! that many. One that is moved on after each group makes a third of the instructions go away on
//! Armv7-M and half of them on Armv6-M.

#[cfg(not(miri))]
use core::arch::naked_asm;
#[cfg(not(miri))]
use core::mem::offset_of;

#[cfg(miri)]
use super::watched::{sweep_tiles, write_table};
use super::{Sums, Table, portable};
use crate::format::{BLOCK_GROUPS, GROUP};
use crate::image::Matrix;

#[cfg(thumb1)]
macro_rules! sweep_source {
    () => {
        include_str!("sweep_thumb1.s")
    };
}
#[cfg(thumb2)]
macro_rules! sweep_source {
    () => {
        include_str!("sweep_thumb2.s")
    };
}

/// What [`sweep_tiles`] is given.
#[repr(C)]
pub(super) struct Frame {
    pub tables: *const Table,
    pub weights: *const u8,
    pub sums: *mut Sums,
    pub tiles: usize,
    pub planes: usize,
    pub groups: usize,
}

/// See [`portable::sweep`].
pub fn sweep(tables: &[Table], weights: Matrix<'_>, sums: &mut [Sums]) {
    let (groups, planes, tiles) = (tables.len(), usize::from(weights.planes), sums.len());
    let bytes = weights.bytes_of(groups, tiles);
    if bytes == 0 || bytes > weights.weights.len() || groups > BLOCK_GROUPS {
        return;
    }
    let frame = Frame {
        tables: tables.as_ptr(),
        weights: weights.weights.as_ptr(),
        sums: sums.as_mut_ptr(),
        tiles,
        planes,
        groups,
    };
    // SAFETY: there is at least one tile, plane and group. For each plane of each tile, four bytes per
    // group are read, which are within the weights, as checked above; a byte finds one of the 256
    // halfwords of a table; four sums per tile are read and written, and nothing else.
    unsafe { sweep_tiles(&raw const frame) }
}

#[cfg(not(miri))]
#[unsafe(naked)]
unsafe extern "C" fn sweep_tiles(frame: *const Frame) {
    naked_asm!(
        sweep_source!(),
        TABLES = const offset_of!(Frame, tables),
        WEIGHTS = const offset_of!(Frame, weights),
        SUMS = const offset_of!(Frame, sums),
        TILES = const offset_of!(Frame, tiles),
        PLANES = const offset_of!(Frame, planes),
        GROUPS = const offset_of!(Frame, groups),
    )
}

/// See [`portable::build`].
pub fn build(table: &mut Table, columns: &[i8; GROUP]) {
    let (first, [next, next_but_two]) = portable::first_row(columns);
    let third = next_but_two.wrapping_sub(next << 1);
    // SAFETY: reads the 14 words of the first row and writes 126 of the table's 128.
    unsafe { write_table(table.as_mut_ptr(), first.as_ptr(), next, third) }
}

#[cfg(not(miri))]
#[unsafe(naked)]
unsafe extern "C" fn write_table(table: *mut u32, first: *const u32, next: u32, third: u32) {
    naked_asm!(include_str!("build_thumb.s"))
}
