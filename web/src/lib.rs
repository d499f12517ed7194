//! The engine for the page, as functions that a browser calls without generated glue.
//!
//! What goes in is put where [`input`] says, what comes out lies where [`output`] says; numbers are
//! arguments and results. A function that can fail says so by its result, and its sentence is then the
//! output. An instance holds one model: for another one there is another instance, which costs nothing.
//! On a PC they have no such names, or `write` would be taken for that of the system.
//! Everything that a text follows from is in [`writer`], so that it can be tried on a PC too.

use std::cell::RefCell;

#[cfg(feature = "board")]
mod board;
#[cfg(all(feature = "checks", target_arch = "wasm32", target_feature = "simd128"))]
mod checks;
#[cfg(feature = "board")]
pub mod console;
#[cfg(feature = "board")]
pub mod files;
#[cfg(feature = "board")]
pub mod sending;
pub mod writer;

use inkling_engine::image::crc32;
use writer::{OpenModel, Writer};

/// All that an instance remembers.
#[derive(Default)]
struct Instance {
    input: Vec<u8>,
    output: Vec<u8>,
    choices: Vec<u32>,
    model: Option<OpenModel>,
    writers: Vec<Writer>,
    #[cfg(feature = "board")]
    console: console::Console,
    #[cfg(feature = "board")]
    sending: Option<sending::Sending>,
}

thread_local! {
    static INSTANCE: RefCell<Instance> = RefCell::default();
}

fn with<T>(work: impl FnOnce(&mut Instance) -> T) -> T {
    INSTANCE.with_borrow_mut(work)
}

/// Makes room for so many bytes of input and says where.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn input(bytes: usize) -> *mut u8 {
    with(|instance| {
        instance.input.clear();
        instance.input.resize(bytes, 0);
        instance.input.as_mut_ptr()
    })
}

/// Where the output lies; [`output_bytes`] says how much of it there is.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn output() -> *const u8 {
    with(|instance| instance.output.as_ptr())
}

/// See [`output`].
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn output_bytes() -> usize {
    with(|instance| instance.output.len())
}

/// Where the words lie that [`write()`] gives about its characters, [`writer::CHOICE_WORDS`] for each.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn choices() -> *const u32 {
    with(|instance| instance.choices.as_ptr())
}

/// See [`choices`].
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn choice_words() -> usize {
    with(|instance| instance.choices.len())
}

/// Takes the input for a model image. The output describes the model, see [`OpenModel::description`], or
/// says why it was refused; the result is whether it was taken.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn open() -> bool {
    with(|instance| {
        instance.writers.clear();
        let opened = OpenModel::new(&instance.input).map_err(|error| error.to_string());
        let described = opened.map(|model| instance.model.insert(model).description());
        instance.answer(described)
    })
}

/// Whether the model knows all of a prompt, which is the input, so that it can be read as it is.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn knows() -> bool {
    with(|instance| {
        let model = instance.model.as_ref();
        model.is_some_and(|model| model.knows(&instance.input))
    })
}

/// Reads a prompt, which is the input, as the command line does. The output is the prompt in characters that
/// the model knows; behind a zero follows what the user should know of it, if anything.
#[cfg(feature = "prompt")]
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn read_prompt() -> bool {
    with(|instance| {
        let read = match &instance.model {
            None => Err("there is no model yet".to_owned()),
            Some(model) => model.read_prompt(&instance.input),
        };
        instance.answer(read)
    })
}

/// Begins a text, see [`writer::Order`] for the input. The result is the number of its writer, for
/// [`write()`], and the output the prompt as the model reads it; or it is -1, and the output says why.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn begin() -> i32 {
    with(|instance| {
        let begun = match &instance.model {
            None => Err("there is no model yet".to_owned()),
            Some(model) => Writer::begin(model, &instance.input),
        };
        let number = instance.writers.len() as i32;
        let prompt = begun.map(|(writer, prompt)| {
            instance.writers.push(writer);
            prompt
        });
        match instance.answer(prompt) {
            true => number,
            false => -1,
        }
    })
}

/// Writes so many characters, which are the output; with `chosen`, [`choices`] tells of each what else it
/// could have been. The result is how many they are: none from a writer that does not exist.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn write(writer: usize, characters: u32, chosen: bool) -> u32 {
    with(|instance| {
        let Instance {
            output,
            choices,
            writers,
            ..
        } = instance;
        output.clear();
        choices.clear();
        let Some(writer) = writers.get_mut(writer) else {
            return 0;
        };
        for _ in 0..characters {
            let character = writer.write(chosen.then_some(&mut *choices));
            output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        characters
    })
}

/// Ends all texts; writers are numbered from 0 again.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn end() {
    with(|instance| instance.writers.clear());
}

/// The CRC-32 of the input.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn checksum() -> u32 {
    with(|instance| crc32(&instance.input))
}

/// Whether this is the engine with vectors.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn has_vectors() -> bool {
    cfg!(target_feature = "simd128")
}

impl Instance {
    fn answer(&mut self, result: Result<String, String>) -> bool {
        let is_done = result.is_ok();
        self.output = result.unwrap_or_else(|sentence| sentence).into_bytes();
        is_done
    }
}
