//! Serial ports: which of them are boards, and how one is opened.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use firmware::board::identity::USB_PRODUCT_PREFIX;
use firmware::console::Command;
use serialport::{ErrorKind, SerialPortInfo, SerialPortType};

use super::error::LineError;
use super::permission;
use crate::device::Board;
use crate::device::usb::{self, Certainty};
use crate::output::one_line;

/// What every board's UART runs at; USB ports take any speed.
const BAUD: u32 = 115_200;

/// What no console runs at: a port that is opened at it and closed again asks for the boot loader.
const TOUCH_BAUD: u32 = 1200;

/// How long a read waits before the caller gets its turn; writing may take as long per piece.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// How long a connection over the network may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What stands before an address on the network.
const TCP: &str = "tcp:";

/// A serial port that the system has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The name to open it by.
    pub name: String,
    /// What it is, as far as the system tells.
    pub what: String,
    /// The boards that it may be; none for a port of something else.
    pub boards: Vec<String>,
    /// How sure that is; `None` for a port of something else.
    certainty: Option<Certainty>,
    /// The numbers of its USB device, if it has one.
    usb: Option<(u16, u16)>,
}

impl Port {
    fn new(info: SerialPortInfo) -> Port {
        let name = info.port_name;
        let SerialPortType::UsbPort(port) = info.port_type else {
            return Port {
                name,
                what: "serial port".into(),
                boards: Vec::new(),
                certainty: None,
                usb: None,
            };
        };
        let product = port.product.as_deref().unwrap_or_default();
        // Linux without libudev gives spaces as underscores. Devices say what they like.
        let plain = one_line(&product.replace('_', " "));
        let known = usb::known(port.vid, port.pid);
        let boards = match known {
            Some((_, Certainty::Own)) => {
                let board = plain.strip_prefix(USB_PRODUCT_PREFIX);
                board.map(str::to_owned).into_iter().collect()
            }
            Some((device, _)) => device.boards.iter().map(ToString::to_string).collect(),
            None => Vec::new(),
        };
        let certainty = known.map(|(_, certainty)| certainty);
        let what = match (plain.trim(), known) {
            ("", Some((device, _))) => device.what.to_owned(),
            ("", None) => format!("USB device {:04x}:{:04x}", port.vid, port.pid),
            (product, _) => product.to_owned(),
        };
        Port {
            name,
            what,
            certainty: certainty.filter(|_| !boards.is_empty()),
            boards,
            usb: Some((port.vid, port.pid)),
        }
    }

    /// Our own firmware speaks USB there.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.certainty == Some(Certainty::Own)
    }

    /// Its name with what it is.
    #[must_use]
    pub fn described(&self) -> String {
        format!("{}, {}", self.name, self.what)
    }
}

/// All serial ports of the system.
///
/// # Errors
/// When the system does not tell.
pub fn all() -> Result<Vec<Port>, LineError> {
    // Looked at first because the crate does not survive that it is missing.
    if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").is_dir() {
        return Ok(Vec::new());
    }
    let ports = serialport::available_ports().map_err(|error| LineError::Open {
        port: "the list of serial ports".into(),
        reason: error.to_string(),
    })?;
    let mut ports: Vec<_> = ports.into_iter().map(Port::new).collect();
    ports.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(ports)
}

/// The one port among `ports` that is a board's: of `board`, if one is named, else of any. A board
/// whose own USB port is there is not looked for behind its debugger's, and none behind an adapter, which
/// may be anybody's, where there is a port that says more.
///
/// # Errors
/// When there is none, or more than one.
pub fn choose(board: Option<&Board>, ports: &[Port]) -> Result<String, LineError> {
    let fits = |port: &&Port| match board {
        Some(board) => port.boards.iter().any(|name| name == board.name),
        None => !port.boards.is_empty(),
    };
    let (mut right, others): (Vec<_>, Vec<_>) = ports.iter().partition(fits);
    let own = right.iter().filter(|port| port.is_own());
    let there: Vec<_> = own.flat_map(|port| &port.boards).collect();
    right.retain(|port| port.is_own() || !port.boards.iter().all(|board| there.contains(&board)));
    let is_adapter = |port: &&Port| port.certainty == Some(Certainty::Adapter);
    if !right.iter().all(is_adapter) {
        right.retain(|port| !is_adapter(port));
    }
    let described = |ports: &[&Port]| ports.iter().map(|port| port.described()).collect();
    match right.as_slice() {
        [port] => Ok(port.name.clone()),
        [] => Err(LineError::NoBoard {
            others: described(&others),
        }),
        ports => Err(LineError::Several {
            ports: described(ports),
        }),
    }
}

/// The ports at which our own firmware runs on a board.
#[must_use]
pub fn running<'p>(board: &Board, ports: &'p [Port]) -> Vec<&'p Port> {
    let is_it = |port: &&Port| port.is_own() && port.boards.iter().any(|name| name == board.name);
    ports.iter().filter(is_it).collect()
}

