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

/// What the core of a board does, if it was counted.
fn costs(board: &Board) -> Option<Costs> {
    Some(match board.core {
        "Cortex-M0" => CORTEX_M0,
        "Cortex-M0+" => CORTEX_M0_PLUS,
        "Cortex-M3" | "Cortex-M4F" | "Cortex-M7F" | "Cortex-M33" => CORTEX_M4,
        "RISC-V RV32IMC" => RISC_V,
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
    let speed = board.speed?;
    let image = dimensions.image_bytes();
    let fetching = match image > board.copied_bytes {
        true => speed.flash_cycles_per_byte * image as f64,
        false => 0.0,
    };
    let cycles = speed.cycles_per_instruction * work(&costs(board)?, dimensions) + fetching;
    Some(1e6 * speed.mega_hertz / cycles)
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
        for board in BOARDS.iter() {
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
            let costs = costs(find(&name).unwrap()).unwrap();
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
