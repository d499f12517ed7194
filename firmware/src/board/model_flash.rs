//! The part of a chip's flash that is set aside for models, as the store wants it: over whatever driver the
//! abstraction layer has for all of the flash.

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use inkling_store::Flash;

use super::{facts, image};

/// The model region of a flash. Addresses count from the region's start.
#[derive(Debug)]
pub struct ModelFlash<F>(F);

impl<F> ModelFlash<F> {
    /// That of this flash.
    pub(super) const fn new(flash: F) -> Self {
        ModelFlash(flash)
    }
}

/// Where the region begins, counted from the flash's start.
fn start() -> u32 {
    image::model_region().as_ptr().addr() as u32 - facts::FLASH_ADDRESS
}

impl<F: ErrorType> ErrorType for ModelFlash<F> {
    type Error = F::Error;
}

impl<F: ReadNorFlash> ReadNorFlash for ModelFlash<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.0.read(start() + offset, bytes)
    }

    fn capacity(&self) -> usize {
        image::model_region().len()
    }
}

impl<F: NorFlash> NorFlash for ModelFlash<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.0.erase(start() + from, start() + to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.0.write(start() + offset, bytes)
    }
}

impl<F: NorFlash> Flash for ModelFlash<F> {
    fn bytes(&self) -> &[u8] {
        image::model_region()
    }
}
