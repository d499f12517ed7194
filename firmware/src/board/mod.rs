//! What the program needs from a board, and the board it is built for.
//!
//! Each board is one file here (boards that differ only in addresses share one), one memory script
//! in `memory/`, one cargo feature of the same name, and one row in the host's list of boards.
//! With no board feature, as on the PC, only the trait remains.

use embedded_hal::digital::OutputPin;
use embedded_io::{Read, ReadReady, Write};

/// The hardware behind the program: a serial line, a clock, a light and perhaps some entropy.
pub trait Board {
    /// The name under which the host knows the board; also its cargo feature.
    const NAME: &'static str;

    /// How fast [`Board::ticks`] counts.
    const TICKS_PER_SECOND: u32;

    /// The serial port that carries text and console.
    ///
    /// Writing may wait for a UART to drain, but must not wait for a reader that may never come: a
    /// port that nobody reads answers `Ok(0)`.
    type Serial: Read + ReadReady + Write;

    /// The activity light.
    type Led: OutputPin;

    /// The serial port.
    fn serial(&mut self) -> &mut Self::Serial;

    /// The activity light.
    fn led(&mut self) -> &mut Self::Led;

    /// A counter that runs at [`Board::TICKS_PER_SECOND`] and wraps around.
    fn ticks(&mut self) -> u32;

    /// True randomness for the first seed; `None` where there is none, as on emulators.
    fn entropy(&mut self) -> Option<u64>;

    /// The most bytes of stack that were in use since start-up, where that is known.
    fn deepest_stack(&self) -> Option<usize> {
        None
    }
}

#[cfg(all(feature = "cortex-m", target_os = "none"))]
mod cortex_m;
#[cfg(all(feature = "board", target_os = "none"))]
mod image;
#[cfg(all(feature = "microbit", target_os = "none"))]
mod microbit;
#[cfg(all(feature = "mps2", target_os = "none"))]
mod mps2;

#[cfg(all(feature = "cortex-m", target_os = "none"))]
pub use self::cortex_m::{entry, spin};
#[cfg(all(feature = "board", target_os = "none"))]
pub use image::linked_image;
/// The board that this firmware is built for.
#[cfg(all(feature = "microbit", target_os = "none"))]
pub use microbit::Microbit as Selected;
/// The board that this firmware is built for.
#[cfg(all(feature = "mps2", target_os = "none"))]
pub use mps2::Mps2 as Selected;
