//! RAM that behaves like flash: for emulated boards whose chips have none that a program can write to, and for
//! tests.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

use crate::store::Flash;

/// Bytes that are erased at once, as on many chips.
const UNIT: usize = 4096;

/// Erasing sets all bits of a unit, and writing clears some.
#[derive(Debug)]
pub struct RamFlash<'a>(&'a mut [u8]);

impl<'a> RamFlash<'a> {
    /// Flash in this memory, as it is.
    pub fn new(memory: &'a mut [u8]) -> Self {
        RamFlash(memory)
    }

    fn part(&mut self, from: u32, bytes: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let from = from as usize;
        let part = self.0.get_mut(from..from.saturating_add(bytes));
        part.ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for RamFlash<'_> {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(self.part(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for RamFlash<'_> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = UNIT;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        if !(from as usize).is_multiple_of(UNIT) || !(to as usize).is_multiple_of(UNIT) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        self.part(from, to.saturating_sub(from) as usize)?
            .fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        for (place, byte) in self.part(offset, bytes.len())?.iter_mut().zip(bytes) {
            *place &= byte;
        }
        Ok(())
    }
}

impl Flash for RamFlash<'_> {
    fn bytes(&self) -> &[u8] {
        self.0
    }
}
