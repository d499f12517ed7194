//! Reads from a linked firmware for which board it is and how much flash and RAM it takes.

use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SectionKind};
use serde::Serialize;

/// The section and symbol of the linked model image, see `firmware/src/board/image.rs`.
const MODEL_SYMBOL: &str = "INKLING_MODEL";

/// The section that holds the board's name, see `firmware/src/board/image.rs`.
const BOARD_SECTION: &str = ".board";

/// What a linked firmware says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Footprint {
    /// The board it is built for.
    pub board: String,
    /// Everything that is stored in flash: code, constants, start values, the model.
    pub flash_bytes: u64,
    /// Static variables; the stack comes on top.
    pub static_ram_bytes: u64,
    /// The address of the linked model image.
    pub model_address: u64,
}

impl Footprint {
    /// Reads it from an ELF file.
    ///
    /// # Errors
    /// Says why the file is not an Inkling firmware.
    pub fn read(elf: &[u8]) -> Result<Footprint, String> {
        let file = object::File::parse(elf).map_err(|error| error.to_string())?;
        let board = file
            .section_by_name(BOARD_SECTION)
            .and_then(|section| section.data().ok())
            .and_then(|name| std::str::from_utf8(name).ok())
            .ok_or("it is not an Inkling firmware")?;
        let model_address = file
            .symbols()
            .find(|symbol| symbol.name() == Ok(MODEL_SYMBOL))
            .map(|symbol| symbol.address())
            .ok_or("it holds no model")?;
        let flash_bytes = file.segments().map(|segment| segment.file_range().1).sum();
        let static_ram_bytes = file
            .sections()
            .filter(|section| {
                matches!(
                    section.kind(),
                    SectionKind::Data | SectionKind::UninitializedData
                )
            })
            .map(|section| section.size())
            .sum();
        Ok(Footprint {
            board: board.to_owned(),
            flash_bytes,
            static_ram_bytes,
            model_address,
        })
    }
}
