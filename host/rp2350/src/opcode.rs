//! Instructions that the emulated processor lacks, as others that it has.
//!
//! It runs one instruction after the other, so what acquires and releases is an ordinary access there. Its
//! CPS takes the interrupt mask for the fault mask, and it looks for two fields of VSEL and VMAXNM elsewhere
//! than they are. It has no registers of two words for floats, which these cores only load and store, as
//! two registers of one word each. Of PKHBT and PKHTB there is no equivalent: it gets an instruction that
//! does nothing, and the board does the rest.

/// NOP of 32 bits.
const NOP: (u16, u16) = (0xF3AF, 0x8000);

/// Whether an instruction has a second halfword.
const fn is_wide(first: u16) -> bool {
    first >= 0xE800
}

/// The instruction to run in the place of this one; the second halfword means something where the first
/// says that there is one.
#[must_use]
pub fn served(first: u16, second: u16) -> (u16, u16) {
    if !is_wide(first) {
        return (mask(first).unwrap_or(first), second);
    }
    if Pack::read(first, second).is_some() {
        return NOP;
    }
    ordered(first, second)
        .or_else(|| doubles(first, second))
        .or_else(|| chosen(first, second))
        .unwrap_or((first, second))
}

/// The coprocessor of an instruction.
const fn coprocessor(second: u16) -> u16 {
    second >> 8 & 0xF
}

/// VLDM, VSTM, VPUSH and VPOP of registers of two words, as twice as many of one.
fn doubles(first: u16, second: u16) -> Option<(u16, u16)> {
    const BEFORE: u16 = 1 << 8;
    const WRITE_BACK: u16 = 1 << 5;
    const UP: u16 = 1 << 7;
    /// The upper half of these registers is not there.
    const UPPER: u16 = 1 << 6;
    let is_transfer = first & 0xFE00 == 0xEC00 && coprocessor(second) == 11;
    let is_multiple = match (first & BEFORE != 0, first & UP != 0) {
        (true, false) => first & WRITE_BACK != 0,
        (false, true) => true,
        _ => false,
    };
    // An odd number of words is that of an older form, which transfers one less.
    let single = second & !0x0F01 | 0x0A00;
    (is_transfer && is_multiple && first & UPPER == 0).then_some((first, single))
}

/// VSEL, VMAXNM and VMINNM, with the condition and the lowest bit of the register where they are looked for.
fn chosen(first: u16, second: u16) -> Option<(u16, u16)> {
    let is_one = first & 0xFF00 == 0xFE00 && coprocessor(second) == 10 && second & 0x10 == 0;
    let (lowest, condition) = (first >> 6 & 1, first >> 4 & 0b11);
    let is_choice = first & 0x80 == 0;
    let is_extreme = !is_choice && condition == 0;
    (is_one && (is_choice || is_extreme))
        .then_some((first & 0xFF8F | condition << 5 | lowest << 4, second))
}

/// CPS with its two masks exchanged.
fn mask(first: u16) -> Option<u16> {
    let is_cps = first & 0xFFEC == 0xB660;
    is_cps.then_some(first & !0b11 | (first & 1) << 1 | first >> 1 & 1)
}

/// An access that acquires or releases, without that.
fn ordered(first: u16, second: u16) -> Option<(u16, u16)> {
    let base = first & 0xF;
    let register = second & 0xF000;
    let status = second & 0xF;
    let is_load = match first & 0xFFF0 {
        0xE8D0 => true,
        0xE8C0 => false,
        _ => return None,
    };
    let plain = |opcode: u16| Some((opcode | base, register));
    Some(match (is_load, second & 0x0FF0) {
        // LDAB, LDAH, LDA; STLB, STLH, STL.
        (true, 0x0F80) => plain(0xF890)?,
        (true, 0x0F90) => plain(0xF8B0)?,
        (true, 0x0FA0) => plain(0xF8D0)?,
        (false, 0x0F80) => plain(0xF880)?,
        (false, 0x0F90) => plain(0xF8A0)?,
        (false, 0x0FA0) => plain(0xF8C0)?,
        // LDAEXB, LDAEXH, LDAEX; STLEXB, STLEXH, STLEX.
        (true, 0x0FC0) => (first, register | 0x0F4F),
        (true, 0x0FD0) => (first, register | 0x0F5F),
        (true, 0x0FE0) => (0xE850 | base, register | 0x0F00),
        (false, 0x0FC0) => (first, register | 0x0F40 | status),
        (false, 0x0FD0) => (first, register | 0x0F50 | status),
        (false, 0x0FE0) => (0xE840 | base, register | status << 8),
        _ => return None,
    })
}

/// PKHBT or PKHTB: a half of one register and a half of another, which is shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pack {
    /// Where it goes.
    pub to: usize,
    first: usize,
    second: usize,
    shift: u32,
    /// Whether the upper half is the first register's.
    takes_top: bool,
}

impl Pack {
    /// The one that these halfwords are, if they are one.
    #[must_use]
    pub fn read(first: u16, second: u16) -> Option<Pack> {
        let is_pack = first & 0xFFF0 == 0xEAC0 && second & 0x8010 == 0;
        is_pack.then_some(Pack {
            to: usize::from(second >> 8 & 0xF),
            first: usize::from(first & 0xF),
            second: usize::from(second & 0xF),
            shift: u32::from((second >> 12 & 0b111) << 2 | second >> 6 & 0b11),
            takes_top: second & 0x20 != 0,
        })
    }

