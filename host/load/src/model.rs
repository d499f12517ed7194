//! A model at its place in a board's flash, beside the program.
//!
//! A program that writes models itself keeps records of them there. What is flashed from outside wins: its
//! record is the newest, and nothing remains of those before it.

use inkling_store::record::RECORD_BYTES;
use inkling_store::{Layout, Record, Slot};

use crate::load::{Load, LoadError};
use crate::uf2::PAGE_BYTES;

/// A page without anything: erased flash.
const ERASED: [u8; PAGE_BYTES] = [0xFF; PAGE_BYTES];

/// The slots whose records there may be: that of the whole region lies where the second one's does.
const SLOTS: [Slot; 2] = [Slot::First, Slot::Second];

/// Where a board's models go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelPlace {
    /// The first address.
    pub address: u32,
    /// How many bytes there are.
    pub bytes: u32,
    /// Whether the board's program writes models there itself.
    pub takes_models: bool,
}

impl ModelPlace {
    /// Puts a model there, or the lack of one, in place of the one of a prebuilt firmware. Says whether the
    /// place is free for it: it is not if something else reaches into it.
    ///
    /// # Errors
    /// When the model reaches behind the place, into something else.
    pub fn fill(&self, load: &mut Load, image: Option<&[u8]>) -> Result<bool, LoadError> {
        let layout = Layout::new(self.bytes as usize);
        let address = |offset: usize| self.address + offset as u32;
        load.remove(self.address);
        if self.takes_models {
            for slot in SLOTS {
                load.remove(address(layout.record(slot)));
                load.remove(address(layout.start(slot)));
            }
        }
        if load.touches(self.address..self.address.saturating_add(self.bytes)) {
            return Ok(false);
        }
        load.insert(self.address, image.unwrap_or(&ERASED))?;
        if self.takes_models {
            let newest = image.and_then(|image| Record::from_outside(image, layout));
            for at in SLOTS.map(|slot| layout.record(slot)) {
                let mut page = ERASED;
                if let Some((_, record)) = newest.filter(|(place, _)| *place == at) {
                    page[..RECORD_BYTES].copy_from_slice(&record.to_bytes());
                }
                // Of a model that reaches so far there is no other one to be told apart.
                if !load.touches(address(at)..address(at) + PAGE_BYTES as u32) {
                    load.insert(address(at), &page)?;
                }
            }
            if image.is_none() {
                // Without a record it would still be better than none.
                load.insert(address(layout.start(Slot::Second)), &ERASED)?;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: ModelPlace = ModelPlace {
        address: 0x1010_0000,
        bytes: 0x8_0000,
        takes_models: true,
    };

    #[test]
    fn a_model_that_is_flashed_is_the_newest_and_what_was_there_leaves_no_record() {
        let image = inkling_engine::writer::made_up(9, 10, 1, 1);
        let layout = Layout::new(PLACE.bytes as usize);
        let mut load = Load::default();
        assert_eq!(PLACE.fill(&mut load, None), Ok(true));
        let erased = load.clone();
        assert_eq!(PLACE.fill(&mut load, Some(image.bytes())), Ok(true));
        let at = |address: u32| load.parts().find(|&(start, _)| start == address);
        let (_, record) = Record::from_outside(image.bytes(), layout).unwrap();
        let (_, first) = at(PLACE.address + layout.record(Slot::First) as u32).unwrap();
        assert_eq!(first[..RECORD_BYTES], record.to_bytes());
        let (_, second) = at(PLACE.address + layout.record(Slot::Second) as u32).unwrap();
        assert_eq!(second, ERASED);
        assert_eq!(at(PLACE.address).unwrap().1, image.bytes());
        // And back again.
        assert_eq!(PLACE.fill(&mut load, None), Ok(true));
        assert_eq!(load, erased);
    }

    #[test]
    fn a_program_that_reaches_into_the_place_keeps_it() {
        let mut load = Load::default();
        load.insert(PLACE.address - 8, &[1; 16]).unwrap();
        let before = load.clone();
        assert_eq!(PLACE.fill(&mut load, None), Ok(false));
        assert_eq!(load, before);
    }
}
