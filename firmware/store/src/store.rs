//! Replaces a model while another one is in use, in steps that each take a moment.
//!
//! The order is what a power cut at any moment asks for: the record goes first, then the model from its
//! end to its start, then the new one is written, read back and checked, and its record comes last. The slot
//! of the model in use is not touched, unless the new one needs all of the region.

use core::fmt;
use core::ops::Range;

use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};
use inkling_engine::ImageError;
use inkling_engine::check::check;

use crate::layout::{Layout, Slot};
use crate::places::places;
use crate::record::{Header, RECORD_BYTES, Record};

const BLANK: u8 = 0xFF;

/// The region for models: flash that can be read in place. Addresses count from the region's start.
pub trait Flash: NorFlash {
    /// What it holds.
    fn bytes(&self) -> &[u8];
}

/// Why a model is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The board has no room for it.
    TooLarge {
        /// Bytes of the model.
        bytes: usize,
        /// Bytes that there are.
        room: usize,
    },
    /// It is no model that this program can use.
    Image(ImageError),
    /// What came is another model than what was announced.
    OtherModel,
    /// The flash fails, or does not hold what is written to it.
    Flash,
    /// Nothing has been announced, or it is not its turn.
    OutOfTurn,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::TooLarge { bytes, room } => write!(
                f,
                "the model takes {bytes} bytes and this board has {room} for it: train a smaller one"
            ),
            StoreError::Image(error) => write!(f, "{error}"),
            StoreError::OtherModel => {
                f.write_str("it is another model than what was announced: send it again")
            }
            StoreError::Flash => f.write_str(
                "the flash does not hold what is written to it: send the model again, and if that \
                 does not help, the flash is worn out",
            ),
            StoreError::OutOfTurn => f.write_str("no model is being taken"),
        }
    }
}

impl core::error::Error for StoreError {}

impl From<ImageError> for StoreError {
    fn from(error: ImageError) -> Self {
        StoreError::Image(error)
    }
}

/// What has to come next for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Its first bytes, with all of the header.
    Header,
    /// Room: [`Keeper::work`] makes it. So many bytes are blank already.
    Room(usize),
    /// Its bytes from here on; behind the last one, [`Keeper::commit`].
    Bytes(usize),
}

/// A [`Store`] over whatever flash.
pub trait Keeper {
    /// Announces a model of this length with this checksum in its header. One that was announced before, and
    /// of which parts have come, goes on where it was.
    ///
    /// # Errors
    /// When there is no room for it.
    fn begin(&mut self, length: usize, checksum: u32) -> Result<(), StoreError>;

    /// Says where the model lies that the program reads: nothing of it is touched, if that can be.
    fn set_in_use(&mut self, in_use: Range<usize>);

    /// What comes next; `None` while no model is being taken.
    fn wanted(&self) -> Option<Wanted>;

    /// Erases a part of what has to be.
    ///
    /// # Errors
    /// When the flash fails; the model is not taken any more then.
    fn work(&mut self) -> Result<(), StoreError>;

    /// Takes the next bytes of the model. The first ones hold its header, and nothing is touched in the flash
    /// before that has been found good.
    ///
    /// # Errors
    /// When they are not wanted, no model of this program's begins so, or the flash fails; in the last two
    /// cases the model is not taken any more.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Checks the model, of which all bytes have come, and records it: it is used after the next start.
    /// `accept` says whether a sound one can be used. Answers with its checksum.
    ///
    /// # Errors
    /// When it is damaged or is not accepted, or the flash fails; it is not taken any more then.
    fn commit(
        &mut self,
        accept: &dyn Fn(&[u8]) -> Result<(), ImageError>,
    ) -> Result<u32, StoreError>;

    /// Forgets the model that is being taken.
    fn give_up(&mut self);

    /// Whether the model that is being taken is going to lie where the one in use is.
    fn overwrites(&self) -> bool;
}

/// Keeps models in a region of flash.
#[derive(Debug)]
pub struct Store<F> {
    pub(crate) flash: F,
    /// Where the model lies that the program reads, and that must not change under it.
    in_use: Range<usize>,
    upload: Option<Upload>,
    #[cfg(test)]
    pub(crate) spoils_the_good_slot: bool,
}

/// A model that is being taken.
#[derive(Clone, Copy, Debug)]
struct Upload {
    slot: Slot,
    length: usize,
    checksum: u32,
    state: State,
    /// Bytes that are there.
    taken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its header has not come.
    Announced,
    /// The record goes first.
    RemovingRecord,
    /// What lies behind this byte of the slot is blank.
    Erasing(usize),
    /// It is being written.
    Writing,
}

