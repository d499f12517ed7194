//! The store of models in a board's flash: whatever is sent to it, wherever power fails and whatever bits the
//! flash loses, the model in use is not touched, and what was recorded is used after the next start.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::LazyLock;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use firmware::choice::Choice;
use inkling_engine::check::check;
use inkling_engine::image::checksum;
use inkling_engine::sampler::Rng;
use inkling_engine::writer::made_up;
use inkling_engine::{AlignedImage, ImageError};
use inkling_store::layout::RECORD_PAGE;
use inkling_store::{Flash, Keeper, Layout, Place, Slot, Store, StoreError, Wanted, places};

const UNIT: usize = 1024;
const WRITTEN_AT_ONCE: usize = 4;
const REGION: usize = 4 * RECORD_PAGE;

/// Bytes of a model in a parcel, the header in the first.
const PARCEL: usize = 128;

/// What is sent: models that a half of the region holds, and one that needs all of it.
static MODELS: LazyLock<Vec<AlignedImage>> = LazyLock::new(|| {
    let small = (1..=4).map(|seed| made_up(6 + seed as usize, 24, 1, seed));
    let models: Vec<_> = small.chain([made_up(40, 60, 1, 5)]).collect();
    let layout = Layout::new(REGION);
    let (half, whole) = (layout.room(Slot::First), layout.room(Slot::Whole));
    for model in &models[..4] {
        assert!(model.bytes().len() <= half);
    }
    assert!((half + 1..=whole).contains(&models[4].bytes().len()));
    models
});

/// What goes wrong with an operation on the flash.
#[derive(Clone, Copy)]
enum Fault {
    /// Power fails in the middle of it.
    Cut,
    /// One of its bits is wrong afterwards.
    WrongBit,
    /// The flash says that it failed, and it did.
    Refusal,
}

/// Flash in which erasing sets all bits of a unit, and writing clears some.
struct Chip {
    bytes: Vec<u8>,
    is_dead: bool,
    random: Rng,
    orders: Rc<Orders>,
}

/// What the flash is told from outside while a store has it.
#[derive(Default)]
struct Orders {
    /// What goes wrong, and how many operations are sound before.
    fault: Cell<Option<(u8, Fault)>>,
    /// What must not be touched.
    kept: RefCell<Range<usize>>,
    /// Whether anything was done to it.
    was_touched: Cell<bool>,
}

impl Chip {
    fn operate(
        &mut self,
        touched: Range<usize>,
        change: impl Fn(&mut [u8]),
    ) -> Result<(), NorFlashErrorKind> {
        if self.is_dead {
            return Err(NorFlashErrorKind::Other);
        }
        let kept = self.orders.kept.borrow().clone();
        let is_apart = touched.end <= kept.start || kept.end <= touched.start || kept.is_empty();
        assert!(
            is_apart,
            "{touched:?} holds a part of the model in {kept:?}"
        );
        self.orders.was_touched.set(true);
        let before = self.bytes[touched.clone()].to_vec();
        change(&mut self.bytes[touched.clone()]);
        match self.orders.fault.take() {
            Some((sound @ 1.., fault)) => {
                self.orders.fault.set(Some((sound - 1, fault)));
                Ok(())
            }
            Some((0, Fault::Cut)) => {
                // Some of the bits have changed, more or less of them.
                self.is_dead = true;
                let share = self.random.next_u32();
                for (place, before) in self.bytes[touched].iter_mut().zip(before) {
                    let some = self.random.next_u32();
                    let changed = match share % 4 {
                        0 => some,
                        1 => some & some >> 8,
                        2 => some | some >> 8,
                        _ => some & some >> 8 & some >> 16,
                    } as u8;
                    *place = before & !changed | *place & changed;
                }
                Err(NorFlashErrorKind::Other)
            }
            Some((0, Fault::WrongBit)) => {
                let place = touched.start + self.random.next_u32() as usize % touched.len().max(1);
                self.bytes[place] ^= 1 << (self.random.next_u32() % 8);
                Ok(())
            }
            Some((0, Fault::Refusal)) => {
                self.bytes[touched].copy_from_slice(&before);
                Err(NorFlashErrorKind::Other)
            }
            None => Ok(()),
        }
    }
}

impl ErrorType for Chip {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = WRITTEN_AT_ONCE;
    const ERASE_SIZE: usize = UNIT;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        assert!(from.is_multiple_of(UNIT as u32) && to.is_multiple_of(UNIT as u32));
        self.operate(from as usize..to as usize, |bytes| bytes.fill(0xFF))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let [start, length] = [offset as usize, bytes.len()];
        if !(start | length).is_multiple_of(WRITTEN_AT_ONCE) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        self.operate(start..start + length, |places| {
            places
                .iter_mut()
                .zip(bytes)
                .for_each(|(place, byte)| *place &= byte);
        })
    }
}

