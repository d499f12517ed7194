//! What is known of the boards that Inkling runs on: the table `firmware/boards.toml`, read and checked.
//!
//! The firmware's build takes the memory map, the name and the room for a model from it, the program on
//! the PC how a board is found, flashed, emulated and how fast it is. A fault in the table ends the build.

mod board;
mod link;
mod table;

use std::sync::LazyLock;

pub use board::{Alias, Board, Device, Flasher, Link, Machine, Region, Speed, Unit};
pub use table::{Table, TableError, parse};

/// The model in `weights/` that a firmware is built around if none is named.
pub const DEFAULT_MODEL: &str = "shakespeare-64k";

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    parse(include_str!("../../boards.toml")).expect("the build has read the same table")
});

/// All supported boards, first those that people own.
pub static BOARDS: LazyLock<&'static [Board]> = LazyLock::new(|| TABLE.boards);

/// The USB devices that boards are known by, those of one product before those of a whole vendor.
pub static DEVICES: LazyLock<&'static [Device]> = LazyLock::new(|| TABLE.devices);

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = include_str!("../../boards.toml");

    /// What is said of the table with a part replaced.
    #[track_caller]
    fn fault(part: &str, by: &str) -> String {
        assert!(TABLE.contains(part), "{part}");
        let text = TABLE.replacen(part, by, 1);
        parse(text.leak()).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_or_unknown_field_is_a_clear_error() {
        let said = fault("target = \"thumbv6m-none-eabi\"\n", "");
        assert!(said.contains("missing field `target`"), "{said}");
        let said = fault("target = \"thumbv6m", "aim = \"thumbv6m");
        assert!(said.contains("unknown field `aim`"), "{said}");
        assert!(said.contains("line"), "{said}");
        let said = fault("kib = 2048", "kib = \"2 MiB\"");
        assert!(said.contains("invalid type: string"), "{said}");
        let said = fault("by = \"uf2\"", "by = \"pigeon\"");
        assert!(said.contains("pigeon"), "{said}");
        let said = fault("chip = \"RP2040\"\n", "");
        assert!(said.contains("missing field `chip`"), "{said}");
    }

    #[test]
    fn what_cannot_be_is_said_of_the_board() {
        for (part, by, what) in [
            ("name = \"pico\"", "name = \"Pico!\"", "needs a name"),
            (
                "{ name = \"rp2040\" }",
                "{ name = \"Pico 2\" }",
                "the name 'Pico 2'",
            ),
            (
                "0x1010_0000, kib = 1024",
                "0x1010_0000, kib = 512",
                "not the end of its flash",
            ),
            ("0x1000_0000, kib = 2048", "0x1000_0000, kib = 0", "flash"),
            ("boot_bytes = 256", "boot_bytes = 9_000_000", "boot program"),
            ("0x2000_0000, kib = 264", "0xF000_0000, kib = 999999", "RAM"),
            (
                "0x2000_0000, kib = 264",
                "0x1000_0000, kib = 264",
                "the same addresses",
            ),
            (
                "stack_bytes = 32_768",
                "stack_bytes = 999_992",
                "leaves no RAM",
            ),
            (
                "stack_bytes = 32_768",
                "stack_bytes = 32_767",
                "multiple of 8",
            ),
            ("stack_bytes = 32_768\n", "", "needs 'stack_bytes'"),
            ("[\"rp-probe\"]", "[\"crystal-ball\"]", "[usb.crystal-ball]"),
            (
                "model = { address = 0x1010_0000, kib = 1024 }\n",
                "",
                "takes models and has no place",
            ),
            (
                "ticks_per_second = 1_000_000",
                "ticks_per_second = 0",
                "clock",
            ),
        ] {
            let said = fault(part, by);
            assert!(
                said.contains("the board '") && said.contains(what),
                "{said}"
            );
        }
        let said = fault("speed = { mega_hertz = 125", "# ");
        assert!(said.contains("the board 'pico' needs 'speed'"), "{said}");
        let machine = "emulator = { program = \"qemu-system-riscv32\"";
        let said = fault(machine, "# ");
        assert!(said.contains("neither flashed nor emulated"), "{said}");
    }

    #[test]
    fn the_linker_is_told_what_the_table_says() {
        let map = |name| {
            let board = BOARDS.iter().find(|board| board.name == name).unwrap();
            board.memory_map()
        };
        let pico = map("pico");
        for line in [
            "BOOT2 (rx) : ORIGIN = 0x10000000, LENGTH = 0x100\n",
            "FLASH (rx) : ORIGIN = 0x10000100, LENGTH = 0xfff00\n",
            "MODEL (r) : ORIGIN = 0x10100000, LENGTH = 0x100000\n",
            "STACK (rw) : ORIGIN = 0x20000000, LENGTH = 0x8000\n",
            "RAM (rwx) : ORIGIN = 0x20008000, LENGTH = 0x3a000\n",
            "\n_stack_end = ORIGIN(STACK);\n_stack_start = ORIGIN(STACK) + LENGTH(STACK);\n",
            "\n_model_region_start = ORIGIN(MODEL);\n",
            "\nINCLUDE rp2040.x\n",
        ] {
            assert!(pico.contains(line), "{pico}");
        }
        let microbit = map("microbit");
        assert!(!microbit.contains("model_region") && !microbit.contains("BOOT2"));
        let mapped = map("esp32c3");
        assert!(mapped.contains("MODEL (r) : ORIGIN = 0x3c200000, LENGTH = 0x200000"));
        assert!(
            ["FLASH", "RAM", "STACK"]
                .iter()
                .all(|word| !mapped.contains(word)),
            "{mapped}"
        );
    }

    #[test]
    fn a_board_has_its_names_in_any_spelling() {
        let pico = BOARDS.iter().find(|board| board.name == "pico").unwrap();
        assert!(pico.is_called("PICO") && pico.is_called("Pico_W") && pico.is_called("RP 2040"));
        assert!(!pico.is_called("pico2") && pico.alias("pico").is_none());
        assert!(pico.alias("picow").unwrap().note.unwrap().contains("LED"));
    }
}
