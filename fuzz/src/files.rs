//! Files that people name: each is read or refused, and what was read is what would be written.

use std::path::Path;

use host::device::elf::{self, Footprint};
use host::device::flash::load::Load;
use host::device::flash::uf2;
use host::quantize::{InputForm, back, float::FloatModel, quantize};
use host::recipe::Recipe;
use host::stored;
use inkling_engine::writer::ModelParts;

/// Weights of more bytes than this are not quantized, so that many files are tried in a second.
const MOST_WEIGHTS: usize = 1 << 16;

/// UF2 files: what was read is in the file that is written of it.
pub fn uf2_file(bytes: &[u8]) {
    let Ok(families) = uf2::decode(bytes) else {
        return;
    };
    for (family, load) in families {
        let family = family.unwrap_or(uf2::ABSOLUTE);
        let written = uf2::decode(&uf2::encode(&load, family)).expect("it was just written");
        let written = &written[&Some(family)];
        for (address, part) in load.parts() {
            let before = written.parts().take_while(|(start, _)| *start <= address);
            let (start, whole) = before.last().expect("a part that was written");
            let within = (address - start) as usize;
            assert_eq!(&whole[within..within + part.len()], part);
        }
    }
}

/// Intel hex files: what was read is what is written.
pub fn hex_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(load) = Load::from_hex(text) {
        let written = load.to_hex().expect("it was just read");
        assert_eq!(Load::from_hex(&written), Ok(load));
    }
}

/// ELF files: a firmware stays one when it is given another model.
pub fn elf_file(bytes: &[u8]) {
    let _ = Load::from_elf(bytes).map(|load| {
        let _ = (load.image(), load.marked_board(), load.range());
    });
    let footprint = Footprint::read(bytes);
    let mut replaced = bytes.to_vec();
    if elf::replace_model(&mut replaced, b"INKL").is_err() {
        assert_eq!(replaced, bytes, "a refused firmware was changed");
    }
    if let Ok(footprint) = footprint {
        assert!(footprint.model_bytes <= footprint.flash_bytes);
    }
}

/// Weights of a run: whatever is read can be rounded, or is refused in a sentence.
pub fn weights(bytes: &[u8]) {
    if let Ok(model) = FloatModel::from_bytes(bytes)
        && bytes.len() <= MOST_WEIGHTS
    {
        for form in [InputForm::Smallest, InputForm::Folded] {
            if let Ok(parts) = quantize(&model, model.planes(), form) {
                check_image(&parts);
            }
        }
    }
}

/// Integers of a model that ships: whatever is read can be made an image again, and weights.
pub fn integers(bytes: &[u8]) {
    if let Ok(parts) = stored::from_bytes(bytes) {
        check_image(&parts);
        if let Ok(model) = back::float(&parts) {
            let _ = quantize(&model, parts.planes(), InputForm::Embedded);
        }
    }
}

fn check_image(parts: &ModelParts) {
    if let Ok(image) = parts.to_image() {
        let model = image
            .model()
            .expect("what the reader refuses is never written");
        assert_eq!(model.dimensions().hidden, parts.hidden);
    }
}

/// Recipes: what is accepted can work and is read again as it is written.
pub fn recipe(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let nowhere = Path::new("/nonexistent");
    if let Ok(recipe) = Recipe::of_text("fuzzed", text, Some(nowhere)) {
        assert_eq!(Recipe::from_toml(&recipe.to_toml()).ok(), Some(recipe));
    }
    if let Ok(recipe) = Recipe::from_toml(text) {
        let _ = recipe.check();
    }
}
