//! The engine against independent arithmetic: kernels, image, whole model.

#![allow(clippy::unwrap_used)]

use firmware::generator::Generator;
use firmware::image::{BLOCK, ImageError, TILE_ROWS};
use firmware::kernels::{Bits, PACKED_WORDS, portable, scalar};
use firmware::lstm::Lstm;
use firmware::sampler::{Settings, Thousandths};
use host::image::{AlignedImage, ModelParts, Weights};
use host::quantize::float::FloatState;
use host::quantize::{Widths, quantize, quantize_for_export};
use host::synthetic::float_model;
use proptest::prelude::*;

/// The sum that a kernel promises, by 64-bit arithmetic on plain weights.
fn exact_sums(weights: &Weights, hidden: &[i8], acc: [i32; TILE_ROWS]) -> [i32; TILE_ROWS] {
    let mut sums = acc;
    for (row, sum) in weights.values.chunks_exact(weights.columns).zip(&mut sums) {
        let products = row.iter().zip(hidden);
        let dot: i64 = products.map(|(&w, &h)| i64::from(w) * i64::from(h)).sum();
        *sum = (i64::from(*sum) + (dot << weights.bits.scale_log2())) as i32;
    }
    sums
}

/// Adds the products of a tile to four sums.
type Dot = fn(&[u32], &[u32], [i32; TILE_ROWS]) -> [i32; TILE_ROWS];

/// One set of kernels for one width: packing, offset, products.
struct Kernel {
    name: &'static str,
    bits: Bits,
    pack: fn(&[i8; BLOCK]) -> [u32; PACKED_WORDS],
    offset: fn(&[i8; BLOCK]) -> i32,
    dot: Dot,
}

/// All kernels that can run on a PC; those in assembly are compared in emulators.
const KERNELS: [Kernel; 4] = [
    Kernel {
        name: "portable int8",
        bits: Bits::Eight,
        pack: portable::pack_int8,
        offset: portable::offset_int8,
        dot: portable::dot_int8,
    },
    Kernel {
        name: "portable int4",
        bits: Bits::Four,
        pack: portable::pack_int4,
        offset: portable::offset_int4,
        dot: portable::dot_int4,
    },
    Kernel {
        name: "scalar int8",
        bits: Bits::Eight,
        pack: scalar::pack_int8,
        offset: scalar::offset_int8,
        dot: scalar::dot_int8,
    },
    Kernel {
        name: "scalar int4",
        bits: Bits::Four,
        pack: scalar::pack_int4,
        offset: scalar::offset_int4,
        dot: scalar::dot_int4,
    },
];

/// Compares all kernels; `weight` gives a weight for its position and the largest magnitude.
fn check_kernels(hidden: &[i8], acc: [i32; TILE_ROWS], weight: impl Fn(usize, i32) -> i32) {
    let columns = hidden.len().next_multiple_of(BLOCK);
    let mut padded = hidden.to_vec();
    padded.resize(columns, 0);
    let blocks = padded.as_chunks::<BLOCK>().0;
    for kernel in KERNELS {
        let max = kernel.bits.max_weight();
        let weights = Weights {
            bits: kernel.bits,
            columns,
            values: (0..TILE_ROWS * columns)
                .map(|position| weight(position, max) as i8)
                .collect(),
        };
        let packed: Vec<u32> = blocks.iter().flat_map(kernel.pack).collect();
        let offset = blocks
            .iter()
            .fold(0_i32, |sum, block| sum.wrapping_add((kernel.offset)(block)));
        let sums = (kernel.dot)(&weights.tiles(), &packed, acc);
        assert_eq!(
            sums.map(|sum| sum.wrapping_sub(offset)),
            exact_sums(&weights, hidden, acc),
            "{}",
            kernel.name
        );
    }
}

