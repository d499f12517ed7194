//! What a linked firmware takes of its board, and whether the board has it.

use serde::Serialize;

use super::build::Firmware;

/// The stack that a board must have: the deepest that the budgets allow, and a KiB for interrupts.
pub const STACK_BYTES: u64 = 3_584;

/// What a firmware takes, and what its board has for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// The board's name.
    pub board: &'static str,
    /// Flash of the program without the model.
    pub program_bytes: u64,
    /// What models are checked as if the program took at most.
    pub program_limit_bytes: u64,
    /// The model that is linked into it.
    pub model_bytes: u64,
    /// Flash that the board has for both.
    pub flash_bytes: u64,
    /// Static variables.
    pub static_ram_bytes: u64,
    /// What is left for the stack.
    pub stack_bytes: u64,
}

impl Fit {
    /// Of a firmware with a model of so many bytes in the place of the linked one.
    #[must_use]
    pub fn of(firmware: &Firmware, model_bytes: u64) -> Fit {
        let footprint = &firmware.footprint;
        Fit {
            board: firmware.board.name,
            program_bytes: footprint.flash_bytes - footprint.model_bytes,
            program_limit_bytes: firmware.board.program_bytes(),
            model_bytes,
            flash_bytes: firmware.board.program_area_bytes(),
            static_ram_bytes: footprint.static_ram_bytes,
            stack_bytes: footprint.stack_bytes,
        }
    }

    /// One sentence for each limit that is exceeded.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let board = self.board;
        let flash = self.program_bytes + self.model_bytes;
        let mut faults = Vec::new();
        if flash > self.flash_bytes {
            faults.push(format!(
                "{board}: program and model take {flash} bytes of flash, the board has {} for them",
                self.flash_bytes
            ));
        }
        if self.program_bytes > self.program_limit_bytes {
            faults.push(format!(
                "{board}: the program takes {} bytes of flash, models are checked as if it took at \
                 most {}",
                self.program_bytes, self.program_limit_bytes
            ));
        }
        if self.stack_bytes < STACK_BYTES {
            faults.push(format!(
                "{board}: static variables take {} bytes and leave {} for the stack, which needs \
                 {STACK_BYTES}",
                self.static_ram_bytes, self.stack_bytes
            ));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exceeded_limit_is_one_sentence() {
        let fits = Fit {
            board: "toy",
            program_bytes: 50_000,
            program_limit_bytes: 65_536,
            model_bytes: 62_000,
            flash_bytes: 112_000,
            static_ram_bytes: 4_000,
            stack_bytes: STACK_BYTES,
        };
        assert_eq!(fits.faults(), [""; 0]);
        let exceeds = Fit {
            program_bytes: 65_537,
            stack_bytes: STACK_BYTES - 1,
            ..fits
        };
        assert_eq!(
            exceeds.faults(),
            [
                "toy: program and model take 127537 bytes of flash, the board has 112000 for them",
                "toy: the program takes 65537 bytes of flash, models are checked as if it took at \
                 most 65536",
                "toy: static variables take 4000 bytes and leave 3583 for the stack, which needs \
                 3584",
            ]
        );
    }
}
