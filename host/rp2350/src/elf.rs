//! What of a linked firmware goes into the memory, and where it logs.

use anyhow::Result;
use object::read::elf::ElfFile32;
use object::{Endianness, Object, ObjectSymbol};

/// The block through which a debugger reads what is logged.
const RTT: &str = "_SEGGER_RTT";

/// A firmware.
#[derive(Debug)]
pub struct Elf {
    /// What is loaded, by its address in flash.
    pub segments: Vec<(u32, Vec<u8>)>,
    /// The address of RTT's control block.
    pub rtt: Option<u32>,
}

impl Elf {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or not for a processor of 32 bits.
    pub fn read(file: &[u8]) -> Result<Elf> {
        let elf = ElfFile32::<Endianness>::parse(file)?;
        let endian = elf.endian();
        let loaded = elf.elf_program_headers().iter().filter(|segment| {
            segment.p_type.get(endian) == object::elf::PT_LOAD && segment.p_filesz.get(endian) > 0
        });
        let segments = loaded.map(|segment| {
            let start = segment.p_offset.get(endian) as usize;
            let bytes = file.get(start..).unwrap_or_default();
            let bytes = &bytes[..bytes.len().min(segment.p_filesz.get(endian) as usize)];
            (segment.p_paddr.get(endian), bytes.to_vec())
        });
        let segments = segments.collect();
        let rtt = elf.symbols().find(|symbol| symbol.name() == Ok(RTT));
        Ok(Elf {
            segments,
            rtt: rtt.map(|symbol| symbol.address() as u32),
        })
    }
}