proptest! {
    #[test]
    fn kernels_equal_exact_arithmetic(
        hidden in proptest::collection::vec(-127..=127_i8, 1..200),
        acc: [i32; TILE_ROWS],
        seed: [u8; 32],
    ) {
        check_kernels(&hidden, acc, |position, max| {
            let byte = i32::from(seed[position % 32]);
            (byte * (position as i32 * 7 + 1)).rem_euclid(2 * max + 1) - max
        });
    }
}

#[test]
fn kernels_equal_exact_arithmetic_at_the_extremes() {
    for units in [1, 7, 8, 9, 100, 512] {
        for h in [-127, 127] {
            for acc in [i32::MIN, i32::MAX] {
                check_kernels(&vec![h; units], [acc; TILE_ROWS], |_, max| max);
                check_kernels(&vec![h; units], [acc; TILE_ROWS], |_, max| -max);
            }
        }
    }
}

fn image(symbols: usize, hidden: usize, layers: usize, widths: Widths) -> AlignedImage {
    let model = float_model(symbols, hidden, layers, 5);
    quantize(&model, widths).unwrap().to_image().unwrap()
}

#[test]
fn an_image_is_read_back_as_written() {
    let image = image(65, 44, 2, Widths::uniform(Bits::Eight));
    let model = image.model().unwrap();
    assert_eq!(model.name(), "synthetic-44");
    assert_eq!(
        (model.symbols(), model.hidden(), model.layers()),
        (65, 44, 2)
    );
    assert_eq!(
        (model.weight_bits(), model.image_bytes()),
        (8, image.bytes().len())
    );
    assert_eq!(model.alphabet().char(0), '\n');
    assert_eq!(model.alphabet().index_of('b'), Some(2));
    assert_eq!(model.alphabet().index_of('é'), None);
}

#[test]
fn any_single_changed_byte_is_rejected() {
    let sound = image(5, 9, 1, Widths::uniform(Bits::Four));
    for position in 0..sound.bytes().len() {
        for change in [1_u8, 0x80, 0xFF] {
            let mut bytes = sound.bytes().to_vec();
            bytes[position] ^= change;
            let damaged = AlignedImage::new(&bytes);
            assert!(damaged.model().is_err(), "byte {position} ^ {change}");
        }
    }
}

#[test]
fn a_truncated_image_is_rejected_at_every_length() {
    let sound = image(5, 9, 1, Widths::uniform(Bits::Eight));
    for length in 0..sound.bytes().len() {
        assert!(AlignedImage::new(&sound.bytes()[..length]).model().is_err());
    }
}

#[test]
fn a_newer_version_is_named() {
    let mut bytes = image(5, 9, 1, Widths::uniform(Bits::Eight))
        .bytes()
        .to_vec();
    bytes[4] = 9;
    let error = AlignedImage::new(&bytes).model().unwrap_err();
    assert_eq!(error, ImageError::Version { found: 9 });
    assert!(error.to_string().contains("version 9"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), magic: bool) {
        let mut bytes = bytes;
        if magic && bytes.len() >= 16 {
            bytes[..6].copy_from_slice(b"INKL\x02\x00");
            let length = (bytes.len() as u32).to_le_bytes();
            bytes[8..12].copy_from_slice(&length);
            let crc = firmware::image::checksum(&bytes).to_le_bytes();
            bytes[12..16].copy_from_slice(&crc);
        }
        let image = AlignedImage::new(&bytes);
        if let Ok(model) = image.model() {
            let mut lstm = Lstm::new(model);
            lstm.step(0);
            prop_assert_eq!(lstm.logits().len(), model.symbols());
        }
    }
}

/// Largest difference of a logit between engine and float model over some steps.
fn worst_logit_error(hidden: usize, layers: usize, widths: Widths) -> f64 {
    let float = float_model(40, hidden, layers, 11);
    let image = quantize(&float, widths).unwrap().to_image().unwrap();
    let mut engine = Lstm::new(image.model().unwrap());
    let mut reference = FloatState::new(&float);
    let mut worst = 0.0_f64;
    for step in 0..60_usize {
        let symbol = step * step % 40;
        engine.step(symbol as u8);
        reference.step(symbol);
        let pairs = engine.logits().iter().zip(reference.logits());
        for (&found, &exact) in pairs {
            worst = worst.max((f64::from(found) / 1024.0 - f64::from(exact)).abs());
        }
    }
    worst
}