/// Asks a board whose own USB port this is to restart into its boot loader: the port is opened at a
/// speed that is used for nothing else, and closed.
///
/// # Errors
/// When the port cannot be opened.
pub fn touch(port: &str) -> Result<(), LineError> {
    let opened = serialport::new(port, TOUCH_BAUD).timeout(TICK).open();
    let mut opened = opened.map_err(|error| explain(port, &error))?;
    // As it is closed, the system does the same; ports without such a line have nothing to be told.
    let _ = opened.write_data_terminal_ready(true);
    let _ = opened.write_data_terminal_ready(false);
    Ok(())
}

/// Types the console's command for that at a port behind which a board is, whatever is between.
///
/// # Errors
/// When the port cannot be opened or takes nothing.
pub fn type_boot_loader(port: &str) -> Result<(), LineError> {
    let mut writer = open(port)?.writer;
    // What has been typed so far is taken back.
    let typed = writer.write_all(format!("\x15{}\n", Command::BootLoader).as_bytes());
    typed
        .and_then(|()| writer.flush())
        .map_err(|reason| LineError::Open {
            port: port.into(),
            reason: reason.to_string(),
        })
}

/// The two directions of an open port.
pub(super) struct Streams {
    pub reader: Box<dyn Read + Send>,
    pub writer: Box<dyn Write + Send>,
}

/// Opens a port by its name, or a socket by `tcp:HOST:PORT`.
///
/// # Errors
/// When it is not there, busy, or not the user's to open.
pub(super) fn open(port: &str) -> Result<Streams, LineError> {
    match port.strip_prefix(TCP) {
        Some(address) => connect(address).map_err(|reason| LineError::Address {
            port: port.into(),
            reason,
        }),
        None => open_serial(port),
    }
}

fn connect(address: &str) -> io::Result<Streams> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(TICK))?;
                return Ok(Streams {
                    reader: Box::new(stream.try_clone()?),
                    writer: Box::new(stream),
                });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn explain(port: &str, error: &serialport::Error) -> LineError {
    let port = port.to_owned();
    match error.kind() {
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => LineError::Permission {
            advice: permission::advice(&port, usb_of(&port)),
            port,
        },
        ErrorKind::Io(io::ErrorKind::NotFound) => LineError::NoPort { port },
        // The crate tells a busy port like this on Unix, and a missing one on Windows.
        ErrorKind::NoDevice if cfg!(unix) => LineError::Busy { port },
        ErrorKind::NoDevice => LineError::NoPort { port },
        _ => LineError::Open {
            port,
            reason: error.to_string(),
        },
    }
}

fn open_serial(port: &str) -> Result<Streams, LineError> {
    let explain = |error: serialport::Error| explain(port, &error);
    let reader = serialport::new(port, BAUD)
        .timeout(TICK)
        .open()
        .map_err(explain)?;
    let mut writer = reader.try_clone().map_err(explain)?;
    // USB ports of boards send only while somebody is there; other ports do not care.
    let _ = writer.write_data_terminal_ready(true);
    Ok(Streams { reader, writer })
}

/// The numbers of the USB device behind a port, if there is one.
fn usb_of(port: &str) -> Option<(u16, u16)> {
    // The name may be that of a link, as those in /dev/serial/by-id are.
    let real = std::fs::canonicalize(port).unwrap_or_else(|_| port.into());
    let ports = all().unwrap_or_default();
    ports
        .into_iter()
        .find(|port| Path::new(&port.name) == real)?
        .usb
}

#[cfg(test)]
mod tests {
    use serialport::UsbPortInfo;

    use super::*;
    use crate::device::find;

    fn usb(name: &str, vid: u16, pid: u16, product: &str) -> Port {
        Port::new(SerialPortInfo {
            port_name: name.into(),
            port_type: SerialPortType::UsbPort(UsbPortInfo {
                vid,
                pid,
                serial_number: None,
                manufacturer: None,
                product: (!product.is_empty()).then(|| product.into()),
            }),
        })
    }

    fn builtin() -> Port {
        Port::new(SerialPortInfo {
            port_name: "/dev/ttyS0".into(),
            port_type: SerialPortType::Unknown,
        })
    }

    fn pico() -> Port {
        usb("/dev/ttyACM0", 0x1209, 1, "Inkling on pico")
    }

    #[test]
    fn boards_are_known_by_their_usb_identity() {
        let named = |port: Port| port.boards.join(" ");
        assert_eq!(named(pico()), "pico");
        assert_eq!(named(usb("", 0x1209, 1, "Inkling_on_pico2")), "pico2");
        assert_eq!(named(usb("", 0x1209, 1, "a keyboard")), "");
        assert_eq!(named(usb("", 0x0D28, 0x0204, "")), "microbit-v2 microbit");
        assert_eq!(named(usb("", 0x1366, 0x1051, "J-Link")), "nrf52840-dk");
        assert_eq!(named(usb("", 0x0483, 0x374B, "STM32 STLink")), "blackpill");
        assert_eq!(named(usb("", 0x303A, 0x1001, "")), "esp32c3");
        assert_eq!(named(usb("", 0x2E8A, 0x000C, "Debug Probe")), "pico pico2");
        assert_eq!(named(usb("", 0x2E8A, 0x0005, "Board in FS mode")), "");
        assert_eq!(named(usb("", 0x0483, 0x5740, "Virtual COM Port")), "");
        assert_eq!(named(usb("", 0x1209, 2, "Inkling on pico")), "");
        for (vendor, product) in [
            (0x10C4, 0xEA60),
            (0x1A86, 0x7523),
            (0x1A86, 0x55D4),
            (0x0403, 0x6001),
        ] {
            assert_eq!(
                named(usb("", vendor, product, "USB Serial")),
                "blackpill esp32c3"
            );
        }
        assert_eq!(named(usb("", 0x0403, 0x1234, "an instrument")), "");
        assert_eq!(named(builtin()), "");
    }

