//! What the assembly of [`super::arm`] does, in Rust for Miri to watch: the same bytes are read and written
//! through the same pointers, so that what the wrappers check is enough.

use super::arm::Frame;
use super::portable::LOW_WORDS;
use crate::format::{HIGH_SUMS, TILE_ROWS};

/// See `sweep_thumb1.s` and `sweep_thumb2.s`.
///
/// # Safety
/// As for these: all that the frame points to is there.
pub unsafe extern "C" fn sweep_tiles(frame: *const Frame) {
    // SAFETY: the caller's frame is there for the call.
    let frame = unsafe { &*frame };
    let mut weights = frame.weights;
    for tile in 0..frame.tiles {
        let mut plane_sums = [0_u32; TILE_ROWS];
        for _ in 0..frame.planes {
            plane_sums = plane_sums.map(|sum| sum.wrapping_mul(3));
            for group in 0..frame.groups {
                for sum in &mut plane_sums {
                    // SAFETY: four bytes per group of each plane of each tile are weights, and a table has a
                    // halfword for each byte that there is.
                    let found = unsafe {
                        let table = frame.tables.add(group).cast::<u16>();
                        let byte = weights.read();
                        weights = weights.add(1);
                        table.add(byte.into()).read()
                    };
                    *sum = sum.wrapping_add(found.into());
                }
            }
        }
        for (row, plane_sum) in plane_sums.into_iter().enumerate() {
            // SAFETY: each tile has four sums.
            unsafe {
                let sum = frame.sums.add(tile).cast::<u32>().add(row);
                sum.write(sum.read().wrapping_add(plane_sum));
            }
        }
    }
}

/// See `build_thumb.s`.
///
/// # Safety
/// As for this: a table is there to be written, and its first row to be read.
pub unsafe extern "C" fn write_table(table: *mut u32, first: *const u32, next: u32, third: u32) {
    for word in 0..LOW_WORDS {
        // SAFETY: the first row has so many words.
        let mut value = unsafe { first.add(word).read() };
        for row in 0..HIGH_SUMS {
            let step = match row {
                0 => 0,
                row if row.is_multiple_of(3) => third,
                _ => next,
            };
            value = value.wrapping_add(step);
            // SAFETY: a table has so many rows of so many words.
            unsafe { table.add(row * LOW_WORDS + word).write(value) };
        }
    }
}
