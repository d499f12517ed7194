//! Which model is used after a start: the newest that is recorded, else an older one, else whatever
//! lies there without a record.
//!
//! A model is looked for by its header and its record alone. Whoever uses one checks it completely first,
//! and takes the next where it is damaged.

use core::ops::Range;

use crate::layout::{Layout, Slot};
use crate::record::{Header, Record};

/// Where a model may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The slot.
    pub slot: Slot,
    /// Where the model lies in the region: as far as its header says, or to the region's end where there is
    /// something else than a model.
    pub range: Range<usize>,
    /// The number of its record; none where it has none.
    pub sequence: Option<u32>,
}

/// Where models may be in a region, the one that is to be used first.
#[must_use]
pub fn places(region: &[u8]) -> [Option<Place>; 2] {
    let layout = Layout::new(region.len());
    let mut places = [at_start(region, layout), at(region, layout, Slot::Second)];
    // Of those without a record, the one at the start is first: programs on PCs write there.
    let [first, second] = &places;
    if rank(second) > rank(first) {
        places.reverse();
    }
    places
}

fn rank(place: &Option<Place>) -> Option<Option<u32>> {
    place.as_ref().map(|place| place.sequence)
}

/// The model at the start of the region, in the first slot or in all of the region. What is there and no
/// model is told too, unless the flash is blank.
fn at_start(region: &[u8], layout: Layout) -> Option<Place> {
    let Some(header) = Header::read(region, 0) else {
        let front = region.get(..inkling_engine::format::HEADER_BYTES)?;
        let is_blank = |blank| front.iter().all(|&byte| byte == blank);
        return (!is_blank(0xFF) && !is_blank(0)).then_some(Place {
            slot: Slot::Whole,
            range: 0..region.len(),
            sequence: None,
        });
    };
    at(region, layout, layout.slot_at_start(header.length))
}

fn at(region: &[u8], layout: Layout, slot: Slot) -> Option<Place> {
    let start = layout.start(slot);
    let header = Header::read(region, start)?;
    let record = Record::read(region, layout.record(slot)).filter(|record| {
        record.start as usize == start
            && record.length as usize == header.length
            && record.checksum == header.checksum
    });
    let end = start.saturating_add(header.length).min(region.len());
    Some(Place {
        slot,
        range: start..end,
        sequence: record.map(|record| record.sequence),
    })
}
