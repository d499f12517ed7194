//! Power is cut before, in and after every operation on the flash, records lose bits, and the model is still
//! there. The store that spoils the good slot shows that these tests can fail.

use std::vec::Vec;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use inkling_engine::image::checksum;
use inkling_engine::writer::made_up;
use inkling_engine::{AlignedImage, Model};

use super::*;
use crate::record::RECORD_BYTES;

const ERASE: usize = 1024;
const REGION: usize = 6 * layout::RECORD_PAGE;

/// What was done to the flash.
#[derive(Clone, Debug)]
enum Operation {
    Erase(usize, usize),
    Program(usize, Vec<u8>),
}

/// Flash that can be erased in units and in which writing clears bits; remembers what was done to it and how
/// it was before.
#[derive(Clone, Debug)]
struct Mock<const UNIT: usize = ERASE> {
    bytes: Vec<u8>,
    log: Vec<(Vec<u8>, Operation)>,
    is_logged: bool,
}

impl<const UNIT: usize> Mock<UNIT> {
    fn new(bytes: Vec<u8>) -> Self {
        Mock {
            bytes,
            log: Vec::new(),
            is_logged: true,
        }
    }

    fn push(&mut self, operation: Operation) {
        let before = self.bytes.clone();
        operation.finish(&mut self.bytes);
        if self.is_logged {
            self.log.push((before, operation));
        }
    }
}

impl<const UNIT: usize> ErrorType for Mock<UNIT> {
    type Error = NorFlashErrorKind;
}

impl<const UNIT: usize> ReadNorFlash for Mock<UNIT> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const UNIT: usize> NorFlash for Mock<UNIT> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = UNIT;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        assert!(from.is_multiple_of(UNIT as u32) && to.is_multiple_of(UNIT as u32));
        self.push(Operation::Erase(from as usize, to as usize));
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        assert!(offset.is_multiple_of(4) && bytes.len().is_multiple_of(4));
        self.push(Operation::Program(offset as usize, bytes.to_vec()));
        Ok(())
    }
}

impl<const UNIT: usize> Flash for Mock<UNIT> {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Operation {
    fn finish(&self, region: &mut [u8]) {
        match self {
            Operation::Erase(from, to) => region[*from..*to].fill(0xFF),
            Operation::Program(at, bytes) => {
                for (place, byte) in region[*at..].iter_mut().zip(bytes) {
                    *place &= byte;
                }
            }
        }
    }

    /// What may be there when power fails in the middle of it: some of the bits have changed.
    fn cut(&self, region: &[u8], variant: usize) -> Vec<u8> {
        let mut done = region.to_vec();
        self.finish(&mut done);
        let mut noise = 0x9E37_79B9_u32.wrapping_mul(variant as u32 + 1);
        let mut cut = region.to_vec();
        let touched = match self {
            Operation::Erase(from, to) => *from..*to,
            Operation::Program(at, bytes) => *at..at + bytes.len(),
        };
        let middle = touched.start + touched.len() / 2;
        for at in touched {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let changed = match variant {
                0 if at < middle => 0xFF,
                0 => 0,
                _ => noise as u8,
            };
            cut[at] = region[at] & !changed | done[at] & changed;
        }
        cut
    }
}

/// How often an operation is cut in its middle.
const VARIANTS: usize = 3;

/// What the flash may hold when power fails at any moment of what has been done to it.
fn cuts(log: &[(Vec<u8>, Operation)]) -> impl Iterator<Item = Vec<u8>> + '_ {
    log.iter().flat_map(|(before, operation)| {
        let mut after = before.clone();
        operation.finish(&mut after);
        let middle = (0..VARIANTS).map(|variant| operation.cut(before, variant));
        [before.clone()].into_iter().chain(middle).chain([after])
    })
}

/// The model that is used after a start: what the first place holds that holds a sound one.
fn used(region: &[u8]) -> Option<Place> {
    places(region)
        .into_iter()
        .flatten()
        .find(|place| Model::parse(AlignedImage::new(&region[place.range.clone()]).bytes()).is_ok())
}

fn used_image(region: &[u8]) -> Option<&[u8]> {
    used(region).map(|place| &region[place.range])
}

fn image(seed: u64) -> Vec<u8> {
    made_up(20, 24, 1, seed).bytes().to_vec()
}

fn blank() -> Vec<u8> {
    vec![0xFF; REGION]
}

fn announce<F: Flash>(store: &mut Store<F>, image: &[u8]) -> Result<(), StoreError> {
    store.begin(
        image.len(),
        u32::from_le_bytes(*image[12..].first_chunk().unwrap()),
    )?;
    store.write(&image[..128.min(image.len())])?;
    make_room(store)
}

