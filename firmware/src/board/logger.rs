//! Where logs go: over RTT to a debug probe, which may be absent; in emulators by semihosting, which
//! a processor without a debugger faults at.

#[cfg(feature = "rtt")]
use defmt_rtt as _;
#[cfg(feature = "semihosting")]
use defmt_semihosting as _;

use super::{Board, Selected};

defmt::timestamp!(
    "{=u32:us}",
    Selected::clock() / (Selected::TICKS_PER_SECOND / 1_000_000)
);