impl Flash for Chip {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A board between two starts.
struct Board {
    store: Store<Chip>,
    orders: Rc<Orders>,
    /// The model that the program reads, where it is one in the flash.
    in_use: Option<usize>,
    /// Whether that one was recorded, so that no other is used before it is, too.
    is_recorded: bool,
    /// The model that is used after the next start, unless the flash is touched till then.
    next: Option<usize>,
    /// What was announced since the start, the latest last.
    announced: Vec<usize>,
    /// Of which a record has been written, whole or in part.
    recorded: Vec<usize>,
}

/// The model that a program uses after a start, and where it lies; none where that is the linked one.
fn used(region: &[u8]) -> Option<(usize, Range<usize>)> {
    // Programs read models at addresses that are multiples of 16.
    let aligned = AlignedImage::new(region);
    let choice = Choice::new(aligned.bytes(), &[]);
    choice.start?;
    let is_it = |model: &AlignedImage| model.bytes() == choice.image;
    let model = MODELS.iter().position(is_it);
    let model = model.expect("only what was sent is used");
    Some((model, choice.in_use()))
}

/// Where sound models lie.
fn sound(region: &[u8]) -> Vec<Range<usize>> {
    let ranges = places(region)
        .into_iter()
        .flatten()
        .map(|place| place.range);
    let is_sound = |range: &Range<usize>| check(&region[range.clone()]).is_ok();
    ranges.filter(is_sound).collect()
}

impl Board {
    fn start(bytes: Vec<u8>, random: Rng) -> Self {
        let found = used(&bytes);
        let in_use = found.as_ref().map(|(model, _)| *model);
        let range = found.map_or(0..0, |(_, range)| range);
        let is_it = |place: &Place| place.range == range && place.sequence.is_some();
        let is_recorded = places(&bytes).iter().flatten().any(is_it);
        let orders = Rc::new(Orders::default());
        orders.kept.replace(range.clone());
        let mut store = Store::new(Chip {
            bytes,
            is_dead: false,
            random,
            orders: Rc::clone(&orders),
        });
        store.set_in_use(range);
        Self {
            store,
            orders,
            in_use,
            is_recorded,
            next: in_use,
            announced: Vec::new(),
            recorded: Vec::new(),
        }
    }

    /// Power fails or is taken away, and comes back.
    fn restarted(self, random: Rng) -> Self {
        self.check();
        Self::start(self.store.flash().bytes.clone(), random)
    }

    /// Power is away, and a bit of the flash is lost meanwhile: that costs no model but the one it is in.
    fn with_lost_bit(self, bit: usize, random: Rng) -> Self {
        self.check();
        let mut bytes = self.store.flash().bytes.clone();
        let before = sound(&bytes);
        let at = bit / 8 % REGION;
        bytes[at] ^= 1 << (bit % 8);
        let after = sound(&bytes);
        let is_there = |range: &Range<usize>| range.contains(&at) || after.contains(range);
        assert!(before.iter().all(is_there), "{before:?} {at} {after:?}");
        Self::start(bytes, random)
    }

    /// Compares what would be used if power failed at this moment with what may be.
    fn check(&self) {
        let found = used(&self.store.flash().bytes).map(|(model, _)| model);
        if !self.orders.was_touched.get() {
            assert_eq!(found, self.next);
            return;
        }
        // A model that takes all of the room costs what was there, and boards say so before.
        let is_given_up = self.orders.kept.borrow().is_empty() && self.in_use.is_some();
        let may_be = match found {
            _ if is_given_up => true,
            None => self.in_use.is_none(),
            Some(model) if self.is_recorded => {
                self.in_use == Some(model) || self.recorded.contains(&model)
            }
            Some(model) => self.in_use == Some(model) || self.announced.contains(&model),
        };
        let expected = (self.in_use, &self.recorded, &self.announced);
        assert!(may_be, "{found:?} instead of one of {expected:?}");
    }

    /// The image of the model that the sender speaks of.
    fn image(&self) -> &'static [u8] {
        let model = self.announced.last().copied().unwrap_or(0);
        MODELS[model].bytes()
    }

    /// Announces a model, and sends its header, perhaps with a wrong bit.
    fn announce(&mut self, model: usize, damage: u8) {
        self.announced.push(model);
        let image = self.image();
        // There is room for each.
        assert_eq!(self.store.begin(image.len(), checksum(image)), Ok(()));
        self.write(0, damage);
    }

    /// Sends a parcel from here on, perhaps with a wrong bit.
    fn write(&mut self, from: usize, damage: u8) {
        let image = self.image();
        let Some(rest) = image.get(from..) else {
            return;
        };
        let mut parcel = rest[..PARCEL.min(rest.len())].to_vec();
        if let Some(byte) = parcel.get_mut(usize::from(damage / 8)) {
            *byte ^= damage & 1;
        }
        self.send_raw(&parcel);
    }