fn make_room(store: &mut dyn Keeper) -> Result<(), StoreError> {
    while let Some(Wanted::Room(_)) = store.wanted() {
        store.work()?;
    }
    Ok(())
}

fn store(region: Vec<u8>, in_use: core::ops::Range<usize>) -> Store<Mock> {
    let mut store = Store::new(Mock::new(region));
    store.set_in_use(in_use);
    store
}

/// A whole upload after a start from this flash.
fn upload(region: Vec<u8>, image: &[u8], spoils: bool) -> Result<Mock, StoreError> {
    upload_in::<ERASE>(region, image, spoils)
}

/// The same, into flash that is erased in units of so many bytes.
fn upload_in<const UNIT: usize>(
    region: Vec<u8>,
    image: &[u8],
    spoils: bool,
) -> Result<Mock<UNIT>, StoreError> {
    let in_use = used(&region).map(|place| place.range).unwrap_or_default();
    let mut store = Store::new(Mock::new(region));
    store.set_in_use(in_use);
    store.spoils_the_good_slot = spoils;
    announce(&mut store, image)?;
    while let Some(Wanted::Bytes(next)) = store.wanted()
        && next < image.len()
    {
        store.write(&image[next..image.len().min(next + 128)])?;
    }
    store.commit(&|_| Ok(()))?;
    Ok(store.flash)
}

/// An upload that a start finds complete.
fn after(region: Vec<u8>, image: &[u8]) -> Vec<u8> {
    let flash = upload(region, image, false).unwrap();
    assert_eq!(used_image(&flash.bytes), Some(image));
    flash.bytes
}

/// How many cuts of an upload there are, and after how many of them neither the old nor the new model is used.
fn count_lost(region: &[u8], old: &[u8], new: &[u8], spoils: bool) -> (usize, usize) {
    let flash = upload(region.to_vec(), new, spoils).unwrap();
    let mut counts = (0, 0);
    for cut in cuts(&flash.log) {
        let used = used_image(&cut);
        counts.0 += 1;
        counts.1 += usize::from(used != Some(old) && used != Some(new));
    }
    counts
}

#[test]
fn no_power_cut_loses_the_model_in_use() {
    let [a, b, c, d] = [1, 2, 3, 4].map(image);
    let mut region = after(blank(), &a);
    let mut old = a;
    // Into either slot, and more than once.
    for new in [b, c, d] {
        let (all, lost) = count_lost(&region, &old, &new, false);
        assert!(all > 100, "{all} cuts");
        assert_eq!(lost, 0, "of {all}");
        region = after(region, &new);
        old = new;
    }
}

#[test]
fn nothing_is_lost_where_a_slot_is_erased_at_once() {
    // As the sectors of 128 KiB of an STM32F411, two of which are set aside.
    const SECTOR: usize = REGION / 2;
    let [a, b, c] = [1, 2, 3].map(image);
    let mut region = upload_in::<SECTOR>(blank(), &a, false).unwrap().bytes;
    let mut old = a;
    for new in [b, c] {
        let flash = upload_in::<SECTOR>(region.clone(), &new, false).unwrap();
        let erased =
            |(_, operation): &&(Vec<u8>, Operation)| matches!(operation, Operation::Erase(..));
        assert_eq!(flash.log.iter().filter(erased).count(), 1);
        for cut in cuts(&flash.log) {
            let used = used_image(&cut);
            assert!(used == Some(&old) || used == Some(&new));
            // And what was cut off goes on.
            let again = upload_in::<SECTOR>(cut, &new, false).unwrap();
            assert_eq!(used_image(&again.bytes), Some(&new[..]));
        }
        region = flash.bytes;
        assert_eq!(used_image(&region), Some(&new[..]));
        old = new;
    }
    // One that takes both.
    let large = made_up(30, 60, 1, 9).bytes().to_vec();
    let layout = Layout::new(REGION);
    assert!((layout.room(Slot::First) + 1..=layout.room(Slot::Whole)).contains(&large.len()));
    let flash = upload_in::<SECTOR>(region, &large, false).unwrap();
    assert_eq!(used_image(&flash.bytes), Some(&large[..]));
}

#[test]
fn a_store_that_overwrites_the_good_slot_loses_models() {
    let [a, b] = [1, 2].map(image);
    let (all, lost) = count_lost(&after(blank(), &a), &a, &b, true);
    assert!(2 * lost > all, "{lost} of {all}");
}

#[test]
fn the_first_model_is_not_used_before_all_of_it_is_there() {
    let a = image(1);
    let flash = upload(blank(), &a, false).unwrap();
    for cut in cuts(&flash.log) {
        let used = used_image(&cut);
        assert!(used.is_none() || used == Some(&a));
    }
}

