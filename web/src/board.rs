//! What the page calls to talk to boards and to make files for them, as the functions of the crate's root.

use firmware::sender::{GIVE_UP, INTERRUPTED};
use inkling_load::ModelPlace;

use super::{console, files, with};
use crate::sending::{Next, Sending};
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
pub extern "C" fn combine_uf2(
    firmware_bytes: usize,
    family: u32,
    address: u32,
    bytes: u32,
    takes_models: bool,
) -> bool {
    let place = ModelPlace {
        address,
        bytes,
        takes_models,
    };
    combine(firmware_bytes, |firmware, image| {
        files::uf2(firmware, image, family, place)
    })
}

/// The same with Intel hex files.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn combine_hex(
    firmware_bytes: usize,
    address: u32,
    bytes: u32,
    takes_models: bool,
) -> bool {
    let place = ModelPlace {
        address,
        bytes,
        takes_models,
    };
    combine(firmware_bytes, |firmware, image| {
        files::hex(firmware, image, place)
    })
}

/// The same with a linked firmware, which has the model in its midst; the output is an Intel hex file.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn combine_elf(firmware_bytes: usize) -> bool {
    combine(firmware_bytes, files::hex_of_elf)
}

fn combine(
    firmware_bytes: usize,
    work: impl FnOnce(&[u8], &[u8]) -> Result<Vec<u8>, String>,
) -> bool {
    with(|instance| {
        let (firmware, image) = instance
            .input
            .split_at_checked(firmware_bytes)
            .unwrap_or_default();
        let combined = work(firmware, image);
        let is_done = combined.is_ok();
        instance.output = combined.unwrap_or_else(String::into_bytes);
        is_done
    })
}

/// Sends a model: the first bytes of the input are its name, the others the image. The result is whether it
/// can be sent, else the output says why not. An instance sends one, and ends with it.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn send(name_bytes: usize) -> bool {
    with(|instance| {
        let (name, image) = instance
            .input
            .split_at_checked(name_bytes)
            .unwrap_or_default();
        let sending = Sending::new(&String::from_utf8_lossy(name), image);
        let is_done = sending.is_ok();
        match sending {
            Ok(sending) => instance.sending = Some(sending),
            Err(sentence) => instance.output = sentence.into_bytes(),
        }
        is_done
    })
}

/// Takes the input for what the board has just printed, so many milliseconds after [`send`].
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn send_heard(now: u32) {
    with(|instance| {
        if let Some(sending) = &mut instance.sending {
            sending.hear(&instance.input, now.into());
        }
    });
}

/// The board was gone, and is there again.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn send_reconnected(now: u32) {
    with(|instance| {
        if let Some(sending) = &mut instance.sending {
            sending.reconnect(now.into());
        }
    });
}

/// What to do next: 0 is to listen, 1 to type the output; then to ask again. With 2 the board uses the model, and
/// with 3 it does not: the output is the sentence about it.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn send_next(now: u32) -> u32 {
    with(|instance| {
        let next = instance.sending.as_mut();
        let (number, text) = match next.map_or(Next::Listen, |sending| sending.next(now.into())) {
            Next::Listen => (0, String::new()),
            Next::Type(line) => (1, line),
            Next::Done(sentence) => (2, sentence),
            Next::Failed(sentence) => (3, sentence),
        };
        instance.output = text.into_bytes();
        number
    })
}

/// How far it is, see [`Sending::progress`].
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn send_progress() {
    with(|instance| {
        let sending = instance.sending.as_ref();
        instance.output = sending.map_or_else(Vec::new, |sending| sending.progress().into());
    });
}

/// Sends no more. The output is what is to be typed, and behind a zero the sentence about it.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn send_stopped() {
    with(|instance| {
        instance.sending = None;
        instance.output = format!("{GIVE_UP}\0{INTERRUPTED}").into_bytes();
    });
}