    #[test]
    fn the_one_board_is_chosen_and_two_are_listed() {
        let microbit = || usb("/dev/ttyACM1", 0x0D28, 0x0204, "BBC micro:bit CMSIS-DAP");
        assert_eq!(choose(None, &[builtin(), pico()]).unwrap(), "/dev/ttyACM0");
        let board = find("microbit-v2").unwrap();
        let both = [builtin(), pico(), microbit()];
        assert_eq!(choose(Some(board), &both).unwrap(), "/dev/ttyACM1");
        let error = choose(None, &both).unwrap_err().to_string();
        assert!(
            error.contains("/dev/ttyACM0, Inkling on pico; /dev/ttyACM1, BBC"),
            "{error}"
        );
        let error = choose(None, &[builtin()]).unwrap_err().to_string();
        assert!(
            error.contains("--port (/dev/ttyS0, serial port)"),
            "{error}"
        );
        let error = choose(None, &[]).unwrap_err().to_string();
        assert!(error.ends_with("--port"), "{error}");
    }

    #[test]
    fn a_boards_own_port_is_preferred_to_its_debuggers() {
        let own = || usb("/dev/ttyACM0", 0x1209, 1, "Inkling on nrf52840-dk");
        let debugger = || usb("/dev/ttyACM1", 0x1366, 0x1051, "J-Link");
        let stranger = || usb("/dev/ttyACM2", 0x0483, 0x374B, "STM32 STLink");
        let board = find("nrf52840-dk").unwrap();
        for board in [None, Some(board)] {
            let chosen = choose(board, &[debugger(), own(), builtin()]);
            assert_eq!(chosen.unwrap(), "/dev/ttyACM0");
        }
        assert!(choose(None, &[debugger(), own(), stranger()]).is_err());
        assert!(choose(Some(board), &[own(), own()]).is_err());
    }

    #[test]
    fn a_board_behind_an_adapter_is_found_where_no_port_says_more() {
        let adapter = || usb("/dev/ttyUSB0", 0x10C4, 0xEA60, "CP2102N USB to UART");
        let esp32c3 = find("esp32c3").unwrap();
        for board in [None, Some(esp32c3)] {
            let chosen = choose(board, &[builtin(), adapter()]);
            assert_eq!(chosen.unwrap(), "/dev/ttyUSB0");
        }
        // An adapter may be anybody's; a Pico that runs our firmware is a Pico.
        assert_eq!(choose(None, &[adapter(), pico()]).unwrap(), "/dev/ttyACM0");
        assert_eq!(
            choose(Some(esp32c3), &[adapter(), pico()]).unwrap(),
            "/dev/ttyUSB0"
        );
        let own = usb("/dev/ttyACM3", 0x303A, 0x1001, "");
        assert_eq!(
            choose(Some(esp32c3), &[adapter(), own]).unwrap(),
            "/dev/ttyACM3"
        );
        assert!(choose(None, &[adapter(), adapter()]).is_err());
        assert!(choose(find("microbit").ok(), &[adapter()]).is_err());
    }

    #[test]
    fn a_board_that_runs_is_found_to_be_asked_for_its_boot_loader() {
        let probe = usb("/dev/ttyACM1", 0x2E8A, 0x000C, "Debug Probe");
        let ports = [builtin(), probe, pico()];
        let names = |board| -> Vec<_> {
            let ports = running(find(board).unwrap(), &ports);
            ports.into_iter().map(|port| port.name.as_str()).collect()
        };
        assert_eq!(names("pico"), ["/dev/ttyACM0"]);
        assert!(names("pico2").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_touch_opens_the_port_at_1200_baud_and_closes_it() {
        use serialport::{SerialPort, TTYPort};

        let (controller, board) = TTYPort::pair().unwrap();
        let name = board.name().unwrap();
        drop(board);
        touch(&name).unwrap();
        assert_eq!(controller.baud_rate().unwrap(), 1200);
    }

    #[test]
    fn a_port_that_is_not_there_is_named() {
        let error = |port: &str| open(port).err().unwrap().to_string();
        assert!(error("/dev/no-such-port").contains("/dev/no-such-port"));
        assert!(error("tcp:localhost").contains("tcp:HOST:PORT"));
    }
}