#[test]
fn a_second_upload_after_a_failed_one_loses_nothing_wherever_power_is_cut() {
    let [a, b, c] = [1, 2, 3].map(image);
    let region = after(after(blank(), &a), &b);
    let first = upload(region, &c, false).unwrap();
    let mut all = 0;
    for cut in cuts(&first.log) {
        let old = used_image(&cut).unwrap().to_vec();
        assert!(old == b || old == c);
        for new in [&c, &a] {
            let second = upload(cut.clone(), new, false).unwrap();
            assert_eq!(used_image(&second.bytes), Some(&new[..]));
            for cut in cuts(&second.log) {
                let used = used_image(&cut);
                assert!(used == Some(&old) || used == Some(new), "{all}");
                all += 1;
            }
        }
    }
    assert!(all > 10_000, "{all} cuts");
}

#[test]
fn bits_that_a_record_loses_lose_no_model() {
    let [a, b] = [1, 2].map(image);
    let region = after(after(blank(), &a), &b);
    let layout = Layout::new(REGION);
    for (slot, expected) in [(Slot::First, &b), (Slot::Second, &a)] {
        for bit in 0..8 * RECORD_BYTES {
            let mut worn = region.clone();
            worn[layout.record(slot) + bit / 8] ^= 1 << (bit % 8);
            let used = used_image(&worn).unwrap();
            // What is behind a record counts for nothing.
            assert!(used == expected || bit >= 8 * 24 && used == b, "{bit}");
            // Nor do the next uploads.
            let (_, lost) = count_lost(&worn, used, &image(3), false);
            assert_eq!(lost, 0, "{bit}");
        }
    }
}

#[test]
fn a_damaged_model_is_passed_over_for_the_older_one() {
    let [a, b] = [1, 2].map(image);
    let mut region = after(after(blank(), &a), &b);
    let place = used(&region).unwrap();
    region[place.range.start + 100] ^= 1;
    assert_eq!(used_image(&region), Some(&a[..]));
    // The next one goes where the damaged one is.
    let flash = upload(region, &image(3), false).unwrap();
    let all_but_the_newest = places(&flash.bytes)[1].clone().unwrap();
    assert_eq!(&flash.bytes[all_but_the_newest.range], a);
}

#[test]
fn a_model_from_outside_wins_and_is_replaced_without_being_lost() {
    let [a, b, c] = [1, 2, 3].map(image);
    let mut region = after(after(blank(), &a), &b);
    // As a program on a PC writes it: with the other record removed.
    let layout = Layout::new(REGION);
    let (at, record) = Record::from_outside(&c, layout).unwrap();
    for slot in [Slot::First, Slot::Second] {
        region[layout.record(slot)..][..RECORD_BYTES].fill(0xFF);
    }
    region[..c.len()].copy_from_slice(&c);
    region[at..][..RECORD_BYTES].copy_from_slice(&record.to_bytes());
    assert_eq!(used_image(&region), Some(&c[..]));
    assert_eq!(count_lost(&region, &c, &a, false).1, 0);
    // And as one that knows of no records.
    let mut region = blank();
    region[..c.len()].copy_from_slice(&c);
    assert_eq!(used_image(&region), Some(&c[..]));
    assert_eq!(count_lost(&region, &c, &a, false).1, 0);
}

#[test]
fn a_model_that_no_half_holds_takes_all_and_what_is_there_then_is_said() {
    let large = made_up(40, 130, 1, 9).bytes().to_vec();
    let layout = Layout::new(2 * REGION);
    let range = layout.start(Slot::Second)..layout.room(Slot::Whole);
    assert!(range.contains(&large.len()), "{}", large.len());
    let small = image(1);
    let mut region = vec![0xFF; 2 * REGION];
    region = after(after(region, &small), &image(2));
    let in_use = used(&region).unwrap().range;
    let mut store = store(region.clone(), in_use);
    store.begin(small.len(), 1).unwrap();
    assert!(!store.overwrites());
    store.begin(large.len(), 1).unwrap();
    assert!(store.overwrites());
    let flash = upload(region, &large, false).unwrap();
    assert_eq!(used_image(&flash.bytes), Some(&large[..]));
    // Whatever is used after a cut is a model, or none is and the linked one is used.
    let known = [small.clone(), image(2), large];
    for cut in cuts(&flash.log) {
        assert!(used_image(&cut).is_none_or(|used| known.iter().any(|image| image == used)));
    }
    assert_eq!(after(flash.bytes, &small).len(), 2 * REGION);
}

