//! A recipe for a flash budget: the largest model that fits.
//!
//! Where the image ends is exact ([`Dimensions::image_bytes`]); [`suit`](super::suit) chooses the rest.

use inkling_engine::format::{Dimensions, GROUP};
use inkling_engine::state::MAX_STATE_WORDS;

use super::{Model, Recipe, RecipeError};
use crate::device::board::{Board, model_memory_bytes};
use crate::quantize::{InputForm, embedding_in_image};

/// What the recipes of budgets inherit from.
const BASE: &str = "quick";

/// The most that a board's model takes unless a budget asks for more: what trains within an hour or
/// so, and writes at a pace to read along on the smallest cores.
const COMFORTABLE_BYTES: usize = 256 * 1024;

/// The same where RAM is short: whatever the alphabet, a model of this size works in what there is.
const SMALL_BYTES: usize = 96 * 1024;

/// The recipe for a model of so many symbols whose image takes at most `budget` bytes.
///
/// It has one layer and recurrent weights of one trit, since more units are worth more than more trits,
/// unless `shape` says otherwise. Hidden units are as many as fit, whatever it says; of a shape that the engine
/// cannot hold in any size they stay as they are, see [`check_engine`].
///
/// # Errors
/// When not even the smallest model fits.
pub fn recipe(
    budget: usize,
    symbols: usize,
    shape: impl FnOnce(&mut Model),
) -> Result<Recipe, RecipeError> {
    let mut recipe = Recipe::find(BASE)?;
    recipe.model.layers = 1;
    shape(&mut recipe.model);
    recipe.check()?;
    let model = &mut recipe.model;
    let smallest = Model {
        hidden: GROUP as i64,
        ..model.clone()
    };
    let Some(least) = image_bytes(&smallest, symbols) else {
        return Ok(recipe);
    };
    if least > budget {
        return Err(RecipeError::BudgetTooSmall {
            budget,
            symbols,
            least,
        });
    }
    let mut next = smallest;
    while image_bytes(&next, symbols).is_some_and(|bytes| bytes <= budget) {
        model.hidden = next.hidden;
        next.hidden += GROUP as i64;
    }
    Ok(recipe)
}

/// Bytes of the image of a model; none for one that the engine cannot hold.
#[must_use]
pub fn image_bytes(model: &Model, symbols: usize) -> Option<usize> {
    dimensions(model, symbols).map(|dimensions| dimensions.image_bytes())
}

/// The dimensions of that image.
fn dimensions(model: &Model, symbols: usize) -> Option<Dimensions> {
    let folded = Dimensions {
        hidden: usize::try_from(model.hidden).ok()?,
        symbols,
        layers: usize::try_from(model.layers).ok()?,
        embedding: 0,
        planes: model.planes(),
    };
    let embedding = usize::try_from(model.embedding).ok()?;
    let dimensions = Dimensions {
        embedding: embedding_in_image(InputForm::Smallest, embedding, folded),
        ..folded
    };
    dimensions.fit().then_some(dimensions)
}

/// Refuses a model that the engine cannot hold.
///
/// # Errors
/// When it cannot.
pub fn check_engine(model: &Model, symbols: usize) -> Result<(), RecipeError> {
    match image_bytes(model, symbols) {
        Some(_) => Ok(()),
        None => Err(RecipeError::TooLargeForEngine {
            hidden: model.hidden,
            layers: model.layers,
            symbols,
        }),
    }
}

/// The flash that a model may take on a board: what the program leaves, or what is comfortable.
#[must_use]
pub fn of_board(board: &Board) -> usize {
    let is_small = model_memory_bytes(board) < 4 * MAX_STATE_WORDS;
    let comfortable = if is_small {
        SMALL_BYTES
    } else {
        COMFORTABLE_BYTES
    };
    let left = board
        .program_area_bytes()
        .saturating_sub(board.program_bytes());
    usize::try_from(left).unwrap_or(usize::MAX).min(comfortable)
}

/// Reads a number of bytes: `65536`, `64k`, `64KiB`, `0.5M`; a k is 1,024 bytes.
///
/// # Errors
/// One sentence.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let lower = text.trim().to_ascii_lowercase();
    let unit_at = lower.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = lower.split_at(unit_at.unwrap_or(lower.len()));
    let factor = match unit.trim() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        _ => f64::NAN,
    };
    let bytes = number.parse().unwrap_or(f64::NAN) * factor;
    if (1.0..1e12).contains(&bytes) {
        Ok(bytes as usize)
    } else {
        Err("expected a size like 64k, 0.5M or 65536".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::device::board::{BOARDS, holds};

    proptest! {
        #[test]
        fn no_choice_is_over_budget_and_the_next_size_would_be(
            budget in 1_usize..3_000_000,
            symbols in 1_usize..=255,
            shape in proptest::option::of((1_i64..=2, [1_u8..=5, 1_u8..=5, 1_u8..=5])),
        ) {
            let shaped = |model: &mut Model| {
                if let Some((layers, [planes, input_planes, output_planes])) = shape {
                    *model = Model { layers, planes, input_planes, output_planes, ..model.clone() };
                }
            };
            match recipe(budget, symbols, shaped) {
                Ok(recipe) => {
                    recipe.check().expect("a sound recipe");
                    let bytes = image_bytes(&recipe.model, symbols).expect("a model that fits");
                    prop_assert!(bytes <= budget);
                    let mut asked = recipe.model.clone();
                    shaped(&mut asked);
                    prop_assert_eq!(&asked, &recipe.model);
                    let mut next = recipe.model.clone();
                    next.hidden += GROUP as i64;
                    prop_assert!(image_bytes(&next, symbols).is_none_or(|bytes| bytes > budget));
                }
                Err(RecipeError::BudgetTooSmall { least, .. }) => {
                    prop_assert!(least > budget);
                    prop_assert!(recipe(least, symbols, shaped).is_ok());
                    prop_assert!(recipe(least - 1, symbols, shaped).is_err());
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
        }

        #[test]
        fn a_larger_budget_never_gives_a_smaller_model(
            budget in 4_000_usize..2_000_000,
            more in 0_usize..100_000,
            symbols in 1_usize..=255,
        ) {
            let (Ok(small), Ok(large)) =
                (recipe(budget, symbols, |_| ()), recipe(budget + more, symbols, |_| ()))
            else {
                return Ok(());
            };
            prop_assert!(small.model.hidden <= large.model.hidden);
            prop_assert!(image_bytes(&small.model, symbols) <= image_bytes(&large.model, symbols));
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("65536", 65_536),
            ("64k", 65_536),
            ("64 KiB", 65_536),
            ("0.5M", 524_288),
            ("1mb", 1_048_576),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "k", "64g", "-1", "0", "1e9", "NaN", "9999999m"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_boards_budget_leaves_room_for_the_program_and_holds_a_model() {
        for board in BOARDS.iter() {
            let budget = of_board(board);
            assert!(
                budget as u64 + board.program_bytes() <= board.program_area_bytes(),
                "{}",
                board.name
            );
            for symbols in [2, 30, 65, 120, 255] {
                let model = recipe(budget, symbols, |_| ()).expect("a recipe").model;
                let dimensions = dimensions(&model, symbols).expect("dimensions");
                assert!(holds(board, &dimensions), "{}: {dimensions:?}", board.name);
            }
        }
    }
}
