//! How fast a board would write with a model: an estimate from its shape, made without building anything.
//!
//! What a core does for a byte of trits, for a unit and for a character was counted in emulators
//! (`cargo xtask bench device`). How many cycles that takes on a chip was not: no board was measured, so
//! the speeds are good for telling a fast one from a slow one, and are shown with two digits.

use indicatif::HumanCount;
use inkling_engine::format::{Dimensions, Section};

use super::board::Board;

/// What a core does, in instructions or cycles.
#[derive(Debug, Clone, Copy)]
struct Costs {
    /// For a byte of the recurrent matrices, which is five trits.
    recurrent: f64,
    /// For a byte of the input matrix.
    input: f64,
    /// For a byte of the output matrix.
    output: f64,
    /// For a unit: tables of sums, gates and cell.
    unit: f64,
    /// For a character: choosing it.
    character: f64,
}

/// Instructions of a Cortex-M3, M4, M7 or M33.
const CORTEX_M4: Costs = Costs {
    recurrent: 3.5,
    input: 4.2,
    output: 4.0,
    unit: 157.0,
    character: 2_800.0,
};

/// Instructions of a Cortex-M0.
const CORTEX_M0: Costs = Costs {
    recurrent: 4.8,
    input: 6.2,
    output: 5.7,
    unit: 258.0,
    character: 5_400.0,
};

/// Cycles of a Cortex-M0+ that finds all in its cache.
const CORTEX_M0_PLUS: Costs = Costs {
    recurrent: 7.0,
    input: 8.5,
    output: 8.2,
    unit: 409.0,
    character: 7_700.0,
};

/// Instructions of RV32IMC.
const RISC_V: Costs = Costs {
    recurrent: 7.0,
    input: 8.1,
    output: 7.1,
    unit: 224.0,
    character: 3_300.0,
};

/// A flash that is read through a small cache.
#[derive(Debug, Clone, Copy)]
struct SerialFlash {
    /// Images of up to so many bytes are copied to RAM.
    copied_bytes: usize,
    /// To fetch a byte of one that is not.
    cycles_per_byte: f64,
}

/// A chip as its program sets it up.
#[derive(Debug, Clone, Copy)]
struct Chip {
    hertz: f64,
    costs: Costs,
    cycles_per_instruction: f64,
    flash: Option<SerialFlash>,
}

const fn serial(copied_kib: usize, cycles_per_byte: f64) -> Option<SerialFlash> {
    Some(SerialFlash {
        copied_bytes: copied_kib * 1024,
        cycles_per_byte,
    })
}

/// The chip of a board that people own.
fn chip(board: &Board) -> Option<Chip> {
    let chip = |mega_hertz: f64, costs, cycles_per_instruction, flash| Chip {
        hertz: 1e6 * mega_hertz,
        costs,
        cycles_per_instruction,
        flash,
    };
    // Loads and taken branches take more than a cycle, on some chips flash does too.
    Some(match board.name {
        "pico" => chip(125.0, CORTEX_M0_PLUS, 1.0, serial(192, 7.0)),
        "pico2" => chip(150.0, CORTEX_M4, 1.3, serial(384, 7.0)),
        "microbit" => chip(16.0, CORTEX_M0, 1.6, None),
        "microbit-v2" | "nrf52840-dk" => chip(64.0, CORTEX_M4, 1.5, None),
        "blackpill" => chip(100.0, CORTEX_M4, 1.5, None),
        "esp32c3" => chip(160.0, RISC_V, 1.3, serial(0, 8.0)),
        _ => return None,
    })
}

/// What a core does for a character, in what its costs are counted in.
fn work(costs: &Costs, dimensions: &Dimensions) -> f64 {
    let matrices: f64 = dimensions
        .sections()
        .map(|(section, bytes)| {
            let each = match section {
                Section::RecurrentMatrix => costs.recurrent,
                Section::InputMatrix => costs.input,
                Section::OutputMatrix => costs.output,
                _ => 0.0,
            };
            each * bytes as f64
        })
        .sum();
    let units = dimensions.hidden * dimensions.layers;
    matrices + costs.unit * units as f64 + costs.character
}