    fn send_raw(&mut self, bytes: &[u8]) {
        let before = self.store.wanted();
        if self.store.write(bytes) == Err(StoreError::OutOfTurn) {
            assert_eq!(self.store.wanted(), before);
        }
    }

    /// Makes room, in so many steps at most.
    fn make_room(&mut self, steps: usize) {
        for _ in 0..steps {
            let Some(Wanted::Room(_)) = self.store.wanted() else {
                return;
            };
            if self.store.overwrites() {
                // The program reads the model no more.
                let kept = self.orders.kept.replace(0..0);
                assert!(kept.is_empty() || self.needs_all_room(&kept), "{kept:?}");
            }
            // Where it fails the model is not taken any more.
            if self.store.work().is_err() {
                assert_eq!(self.store.wanted(), None);
            }
        }
    }

    /// Whether one of the two models, the one in use or the announced one, is longer than a half.
    fn needs_all_room(&self, in_use: &Range<usize>) -> bool {
        let half = Layout::new(REGION).room(Slot::First);
        self.image().len().max(in_use.len()) > half
    }

    /// Sends so many parcels of what is wanted.
    fn send(&mut self, parcels: usize, damage: u8) {
        for _ in 0..parcels {
            match self.store.wanted() {
                Some(Wanted::Bytes(next)) if next < self.image().len() => self.write(next, damage),
                _ => return,
            }
        }
    }

    fn commit(&mut self, is_accepted: bool) -> Result<u32, StoreError> {
        let refusal = ImageError::Memory {
            needed: 2,
            available: 1,
        };
        let accept = |_: &[u8]| is_accepted.then_some(()).ok_or(refusal);
        let was_touched = self.orders.was_touched.replace(false);
        let committed = self.store.commit(&accept);
        // Where it fails the record may be there all the same.
        if self.orders.was_touched.get() {
            self.recorded.extend(self.announced.last());
        }
        if let Ok(checked) = committed {
            assert!(is_accepted && checked == checksum(self.image()));
            self.next = self.announced.last().copied();
        }
        let is_settled = committed.is_ok();
        self.orders
            .was_touched
            .set(!is_settled && (was_touched || self.orders.was_touched.get()));
        committed
    }

    /// A whole upload of a model that is not in use yet.
    fn upload(&mut self, model: usize, damage: u8) -> Result<u32, StoreError> {
        self.announce(model, damage);
        self.make_room(usize::MAX);
        self.send(usize::MAX, damage);
        self.commit(true)
    }
}

/// Takes the bytes for what happens to a store: two for each event, and what is sent behind them.
pub fn store(mut bytes: &[u8]) {
    let mut random = Rng::new(bytes.len() as u64);
    let mut fork = || Rng::new(random.next_u32().into());
    let mut board = Board::start(vec![0xFF; REGION], fork());
    while let Some((&[event, number], rest)) = bytes.split_first_chunk() {
        bytes = rest;
        let count = usize::from(number);
        match event % 16 {
            0 => board.announce(count % MODELS.len(), 0),
            1 => board.announce(count % MODELS.len(), number),
            2 => drop(board.store.begin(count << (event / 16), number.into())),
            3 => board.make_room(count),
            4 | 5 => board.send(count, 0),
            6 => board.send(1 + count / 128, number),
            7 => drop(board.commit(count % 4 != 0)),
            8 => board.store.give_up(),
            9 => board = board.restarted(fork()),
            10 => {
                let fault =
                    [Fault::Cut, Fault::WrongBit, Fault::Refusal][usize::from(event / 16) % 3];
                board.orders.fault.set(Some((number, fault)));
            }
            11 => {
                let bit = count << 9 | usize::from(event / 16) << 5 | (bytes.len() % 32);
                board = board.with_lost_bit(bit, fork());
            }
            12 => {
                let (sent, rest) = bytes.split_at(count.min(bytes.len()));
                bytes = rest;
                board.send_raw(sent);
            }
            _ => drop(board.upload(count % MODELS.len(), 0)),
        }
        board.check();
        if board.store.flash().is_dead {
            board = board.restarted(fork());
        }
    }
    recover(board.restarted(fork()), fork());
}

/// Whatever happened before, a model that comes as it is is taken, at the second try where remains of the
/// same model were damaged.
fn recover(mut board: Board, random: Rng) {
    let next = board.in_use.map_or(0, |model| (model + 1) % MODELS.len());
    let first = board.upload(next, 0);
    if first == Err(StoreError::Image(ImageError::Corrupted)) {
        assert!(board.upload(next, 0).is_ok());
    } else {
        assert!(first.is_ok(), "{first:?}");
    }
    assert_eq!(board.restarted(random).in_use, Some(next));
}