#[test]
fn what_is_too_large_damaged_newer_or_another_model_is_refused_before_anything_is_touched() {
    let a = image(1);
    let mut store = store(blank(), 0..0);
    let room = Layout::new(REGION).room(Slot::Whole);
    let refused = store.begin(room + 1, 1).unwrap_err();
    assert!(matches!(refused, StoreError::TooLarge { room: found, .. } if found == room));
    let newer = |image: &mut Vec<u8>| image[4] = 99;
    let no_image = |image: &mut Vec<u8>| image[0] = b'?';
    let other = |image: &mut Vec<u8>| image[12] ^= 1;
    let longer = |image: &mut Vec<u8>| image[8] ^= 16;
    type Change = fn(&mut Vec<u8>);
    for (change, what) in [
        (newer as Change, "format version 99"),
        (no_image, "not a model"),
        (other, "another model"),
        (longer, "another model"),
    ] {
        let mut changed = a.clone();
        change(&mut changed);
        store
            .begin(a.len(), u32::from_le_bytes(*a[12..].first_chunk().unwrap()))
            .unwrap();
        let said = store.write(&changed[..128]).unwrap_err().to_string();
        assert!(said.contains(what), "{said}");
        assert_eq!(store.wanted(), None);
        assert_eq!(store.write(&a[..128]), Err(StoreError::OutOfTurn));
    }
    assert!(store.flash.log.is_empty());
}

#[test]
fn a_model_that_does_not_come_as_it_was_is_not_recorded_and_starts_anew() {
    let [a, b] = [1, 2].map(image);
    let region = after(blank(), &a);
    let in_use = used(&region).unwrap().range;
    let mut store = store(region, in_use);
    for damaged in [true, false] {
        announce(&mut store, &b).unwrap();
        assert_eq!(store.wanted(), Some(Wanted::Bytes(0)));
        for (index, part) in b.chunks(128).enumerate() {
            let mut part = part.to_vec();
            part[0] ^= u8::from(damaged && index == 9);
            store.write(&part).unwrap();
        }
        let commit = store.commit(&|_| Ok(()));
        assert_eq!(commit.is_err(), damaged);
        let expected = if damaged { &a } else { &b };
        assert_eq!(used_image(&store.flash.bytes), Some(&expected[..]));
    }
    let refuse = |_: &[u8]| {
        Err(inkling_engine::ImageError::Memory {
            needed: 2,
            available: 1,
        })
    };
    announce(&mut store, &image(3)).unwrap();
    for part in image(3).chunks(128) {
        store.write(part).unwrap();
    }
    let refused = store.commit(&refuse).unwrap_err().to_string();
    assert!(refused.contains("train a smaller one"), "{refused}");
}

#[test]
fn an_upload_goes_on_after_a_cut_where_it_was() {
    let [a, b] = [1, 2].map(image);
    let region = after(after(blank(), &b), &a);
    let flash = upload(region, &b, false).unwrap();
    // Of the very same model all but the last unit stayed.
    assert!(flash.log.len() < b.len() / 128);
    let region = after(blank(), &a);
    let flash = upload(region, &b, false).unwrap();
    let (late, _) = &flash.log[flash.log.len() - 3];
    let mut store = store(late.clone(), used(late).unwrap().range);
    announce(&mut store, &b).unwrap();
    let Some(Wanted::Bytes(next)) = store.wanted() else {
        panic!("{:?}", store.wanted());
    };
    assert!(next > 0 && next.is_multiple_of(ERASE), "{next}");
}

#[test]
fn flash_that_does_not_hold_what_is_written_is_said_to_be_worn_out() {
    #[derive(Debug)]
    struct Worn(Mock);
    impl ErrorType for Worn {
        type Error = NorFlashErrorKind;
    }
    impl ReadNorFlash for Worn {
        const READ_SIZE: usize = 1;
        fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
            self.0.read(offset, bytes)
        }
        fn capacity(&self) -> usize {
            self.0.capacity()
        }
    }
    impl NorFlash for Worn {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = ERASE;
        fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
            self.0.erase(from, to)
        }
        fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
            self.0.write(offset, bytes)?;
            self.0.bytes[offset as usize] &= 0xFE;
            Ok(())
        }
    }
    impl Flash for Worn {
        fn bytes(&self) -> &[u8] {
            &self.0.bytes
        }
    }
    let a = image(1);
    let mut store = Store::new(Worn(Mock::new(blank())));
    store.begin(a.len(), checksum(&a)).unwrap();
    store.write(&a[..128]).unwrap();
    make_room(&mut store).unwrap();
    let said = a.chunks(128).find_map(|part| store.write(part).err());
    assert_eq!(said, Some(StoreError::Flash));
}
