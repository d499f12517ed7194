//! The engine's examples for boards, on emulated ones: they write what the PC predicts.

#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use host::engine::generator;
use host::toolchain::{cargo, rp2040js};
use host::{image, paths};
use inkling_engine::Settings;

const WRITTEN: usize = 1000;

/// Kills the emulator when the test ends, however it does.
struct Emulator(std::process::Child);

impl Emulator {
    fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.expect("`cargo xtask setup` installs the emulators"))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An example, linked for a board.
fn linked(package: &str, target: &str) -> PathBuf {
    let output = cargo::cargo()
        .current_dir(paths::project_dir())
        .args(["build", "--quiet", "--release", "--locked"])
        .args(["--package", package, "--target", target])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    cargo::executable(&output.stdout).expect("the example builds")
}

/// Compares what comes from a serial port with what the PC writes by the same model.
fn is_written(serial: &mut impl Read, model: &str) {
    let image = image::open(&paths::weights_dir().join(model)).unwrap();
    let mut generator = generator(image.model().unwrap(), Settings::default(), 1);
    let expected: String = (0..WRITTEN).map(|_| generator.next_char()).collect();
    let mut written = vec![0; expected.len()];
    serial.read_exact(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), expected);
}

#[test]
fn a_uart_fed_by_its_interrupt_loses_no_character() {
    let program = linked("example-uart-interrupt", "thumbv7em-none-eabihf");
    let mut command = Command::new("qemu-system-arm");
    command
        .args(["-machine", "netduinoplus2", "-nographic"])
        .args(["-monitor", "none", "-serial", "stdio"])
        .args(["-icount", "shift=0", "-kernel"])
        .arg(program)
        .stdout(Stdio::piped());
    let mut emulator = Emulator::start(command);
    let mut serial = emulator.0.stdout.take().unwrap();
    is_written(&mut serial, "shakespeare-32k.img");
}

#[test]
fn a_task_beside_others_writes_the_same_on_a_pico() {
    let program = linked("example-pico", "thumbv6m-none-eabi");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new(rp2040js::NODE);
    command
        .arg(paths::project_dir().join("host/src/device/rp2040.mjs"))
        .arg(rp2040js::package_dir())
        .arg(program)
        .arg(listener.local_addr().unwrap().port().to_string())
        .arg("uart")
        .stdout(Stdio::null());
    let _emulator = Emulator::start(command);
    let (mut serial, _) = listener.accept().unwrap();
    is_written(&mut serial, "shakespeare-64k.img");
}
