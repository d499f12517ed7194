//! What a training that cannot begin tells its user, word for word.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;

mod common;
#[path = "../../tests/common/told.rs"]
mod told;

use common::train;
use told::told;

/// Options that are refused, and what is said of them.
const REFUSED: [(&str, &str); 14] = [
    (
        "--text empty.txt",
        "'empty.txt' is empty; a model needs some text to learn from",
    ),
    (
        "--text short.txt",
        "the text has only 1 character; training needs at least 3",
    ),
    (
        "--text paper.pdf",
        "'paper.pdf' is a PDF document; save it as plain text in UTF-8 first",
    ),
    (
        "--text nothing.txt",
        "cannot find the text 'nothing.txt'; check the path, or say with --text where it is",
    ),
    (
        "--text text.txt --recipe nothing",
        "there is no recipe 'nothing'; choose one of base, quick, tutorial, 32k, 40k, 64k, 128k, 256k, 512k, or the path of a TOML file",
    ),
    (
        "--text text.txt --recipe bad.toml",
        "the recipe 'bad.toml' cannot be used: unknown field `hidden`, expected one of `seed`, `backend`, `model`, `data`, `length`, `optimizer`, `regularization`, `quantization`, `report`",
    ),
    (
        "--text text.txt --recipe circle.toml",
        "the recipe 'circle.toml' cannot be used: it inherits itself",
    ),
    (
        "--text text.txt --hidden 0",
        "hidden is 0, but it must be from 1 to 4096",
    ),
    (
        "--text text.txt --planes 9",
        "planes is 9, but it must be from 1 to 5",
    ),
    (
        "--text text.txt --steps 0",
        "steps is 0, but it must be at least 1",
    ),
    (
        "--text text.txt --from nothing",
        "there is no run 'nothing': `inkling train` makes runs",
    ),
    (
        "--text text.txt --from no.safetensors",
        "no.safetensors: not the float weights of a run (header too small): train again or name the run",
    ),
    (
        "--resume nothing",
        "there is no run 'nothing': `inkling train` makes runs",
    ),
    (
        "--text text.txt --backend native --device cuda",
        "the backend native computes on the CPU only: train with --device cpu, or a new run with --backend libtorch",
    ),
];

#[test]
fn a_training_that_cannot_begin_says_why_in_these_words() {
    let desk = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| fs::write(desk.path().join(name), content).unwrap();
    file("text.txt", common::text(60).as_bytes());
    file("empty.txt", b"");
    file("short.txt", b"x");
    file("paper.pdf", b"%PDF-1.7\nx");
    file("bad.toml", b"inherits = \"quick\"\nhidden = 3\n");
    file("circle.toml", b"inherits = \"circle.toml\"\n");
    file("no.safetensors", b"not one");
    for (line, said) in REFUSED {
        let transcript = told(train(desk.path(), &[]), desk.path(), line);
        assert_eq!(
            transcript,
            format!("$ inkling {line}\n[1] error: {said}\n\n")
        );
    }
    // And nothing is left of it.
    assert!(!desk.path().join("runs").exists() && !desk.path().join("weights").exists());
}
