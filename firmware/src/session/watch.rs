//! Looks at the model in use again while it is used, a piece at a time: flash loses bits, and RAM may.

use inkling_engine::format::CHECKSUM_OFFSET;
use inkling_engine::image::crc32_behind;

/// Bytes of a piece.
const PIECE_BYTES: usize = 1024;

/// What stands in front of the checksum in an image, and what behind it.
const FRONT: usize = CHECKSUM_OFFSET;
const BEHIND: usize = CHECKSUM_OFFSET + size_of::<u32>();

/// Goes through an image again and again.
pub(super) struct Watch<'m> {
    image: &'m [u8],
    checksum: u32,
    /// Where the next piece starts, and the checksum of what is in front of it.
    at: usize,
    sum: u32,
}

impl<'m> Watch<'m> {
    /// Watches this image, whose checksum was this when it was sound.
    pub(super) fn new(image: &'m [u8], checksum: u32) -> Self {
        Watch {
            image,
            checksum,
            at: 0,
            sum: 0,
        }
    }

    /// Looks at the next piece; whether the image is still sound, as far as that is known.
    #[inline(never)]
    pub(super) fn look(&mut self) -> bool {
        let (piece, next) = match self.at {
            // The checksum is not of itself.
            0 => (self.image.get(..FRONT), BEHIND),
            at => {
                let end = self.image.len().min(at + PIECE_BYTES);
                (self.image.get(at..end), end)
            }
        };
        // What the processor reads, not what it remembers.
        let piece = core::hint::black_box(piece.unwrap_or_default());
        self.sum = crc32_behind(self.sum, piece);
        self.at = next;
        if next < self.image.len() {
            return true;
        }
        let sum = core::mem::take(&mut self.sum);
        self.at = 0;
        sum == self.checksum
    }
}