impl<F: Flash> Store<F> {
    /// A store over a region of which the program reads nothing yet.
    pub fn new(flash: F) -> Self {
        Store {
            flash,
            in_use: 0..0,
            upload: None,
            #[cfg(test)]
            spoils_the_good_slot: false,
        }
    }

    /// The flash.
    pub fn flash(&self) -> &F {
        &self.flash
    }

    fn layout(&self) -> Layout {
        Layout::new(self.flash.bytes().len())
    }

    /// The slot for a model of this length: not that of the model in use, and not that of the newest sound
    /// one, which is the next to be used.
    fn slot_for(&self, length: usize) -> Result<Slot, StoreError> {
        let layout = self.layout();
        if length > layout.room(Slot::First) {
            let room = layout.room(Slot::Whole);
            return match length <= room {
                true => Ok(Slot::Whole),
                false => Err(StoreError::TooLarge {
                    bytes: length,
                    room,
                }),
            };
        }
        let region = self.flash.bytes();
        let is_sound = |range: &Range<usize>| {
            region
                .get(range.clone())
                .is_some_and(|image| check(image).is_ok())
        };
        let in_use = Some(self.in_use.clone()).filter(|range| !range.is_empty());
        let newest = || {
            let ranges = places(region)
                .into_iter()
                .flatten()
                .map(|place| place.range);
            ranges.into_iter().find(is_sound)
        };
        let kept = in_use.or_else(newest).unwrap_or_default();
        let second = layout.start(Slot::Second);
        let slot = match kept.start < second && !kept.is_empty() && kept.end <= second {
            true => Slot::Second,
            false => Slot::First,
        };
        #[cfg(test)]
        if self.spoils_the_good_slot {
            return Ok(match slot {
                Slot::First => Slot::Second,
                _ => Slot::First,
            });
        }
        Ok(slot)
    }

    /// Erases the unit of the flash that this byte lies in; answers with where that begins.
    fn erase_around(&mut self, at: usize) -> Result<usize, StoreError> {
        let start = at - at % F::ERASE_SIZE;
        let end = start + F::ERASE_SIZE;
        self.flash
            .erase(start as u32, end as u32)
            .map_err(|_| StoreError::Flash)?;
        let erased = self.flash.bytes().get(start..end);
        match erased.is_some_and(is_blank) {
            true => Ok(start),
            false => Err(StoreError::Flash),
        }
    }

    fn program(&mut self, at: usize, bytes: &[u8]) -> Result<(), StoreError> {
        match self.flash.write(at as u32, bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == NorFlashErrorKind::NotAligned => {
                return Err(StoreError::OutOfTurn);
            }
            Err(_) => return Err(StoreError::Flash),
        }
        match self.flash.bytes().get(at..at + bytes.len()) == Some(bytes) {
            true => Ok(()),
            false => Err(StoreError::Flash),
        }
    }

    /// How much of this very model is in the slot from an upload that was cut off: whole units, the last of
    /// which is done again since it may be written in part.
    fn found(&self, upload: &Upload, front: &[u8]) -> usize {
        let layout = self.layout();
        let range = layout.place(upload.slot, upload.length);
        let slot = self.flash.bytes().get(range).unwrap_or_default();
        if slot.get(..front.len()) != Some(front) {
            return 0;
        }
        let units = slot.chunks(F::ERASE_SIZE);
        let written = units.take_while(|unit| !is_blank(unit)).count();
        written.saturating_sub(1) * F::ERASE_SIZE
    }

    /// The header has come: nothing has been touched yet.
    fn start(&mut self, upload: &mut Upload, front: &[u8]) -> Result<(), StoreError> {
        // What comes behind is not there yet, and is all that may be wrong.
        match check(front) {
            Ok(_) => {}
            Err(ImageError::Truncated { expected, .. }) if expected == upload.length => {}
            Err(ImageError::Truncated { .. }) => return Err(StoreError::OtherModel),
            Err(error) => return Err(error.into()),
        }
        let announced = Header {
            length: upload.length,
            checksum: upload.checksum,
        };
        if Header::read(front, 0) != Some(announced) {
            return Err(StoreError::OtherModel);
        }
        upload.taken = self.found(upload, front);
        upload.state = State::RemovingRecord;
        Ok(())
    }

