//! Writes a board's memory map as the linker reads it.

use std::fmt::Write as _;

use super::board::{Board, Region};

impl Board {
    /// The linker script with the board's memory map: `FLASH`, `STACK` and `RAM`, `BOOT2` for a boot
    /// program, and `MODEL` for a model that is flashed by itself, with the symbols that the firmware finds
    /// it by. Where an abstraction layer brings a map, `MODEL` alone. The script of the board's chip is
    /// included behind.
    ///
    /// The stack is the beginning of the RAM: one that overflows leaves the RAM, which is a fault, instead
    /// of running into static variables, which nobody would notice.
    #[must_use]
    pub fn memory_map(&self) -> String {
        let link = self.link;
        let program = Region {
            address: link.flash.address + link.boot_bytes,
            bytes: self.program_area_bytes() - link.boot_bytes,
        };
        let boot = Region {
            address: link.flash.address,
            bytes: link.boot_bytes,
        };
        let stack = Region {
            address: link.ram.address,
            bytes: link.stack_bytes,
        };
        let variables = Region {
            address: stack.end(),
            bytes: link.ram.bytes - stack.bytes,
        };
        let own = |region| (!link.mapped_by_hal).then_some(region);
        let regions = [
            ("BOOT2 (rx)", own(boot).filter(|boot| boot.bytes > 0)),
            ("FLASH (rx)", own(program)),
            ("MODEL (r)", self.model_region),
            ("STACK (rw)", own(stack)),
            ("RAM (rwx)", own(variables)),
        ];
        let mut script = format!("/* {}. */\nMEMORY\n{{\n", self.description);
        for (name, region) in regions {
            let Some(Region { address, bytes }) = region else {
                continue;
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                script,
                "  {name} : ORIGIN = {address:#010x}, LENGTH = {bytes:#x}"
            );
        }
        script += "}\n";
        if !link.mapped_by_hal {
            script += "\n_stack_end = ORIGIN(STACK);\n";
            script += "_stack_start = ORIGIN(STACK) + LENGTH(STACK);\n";
        }
        if self.model_region.is_some() {
            script += "\n_model_region_start = ORIGIN(MODEL);\n";
            script += "_model_region_end = ORIGIN(MODEL) + LENGTH(MODEL);\n";
        }
        if let Some(chip) = link.script {
            let _ = write!(script, "\nINCLUDE {chip}\n");
        }
        script
    }
}
