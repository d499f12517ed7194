//! What the page calls to talk to boards and to make files for them, as the functions of the crate's root.

use inkling_load::ModelPlace;

use super::{console, files, with};
use console::Console;

/// Takes the input for what a board has just printed. The output is what of it is to be shown, see
/// [`Console::hear`].
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn hear() {
    with(|instance| {
        instance.output.clear();
        instance.console.hear(&instance.input, &mut instance.output);
    });
}

/// The output is what is known of the board, see [`Console::status`].
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn status() {
    with(|instance| instance.output = instance.console.status().into_bytes());
}

/// Forgets the board: another one may be there next.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn unplug() {
    with(|instance| instance.console = Console::default());
}

/// Whether a board takes the input for a line; the output is the line as it is sent, or says why not.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn check_line() -> bool {
    with(|instance| {
        let checked = console::typed(&instance.input);
        instance.answer(checked)
    })
}

/// Puts a firmware and a model together: the first bytes of the input are a UF2 file, the others the image.
/// The output is a UF2 file for chips of that family with both, the model at its place in flash, or says why
/// not.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn combine(
    firmware_bytes: usize,
    family: u32,
    address: u32,
    bytes: u32,
    takes_models: bool,
) -> bool {
    with(|instance| {
        let (firmware, image) = instance
            .input
            .split_at_checked(firmware_bytes)
            .unwrap_or_default();
        let place = ModelPlace {
            address,
            bytes,
            takes_models,
        };
        let combined = files::combine(firmware, image, family, place);
        let is_done = combined.is_ok();
        instance.output = combined.unwrap_or_else(String::into_bytes);
        is_done
    })
}