    /// Removes what was written, so that it is not taken for the beginning of the same model again.
    fn discard(&mut self, upload: &Upload) -> StoreError {
        // Whatever the flash says, the model is not used.
        let _ = self.erase_around(self.layout().start(upload.slot));
        StoreError::Image(ImageError::Corrupted)
    }

    /// Everything that can end the upload happens in here.
    fn advance(
        &mut self,
        step: impl FnOnce(&mut Self, &mut Upload) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(mut upload) = self.upload.take() else {
            return Err(StoreError::OutOfTurn);
        };
        let done = step(self, &mut upload);
        if matches!(done, Ok(()) | Err(StoreError::OutOfTurn)) {
            self.upload = Some(upload);
        }
        done
    }
}

impl<F: Flash> Keeper for Store<F> {
    fn begin(&mut self, length: usize, checksum: u32) -> Result<(), StoreError> {
        let is_same = |upload: &Upload| upload.length == length && upload.checksum == checksum;
        if self.upload.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        self.upload = None;
        self.upload = Some(Upload {
            slot: self.slot_for(length)?,
            length,
            checksum,
            state: State::Announced,
            taken: 0,
        });
        Ok(())
    }

    fn set_in_use(&mut self, in_use: Range<usize>) {
        self.in_use = in_use;
    }

    fn wanted(&self) -> Option<Wanted> {
        let upload = self.upload.as_ref()?;
        let end = self.layout().start(upload.slot) + upload.length;
        Some(match upload.state {
            State::Announced => Wanted::Header,
            State::RemovingRecord => Wanted::Room(0),
            State::Erasing(blank) => Wanted::Room(end.saturating_sub(blank)),
            State::Writing => Wanted::Bytes(upload.taken),
        })
    }

    fn work(&mut self) -> Result<(), StoreError> {
        self.advance(|store, upload| {
            let layout = store.layout();
            let start = layout.start(upload.slot);
            match upload.state {
                State::RemovingRecord => {
                    let blank = store.erase_around(layout.record(upload.slot))?;
                    // Where units are large, a part of the model's place or all of it went with the record.
                    upload.state = State::Erasing(blank.min(start + upload.length));
                }
                State::Erasing(end) if end > start + upload.taken => {
                    let erased = store.erase_around(end - 1)?;
                    upload.state = State::Erasing(erased);
                }
                State::Erasing(_) => upload.state = State::Writing,
                State::Announced | State::Writing => {}
            }
            Ok(())
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.advance(|store, upload| {
            let place = store.layout().place(upload.slot, upload.length);
            match upload.state {
                State::Announced => store.start(upload, bytes),
                State::Writing if bytes.len() <= upload.length - upload.taken => {
                    store.program(place.start + upload.taken, bytes)?;
                    upload.taken += bytes.len();
                    Ok(())
                }
                _ => Err(StoreError::OutOfTurn),
            }
        })
    }

    fn commit(
        &mut self,
        accept: &dyn Fn(&[u8]) -> Result<(), ImageError>,
    ) -> Result<u32, StoreError> {
        self.advance(|store, upload| {
            if upload.state != State::Writing || upload.taken != upload.length {
                return Err(StoreError::OutOfTurn);
            }
            let layout = store.layout();
            let place = layout.place(upload.slot, upload.length);
            let region = store.flash.bytes();
            let image = region.get(place).unwrap_or_default();
            if check(image).is_err() {
                return Err(store.discard(upload));
            }
            accept(image)?;
            let slots = [Slot::First, Slot::Second, Slot::Whole];
            let records = slots.map(|slot| Record::read(region, layout.record(slot)));
            let newest = records.iter().flatten().map(|record| record.sequence).max();
            let record = Record {
                sequence: newest.unwrap_or(0).saturating_add(1),
                start: layout.start(upload.slot) as u32,
                length: upload.length as u32,
                checksum: upload.checksum,
            };
            store.program(layout.record(upload.slot), &record.to_bytes())
        })?;
        let upload = self.upload.take().ok_or(StoreError::OutOfTurn)?;
        Ok(upload.checksum)
    }

    fn give_up(&mut self) {
        self.upload = None;
    }

    fn overwrites(&self) -> bool {
        self.upload.as_ref().is_some_and(|upload| {
            let place = self.layout().place(upload.slot, upload.length);
            place.start < self.in_use.end && self.in_use.start < place.end
        })
    }
}

const _: () = assert!(RECORD_BYTES.is_multiple_of(16));

/// Whether nothing is written there.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == BLANK)
}
