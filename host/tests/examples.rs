//! The engine's example for an interrupt-driven UART, on an emulated board: it writes what the PC predicts.

#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::process::{Command, Stdio};

use host::engine::generator;
use host::toolchain::cargo;
use host::{image, paths};
use inkling_engine::Settings;

/// Kills the emulator when the test ends, however it does.
struct Emulator(std::process::Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_uart_fed_by_its_interrupt_loses_no_character() {
    let root = paths::project_dir();
    let output = cargo::cargo()
        .current_dir(&root)
        .args(["build", "--quiet", "--release", "--locked"])
        .args(["--package", "example-uart-interrupt"])
        .args(["--target", "thumbv7em-none-eabihf"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let program = cargo::executable(&output.stdout).expect("the example builds");

    let image = image::open(&paths::weights_dir().join("shakespeare-32k.img")).unwrap();
    let mut generator = generator(image.model().unwrap(), Settings::default(), 1);
    let expected: String = (0..1000).map(|_| generator.next_char()).collect();

    let emulator = Command::new("qemu-system-arm")
        .args([
            "-machine",
            "netduinoplus2",
            "-nographic",
            "-monitor",
            "none",
        ])
        .args(["-serial", "stdio", "-icount", "shift=0", "-kernel"])
        .arg(program)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("`cargo xtask setup` installs QEMU");
    let mut emulator = Emulator(emulator);
    let mut written = vec![0; expected.len()];
    let mut serial = emulator.0.stdout.take().unwrap();
    serial.read_exact(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), expected);
}
