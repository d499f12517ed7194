//! What lies where in the region for models: two slots, or one that takes all of it.

use core::ops::Range;

/// Bytes at the end of a slot that are kept for its record: a page that is erased by itself, on chips that
/// can erase so little.
pub const RECORD_PAGE: usize = 4096;

/// A place for a model and its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The first half of the region.
    First,
    /// The second half.
    Second,
    /// All of it, for a model that no half holds.
    Whole,
}

/// The slots of a region. Everything counts in bytes from the region's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    bytes: usize,
}

impl Layout {
    /// That of a region of so many bytes.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { bytes }
    }

    const fn half(self) -> usize {
        // Slots begin where pages do, whatever the region's length is.
        self.bytes / 2 / RECORD_PAGE * RECORD_PAGE
    }

    /// Where the model in a slot starts.
    #[must_use]
    pub const fn start(self, slot: Slot) -> usize {
        match slot {
            Slot::First | Slot::Whole => 0,
            Slot::Second => self.half(),
        }
    }

    /// Where the record of a slot lies.
    #[must_use]
    pub const fn record(self, slot: Slot) -> usize {
        let end = match slot {
            Slot::First => self.half(),
            Slot::Second => 2 * self.half(),
            Slot::Whole => self.bytes,
        };
        end.saturating_sub(RECORD_PAGE)
    }

    /// The longest model that a slot holds.
    #[must_use]
    pub const fn room(self, slot: Slot) -> usize {
        self.record(slot).saturating_sub(self.start(slot))
    }

    /// The slot that a model takes which starts where the region does.
    #[must_use]
    pub const fn slot_at_start(self, length: usize) -> Slot {
        match length <= self.room(Slot::First) {
            true => Slot::First,
            false => Slot::Whole,
        }
    }

    /// Where a model of this length lies in a slot.
    #[must_use]
    pub const fn place(self, slot: Slot, length: usize) -> Range<usize> {
        let start = self.start(slot);
        start..start + length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_lie_in_the_region_and_beside_each_other() {
        for bytes in [0, 4096, 65_536, 262_144, 1 << 20, (1 << 20) + 4096, 70_001] {
            let layout = Layout::new(bytes);
            let [first, second, whole] = [Slot::First, Slot::Second, Slot::Whole]
                .map(|slot| (layout.start(slot), layout.room(slot), layout.record(slot)));
            assert!(first.0 + first.1 <= first.2 && first.2 <= second.0.max(first.2));
            assert!(second.0 + second.1 <= second.2.max(second.0) && second.2 <= bytes);
            assert!(whole.1 >= first.1 && whole.1 >= second.1 && whole.2 <= bytes);
        }
        let pico = Layout::new(1 << 20);
        assert_eq!(pico.room(Slot::First), (512 - 4) * 1024);
        assert_eq!(pico.record(Slot::Second), pico.record(Slot::Whole));
    }
}
