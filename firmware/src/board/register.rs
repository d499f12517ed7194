//! Device registers, for boards that are driven without a hardware abstraction layer.

/// A device register of one word.
#[derive(Clone, Copy)]
pub(super) struct Register(usize);

impl Register {
    /// The register at this address.
    ///
    /// # Safety
    /// The address must be that of a word-sized device register whose reads and writes have no
    /// effect on memory.
    pub(super) const unsafe fn at(address: usize) -> Self {
        Register(address)
    }

    /// Reads it.
    pub(super) fn get(self) -> u32 {
        // SAFETY: `at` was promised a device register.
        unsafe { core::ptr::with_exposed_provenance::<u32>(self.0).read_volatile() }
    }

    /// Writes it.
    pub(super) fn set(self, value: u32) {
        // SAFETY: `at` was promised a device register.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(self.0).write_volatile(value) }
    }
}