#[test]
fn the_engine_follows_the_float_model() {
    for layers in [1, 2] {
        let error = worst_logit_error(52, layers, Widths::uniform(Bits::Eight));
        assert!(error < 0.1, "{layers} layers, int8: {error}");
    }
    let mixed = Widths {
        recurrent: Bits::Eight,
        output: Bits::Four,
    };
    assert!(worst_logit_error(52, 1, mixed) < 0.8);
    assert!(worst_logit_error(52, 1, Widths::uniform(Bits::Four)) < 1.5);
}

#[test]
fn an_export_keeps_what_training_has_rounded() {
    let mut float = float_model(40, 20, 1, 11);
    let widths = Widths::uniform(Bits::Four);
    let image = |parts: ModelParts| parts.to_image().unwrap().bytes().to_vec();
    let nearest = image(quantize(&float, widths).unwrap());
    for (fine_tune, is_kept) in [(0.0, false), (0.1, true)] {
        let recipe = format!("[model]\nbits = 4\n[quantization]\nfine_tune = {fine_tune:?}");
        float.metadata.insert("recipe".into(), recipe);
        let exported = image(quantize_for_export(&float, widths).unwrap());
        assert_eq!(exported == nearest, is_kept, "{fine_tune}");
    }
}

#[test]
fn weights_chosen_together_follow_the_float_model_more_closely() {
    for layers in [1, 2] {
        let float = float_model(40, 52, layers, 11);
        // A text of its own, from another start than that of the calibration.
        let mut reference = FloatState::new(&float);
        let (mut text, mut exact) = (vec![7], Vec::new());
        for step in 0..2_000_u32 {
            reference.step(text[step as usize].into());
            let logits = reference.logits().to_vec();
            let share = f64::from(step.wrapping_mul(2_654_435_769)) / f64::from(u32::MAX);
            let powers = logits.iter().map(|&logit| f64::from(logit).exp());
            let mut left = share * powers.clone().sum::<f64>();
            let drawn = powers.take_while(|power| {
                left -= power;
                left > 0.0
            });
            text.push(drawn.count().min(39) as u8);
            exact.push(logits);
        }
        let square_error = |parts: ModelParts| {
            let image = parts.to_image().unwrap();
            let mut engine = Lstm::new(image.model().unwrap());
            let errors = text.iter().zip(&exact).map(|(&symbol, exact)| {
                engine.step(symbol);
                let pairs = engine.logits().iter().zip(exact);
                let error = |(&found, &exact): (&i16, &f32)| {
                    (f64::from(found) / 1024.0 - f64::from(exact)).powi(2)
                };
                pairs.map(error).sum::<f64>()
            });
            errors.sum::<f64>()
        };
        let widths = Widths {
            recurrent: Bits::Four,
            output: Bits::Eight,
        };
        let nearest = square_error(quantize(&float, widths).unwrap());
        let together = square_error(quantize_for_export(&float, widths).unwrap());
        assert!(together < 0.95 * nearest, "{together} {nearest}");
    }
}

#[test]
fn an_alphabet_of_nothing_but_the_replacement_neither_hangs_nor_panics() {
    let mut model = float_model(1, 8, 1, 1);
    model.alphabet = vec![char::REPLACEMENT_CHARACTER];
    let parts = quantize(&model, Widths::uniform(Bits::Eight)).unwrap();
    let image = parts.to_image().unwrap();
    for temperature in [0, 800] {
        let settings = Settings {
            temperature: Thousandths(temperature),
            ..Settings::default()
        };
        let mut generator = Generator::new(image.model().unwrap(), settings, 1);
        let text: String = (0..100).map(|_| generator.next_char()).collect();
        assert_eq!(text, "\u{fffd}".repeat(100));
    }
}
