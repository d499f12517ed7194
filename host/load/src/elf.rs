//! Reads from a linked firmware for which board it is and how much flash and RAM it takes.

use firmware::board::identity::MARK;
use object::read::elf::{ElfFile32, ElfSymbol32};
use object::{Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol, SectionKind};
use serde::Serialize;

/// What the boards' linkers write.
type Elf<'data> = ElfFile32<'data, Endianness>;

type Symbol<'data, 'file> = ElfSymbol32<'data, 'file, Endianness>;

/// The section and symbol of the linked model image, see `firmware/src/board/image.rs`.
const MODEL_SYMBOL: &str = "INKLING_MODEL";

/// The symbol of the board's name, see `firmware/src/board/image.rs`.
const BOARD_SYMBOL: &str = "INKLING_BOARD";

/// Sections that stand for the rest of the memory, or repeat another section at a second address.
const NOT_VARIABLES: [&str; 3] = [".stack", ".heap", ".rotext_dummy"];

/// What a linked firmware says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Footprint {
    /// The board it is built for.
    pub board: String,
    /// Everything that is stored in flash: code, constants, start values, the model.
    pub flash_bytes: u64,
    /// Static variables; the stack comes on top.
    pub static_ram_bytes: u64,
    /// RAM that is left for the stack.
    pub stack_bytes: u64,
    /// The address of the linked model image.
    pub model_address: u64,
    /// The room it has, in bytes.
    pub model_bytes: u64,
}

impl Footprint {
    /// Reads it from an ELF file.
    ///
    /// # Errors
    /// Says why the file is not an Inkling firmware.
    pub fn read(elf: &[u8]) -> Result<Footprint, String> {
        let file = Elf::parse(elf).map_err(|error| error.to_string())?;
        let board = symbol(&file, BOARD_SYMBOL)
            .and_then(|name| data(&file, &name))
            .and_then(|mark| std::str::from_utf8(mark).ok())
            .map(|mark| mark.strip_prefix(MARK).unwrap_or(mark).trim_end())
            .ok_or("it is not an Inkling firmware")?;
        let model = model(&file)?;
        let address = |name| symbol(&file, name).map_or(0, |symbol| symbol.address());
        let stack_bytes = address("_stack_start").saturating_sub(address("_stack_end"));
        // Neither sum means anything where it ends at the largest number, but neither panics.
        let flash_bytes = file
            .segments()
            .map(|segment| segment.file_range().1)
            .fold(0, u64::saturating_add);
        if model.size() > flash_bytes {
            return Err("its model is not stored".into());
        }
        let static_ram_bytes = file
            .sections()
            .filter(|section| {
                matches!(
                    section.kind(),
                    SectionKind::Data | SectionKind::UninitializedData
                ) && section
                    .name()
                    .is_ok_and(|name| !NOT_VARIABLES.contains(&name))
            })
            .map(|section| section.size())
            .fold(0, u64::saturating_add);
        Ok(Footprint {
            board: board.to_owned(),
            flash_bytes,
            static_ram_bytes,
            stack_bytes,
            model_address: model.address(),
            model_bytes: model.size(),
        })
    }
}

/// Puts another model image in the place of the linked one.
///
/// # Errors
/// Says why the file has no room for it.
pub fn replace_model(elf: &mut [u8], image: &[u8]) -> Result<(), String> {
    let not_stored = "its model is not stored";
    let file = Elf::parse(&*elf).map_err(|error| error.to_string())?;
    let model = model(&file)?;
    let section = model
        .section_index()
        .and_then(|index| file.section_by_index(index).ok())
        .ok_or("its model has no section")?;
    // The symbol has to lie in its section, and the section in the file.
    let within = model.address().checked_sub(section.address());
    let stored = section.file_range().zip(within);
    let ((start, _), within) = stored.ok_or(not_stored)?;
    if within.saturating_add(model.size()) > section.size() {
        return Err(not_stored.into());
    }
    let start = start.saturating_add(within);
    let [start, end] = [start, start.saturating_add(model.size())]
        .map(|at| usize::try_from(at).unwrap_or(usize::MAX));
    let place = elf.get_mut(start..end).ok_or(not_stored)?;
    let room = place.len();
    let (front, rest) = place.split_at_mut_checked(image.len()).ok_or_else(|| {
        format!(
            "it has room for a model of {room} bytes, not {}",
            image.len()
        )
    })?;
    front.copy_from_slice(image);
    rest.fill(0);
    Ok(())
}

/// The symbol of the model image.
fn model<'data, 'file>(file: &'file Elf<'data>) -> Result<Symbol<'data, 'file>, &'static str> {
    symbol(file, MODEL_SYMBOL).ok_or("it holds no model")
}

fn symbol<'data, 'file>(file: &'file Elf<'data>, name: &str) -> Option<Symbol<'data, 'file>> {
    file.symbols().find(|symbol| symbol.name() == Ok(name))
}

/// What is stored at a symbol.
fn data<'data>(file: &Elf<'data>, symbol: &Symbol<'data, '_>) -> Option<&'data [u8]> {
    let section = file.section_by_index(symbol.section_index()?).ok()?;
    let range = section.data_range(symbol.address(), symbol.size());
    range.ok().flatten()
}