    /// What it makes of the registers.
    #[must_use]
    pub fn of(self, registers: &[u32; 16]) -> u32 {
        const TOP: u32 = 0xFFFF_0000;
        let (first, second) = (registers[self.first], registers[self.second]);
        if self.takes_top {
            // A shift by none stands for one by 32.
            let by = if self.shift == 0 { 31 } else { self.shift };
            first & TOP | (second as i32 >> by) as u32 & !TOP
        } else {
            first & !TOP | second << self.shift & TOP
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Halfwords = (u16, u16);

    /// What a cross-assembler makes of both: the instruction, and the one that is to be run for it.
    const PAIRS: [(&str, Halfwords, Halfwords); 21] = [
        ("lda r1, [r2]", (0xE8D2, 0x1FAF), (0xF8D2, 0x1000)),
        ("ldab r1, [r2]", (0xE8D2, 0x1F8F), (0xF892, 0x1000)),
        ("ldah r11, [r9]", (0xE8D9, 0xBF9F), (0xF8B9, 0xB000)),
        ("stl r3, [r4]", (0xE8C4, 0x3FAF), (0xF8C4, 0x3000)),
        ("stlb r3, [r4]", (0xE8C4, 0x3F8F), (0xF884, 0x3000)),
        ("stlh r3, [r4]", (0xE8C4, 0x3F9F), (0xF8A4, 0x3000)),
        ("ldaex r5, [r6]", (0xE8D6, 0x5FEF), (0xE856, 0x5F00)),
        ("ldaexb r5, [r6]", (0xE8D6, 0x5FCF), (0xE8D6, 0x5F4F)),
        ("ldaexh r5, [r6]", (0xE8D6, 0x5FDF), (0xE8D6, 0x5F5F)),
        ("stlex r7, r5, [r6]", (0xE8C6, 0x5FE7), (0xE846, 0x5700)),
        ("stlexb r7, r5, [r6]", (0xE8C6, 0x5FC7), (0xE8C6, 0x5F47)),
        ("stlexh r7, r5, [r6]", (0xE8C6, 0x5FD7), (0xE8C6, 0x5F57)),
        ("pkhbt r1, r2, r3, lsl #16", (0xEAC2, 0x4103), NOP),
        ("pkhtb r1, r2, r3, asr #16", (0xEAC2, 0x4123), NOP),
        // As vpush {s16-s19} and so on.
        ("vpush {d8, d9}", (0xED2D, 0x8B04), (0xED2D, 0x8A04)),
        ("vpop {d8, d9}", (0xECBD, 0x8B04), (0xECBD, 0x8A04)),
        ("vldmia r0, {d0}", (0xEC90, 0x0B02), (0xEC90, 0x0A02)),
        (
            "vselgt.f32 s10, s11, s18",
            (0xFE35, 0x5A89),
            (0xFE65, 0x5A89),
        ),
        (
            "vseleq.f32 s11, s11, s18",
            (0xFE45, 0x5A89),
            (0xFE15, 0x5A89),
        ),
        ("vmaxnm.f32 s0, s0, s4", (0xFE80, 0x0A02), (0xFE80, 0x0A02)),
        ("vmaxnm.f32 s1, s0, s4", (0xFEC0, 0x0A02), (0xFE90, 0x0A02)),
    ];

    #[test]
    fn what_the_processor_lacks_is_run_as_what_it_has() {
        for (name, (first, second), runs) in PAIRS {
            assert_eq!(served(first, second), runs, "{name}");
        }
    }

    #[test]
    fn what_it_has_stays_as_it_is() {
        // vpush of words, vldr, ldrexb, strexh, ldrd, tbb, orr, and narrow ones whose successors look like LDA.
        for (first, second) in [
            (0xED2D, 0x8A04),
            (0xED9F, 0x0B6F),
            (0xE8D6, 0x5F4F),
            (0xE8C6, 0x5F57),
            (0xE9D2, 0x1002),
            (0xE8DF, 0xF003),
            (0xEA42, 0x0103),
            (0x2000, 0x1FAF),
            (0xB510, 0xE8D2),
        ] {
            assert_eq!(served(first, second), (first, second), "{first:04x}");
        }
    }

    #[test]
    fn the_interrupt_mask_is_not_the_fault_mask() {
        // cpsid i, cpsie i, cpsid f, cpsie f, cpsid if: bit 0 is the interrupts' there.
        for (code, runs) in [
            (0xB672, 0xB671),
            (0xB662, 0xB661),
            (0xB671, 0xB672),
            (0xB661, 0xB662),
            (0xB673, 0xB673),
        ] {
            assert_eq!(served(code, 0).0, runs);
        }
    }

    #[test]
    fn halves_are_packed_as_the_architecture_says() {
        let mut registers = [0; 16];
        registers[2] = 0x1111_2222;
        registers[3] = 0x8333_4444;
        let of = |second| Pack::read(0xEAC2, second).unwrap().of(&registers);
        assert_eq!(of(0x0103), 0x8333_2222);
        assert_eq!(of(0x4103), 0x4444_2222);
        assert_eq!(of(0x4123), 0x1111_8333);
        assert_eq!(of(0x0123), 0x1111_FFFF);
        assert_eq!(of(0x1123), 0x1111_3444);
        assert_eq!(Pack::read(0xEA42, 0x0103), None);
    }
}