/// About how many characters a board would write in a second; none for boards that exist in emulators
/// only, whose speed is that of the PC.
#[must_use]
pub fn characters_per_second(board: &Board, dimensions: &Dimensions) -> Option<f64> {
    let chip = chip(board)?;
    let image = dimensions.image_bytes();
    let fetching = match chip.flash {
        Some(flash) if image > flash.copied_bytes => flash.cycles_per_byte * image as f64,
        _ => 0.0,
    };
    let cycles = chip.cycles_per_instruction * work(&chip.costs, dimensions) + fetching;
    Some(chip.hertz / cycles)
}

/// An estimate with as many digits as it is worth.
#[must_use]
pub fn in_words(characters_per_second: f64) -> String {
    let magnitude = characters_per_second.max(0.1).log10().floor() as i32;
    let unit = 10_f64.powi(magnitude - 1);
    let rounded = (characters_per_second / unit).round() * unit;
    match magnitude {
        ..1 => format!("{rounded:.1}"),
        _ => HumanCount(rounded as u64).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::bench::{SHAPE_PLANES, TUTORIAL_HIDDEN, TUTORIAL_SYMBOLS};
    use crate::device::{BOARDS, budget, find};
    use crate::image;

    #[test]
    fn boards_that_can_be_flashed_have_a_speed_and_emulated_ones_have_none() {
        let dimensions = tutorial(30);
        for board in BOARDS {
            let speed = characters_per_second(board, &dimensions);
            assert_eq!(speed.is_some(), board.flasher.is_some(), "{}", board.name);
            assert!(speed.is_none_or(|speed| speed > 20.0), "{}", board.name);
        }
    }

    fn tutorial(embedding: usize) -> Dimensions {
        Dimensions {
            hidden: TUTORIAL_HIDDEN,
            symbols: TUTORIAL_SYMBOLS,
            layers: 1,
            embedding,
            planes: SHAPE_PLANES,
        }
    }

    #[track_caller]
    fn is_near(what: &str, estimate: f64, measured: f64) {
        let ratio = estimate / measured;
        assert!((0.93..1.07).contains(&ratio), "{what}: {ratio}");
    }

    #[test]
    fn what_is_estimated_is_near_what_was_measured() {
        let budgets: std::collections::BTreeMap<String, budget::Budget> = toml::from_str(
            &std::fs::read_to_string(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../firmware/budgets.toml"
            ))
            .unwrap(),
        )
        .unwrap();
        for (name, budget) in budgets {
            let costs = match find(&name).unwrap().core {
                "Cortex-M0" => CORTEX_M0,
                "RISC-V RV32IMC" => RISC_V,
                _ => CORTEX_M4,
            };
            let embedded = budget.embedded_instructions as f64;
            is_near(&name, work(&costs, &tutorial(30)), embedded);
            let folded = budget.folded_instructions as f64;
            is_near(&name, work(&costs, &tutorial(0)), folded);
        }
    }

    #[test]
    fn larger_models_are_estimated_as_well() {
        for (name, costs, measured) in [
            ("shakespeare-32k", CORTEX_M4, 121_926.0),
            ("shakespeare-64k", CORTEX_M4, 237_158.0),
            ("shakespeare-512k", CORTEX_M4, 1_857_398.0),
            ("shakespeare-64k", CORTEX_M0_PLUS, 504_502.0),
            ("shakespeare-40k", CORTEX_M0_PLUS, 314_782.0),
        ] {
            let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../weights");
            let image = image::open(format!("{weights}/{name}.img").as_ref()).unwrap();
            let dimensions = image.model().unwrap().dimensions();
            is_near(name, work(&costs, &dimensions), measured);
        }
    }

    #[test]
    fn an_estimate_has_two_digits() {
        let words = [0.04, 0.42, 7.63, 48.4, 247.0, 1_234.0].map(in_words);
        assert_eq!(words, ["0.0", "0.4", "7.6", "48", "250", "1,200"]);
    }
}
