//! What comes over a serial line, read by the board and by the PC.

use firmware::console::{Command, LineEditor, check};
use firmware::protocol::{Heard, Parser, Said};

/// Whatever a board is sent, each of its lines is a command or is refused, and a command is typed as it is
/// displayed.
pub fn typed(bytes: &[u8]) {
    let mut editor = LineEditor::new();
    for &byte in bytes {
        let Some(line) = editor.push(byte) else {
            continue;
        };
        match line.map(Command::parse) {
            Ok(Ok(command)) => {
                let shown = command.to_string();
                assert_eq!(check(shown.as_bytes()), Ok(shown.as_str()));
                assert_eq!(Command::parse(&shown), Ok(command));
            }
            Ok(Err(error)) => assert!(!error.to_string().is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// Whatever a PC hears, no byte of it is lost, and what it understands is said in the same words.
pub fn heard(bytes: &[u8]) {
    let mut parser = Parser::new();
    for &byte in bytes {
        let was_mid_line = parser.is_mid_line();
        match parser.push(byte) {
            Heard::Text(text) => assert!(text == byte && !was_mid_line),
            Heard::Talk(talk) => assert!(talk == byte && was_mid_line),
            Heard::Line(line) => match Said::read(line) {
                Said::Start(start) => {
                    assert_eq!(Said::read(&start.to_string()), Said::Start(start));
                }
                Said::End(end) => assert_eq!(Said::read(&end.to_string()), Said::End(end)),
                _ => {}
            },
            Heard::Break | Heard::Done | Heard::Mark => {}
        }
    }
}
