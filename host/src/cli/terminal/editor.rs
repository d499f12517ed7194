//! The line that is being typed: editing, history, completion of the console's commands.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use firmware::console::{HELP, LINE_BYTES};

use super::SEND;
use tui_input::{Input, InputRequest};

use crate::paths;

/// How many lines are remembered.
const REMEMBERED: usize = 200;

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing but to show the line again.
    Edit,
    /// Send this line to the board.
    Send(String),
    /// Show this to the user.
    Show(String),
    /// End the conversation.
    Leave,
}

/// A line editor with the lines that were typed before.
#[derive(Debug)]
pub struct Editor {
    input: Input,
    history: Vec<String>,
    /// The line of the history that is shown; behind the last it is a new one.
    shown: usize,
    /// The new line while an old one is shown.
    new: String,
    file: PathBuf,
}

impl Editor {
    /// An empty line; the lines before it are those in `file`, if there is one.
    pub fn new(file: PathBuf) -> Editor {
        let history: Vec<String> = std::fs::read_to_string(&file)
            .map(|text| text.lines().map(str::to_owned).collect())
            .unwrap_or_default();
        Editor {
            input: Input::default(),
            shown: history.len(),
            history,
            new: String::new(),
            file,
        }
    }

    /// The file where the user's lines are kept between conversations.
    pub fn history_file() -> PathBuf {
        paths::cache_dir().join("console-history.txt")
    }

    /// What is typed so far, and the cursor's place in it in characters.
    pub fn line(&self) -> (&str, usize) {
        (self.input.value(), self.input.cursor())
    }

    /// Takes pasted text: its first line, without what cannot be typed.
    pub fn paste(&mut self, text: &str) {
        let line = text.lines().next().unwrap_or_default();
        for c in line.chars().filter(|c| !c.is_control()) {
            self.insert(c);
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Action {
        if key.kind == KeyEventKind::Release {
            return Action::Edit;
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let request = match (key.code, ctrl, alt) {
            (KeyCode::Char('c'), true, _) => return Action::Leave,
            (KeyCode::Char('d'), true, _) if self.input.value().is_empty() => {
                return Action::Leave;
            }
            (KeyCode::Enter, ..) => return self.send(),
            (KeyCode::Tab, ..) => return self.complete(),
            (KeyCode::Up, ..) | (KeyCode::Char('p'), true, _) => return self.recall(-1),
            (KeyCode::Down, ..) | (KeyCode::Char('n'), true, _) => return self.recall(1),
            (KeyCode::Char(c), false, false) => {
                self.insert(c);
                return Action::Edit;
            }
            (KeyCode::Left, true, _) | (KeyCode::Char('b'), _, true) => InputRequest::GoToPrevWord,
            (KeyCode::Right, true, _) | (KeyCode::Char('f'), _, true) => InputRequest::GoToNextWord,
            (KeyCode::Left, ..) | (KeyCode::Char('b'), true, _) => InputRequest::GoToPrevChar,
            (KeyCode::Right, ..) | (KeyCode::Char('f'), true, _) => InputRequest::GoToNextChar,
            (KeyCode::Home, ..) | (KeyCode::Char('a'), true, _) => InputRequest::GoToStart,
            (KeyCode::End, ..) | (KeyCode::Char('e'), true, _) => InputRequest::GoToEnd,
            (KeyCode::Backspace, _, true) | (KeyCode::Char('w'), true, _) => {
                InputRequest::DeletePrevWord
            }
            (KeyCode::Backspace, ..) | (KeyCode::Char('h'), true, _) => {
                InputRequest::DeletePrevChar
            }
            (KeyCode::Delete, ..) | (KeyCode::Char('d'), true, _) => InputRequest::DeleteNextChar,
            (KeyCode::Char('d'), _, true) => InputRequest::DeleteNextWord,
            (KeyCode::Char('k'), true, _) => InputRequest::DeleteTillEnd,
            (KeyCode::Char('u'), true, _) => InputRequest::DeleteFromStart,
            (KeyCode::Char('y'), true, _) => InputRequest::Yank,
            (KeyCode::Esc, ..) => InputRequest::DeleteLine,
            _ => return Action::Edit,
        };
        self.input.handle(request);
        Action::Edit
    }

    /// Inserts a character, unless the board would throw the line away as too long.
    fn insert(&mut self, c: char) {
        if self.input.value().len() + c.len_utf8() <= LINE_BYTES {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    fn send(&mut self) -> Action {
        let line = self.input.value_and_reset();
        if line.trim().is_empty() {
            return Action::Edit;
        }
        if self.history.last() != Some(&line) {
            self.history.push(line.clone());
            let surplus = self.history.len().saturating_sub(REMEMBERED);
            self.history.drain(..surplus);
            // A history that cannot be kept is not worth a complaint in the middle of the text.
            let _ = paths::write_atomic(&self.file, (self.history.join("\n") + "\n").as_bytes());
        }
        self.shown = self.history.len();
        Action::Send(line)
    }

    /// Shows an older or newer line.
    fn recall(&mut self, step: isize) -> Action {
        let Some(shown) = self.shown.checked_add_signed(step) else {
            return Action::Edit;
        };
        if shown > self.history.len() {
            return Action::Edit;
        }
        if self.shown == self.history.len() {
            self.new = self.input.value().to_owned();
        }
        self.shown = shown;
        let line = self.history.get(shown).unwrap_or(&self.new).clone();
        self.input = Input::new(line);
        Action::Edit
    }

    /// Completes the name of a command as far as it is certain; shows the choice if it is not.
    fn complete(&mut self) -> Action {
        let begun = self.input.value().to_owned();
        let choice: Vec<_> = commands()
            .filter(|(name, _)| name.starts_with(&begun))
            .collect();
        let line = match choice.as_slice() {
            _ if !begun.starts_with('/') => return Action::Edit,
            [] => return Action::Edit,
            [(name, true)] => format!("{name} "),
            [(name, false)] => (*name).to_owned(),
            [(first, _), others @ ..] => {
                let common = (0..first.len())
                    .take_while(|&at| {
                        let byte = first.as_bytes().get(at);
                        others
                            .iter()
                            .all(|(name, _)| name.as_bytes().get(at) == byte)
                    })
                    .count();
                if common == begun.len() {
                    let names: Vec<_> = choice.iter().map(|(name, _)| *name).collect();
                    return Action::Show(names.join("  "));
                }
                first[..common].to_owned()
            }
        };
        self.input = Input::new(line);
        Action::Edit
    }
}

/// The console's commands, and whether they take a value.
fn commands() -> impl Iterator<Item = (&'static str, bool)> {
    let own = [(SEND.trim_end(), true)];
    let boards = HELP.iter().filter_map(|line| {
        let (usage, _) = line.split_once("  ")?;
        let name = usage.split(' ').next()?;
        let is_command = name.starts_with('/') && !name.starts_with("//");
        is_command.then_some((name, usage.contains(' ')))
    });
    boards.chain(own)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn editor(folder: &TempDir) -> Editor {
        Editor::new(folder.path().join("history.txt"))
    }

    fn press(editor: &mut Editor, code: KeyCode) -> Action {
        editor.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn type_in(editor: &mut Editor, text: &str) {
        for c in text.chars() {
            assert_eq!(press(editor, KeyCode::Char(c)), Action::Edit);
        }
    }

    fn send(editor: &mut Editor, text: &str) {
        type_in(editor, text);
        assert_eq!(press(editor, KeyCode::Enter), Action::Send(text.into()));
    }

    #[test]
    fn commands_are_completed_as_far_as_they_are_certain() {
        let folder = TempDir::new().unwrap();
        let mut editor = editor(&folder);
        type_in(&mut editor, "/te");
        press(&mut editor, KeyCode::Tab);
        assert_eq!(editor.line(), ("/temp ", 6));
        press(&mut editor, KeyCode::Esc);
        type_in(&mut editor, "/to");
        assert_eq!(press(&mut editor, KeyCode::Tab), Action::Edit);
        assert_eq!(editor.line().0, "/top");
        assert_eq!(
            press(&mut editor, KeyCode::Tab),
            Action::Show("/topk  /topp".into())
        );
        press(&mut editor, KeyCode::Esc);
        type_in(&mut editor, "/pa");
        press(&mut editor, KeyCode::Tab);
        assert_eq!(editor.line().0, "/pause");
        press(&mut editor, KeyCode::Esc);
        type_in(&mut editor, "prompt");
        press(&mut editor, KeyCode::Tab);
        assert_eq!(editor.line().0, "prompt");
    }

    #[test]
    fn lines_come_back_in_this_conversation_and_the_next() {
        let folder = TempDir::new().unwrap();
        let mut first = editor(&folder);
        send(&mut first, "one");
        send(&mut first, "two");
        send(&mut first, "two");
        type_in(&mut first, "new");
        press(&mut first, KeyCode::Up);
        assert_eq!(first.line().0, "two");
        press(&mut first, KeyCode::Up);
        press(&mut first, KeyCode::Up);
        assert_eq!(first.line().0, "one");
        press(&mut first, KeyCode::Down);
        press(&mut first, KeyCode::Down);
        press(&mut first, KeyCode::Down);
        assert_eq!(first.line().0, "new");
        let mut second = editor(&folder);
        press(&mut second, KeyCode::Up);
        assert_eq!(second.line().0, "two");
    }

    #[test]
    fn nothing_longer_than_the_board_takes_can_be_typed() {
        let folder = TempDir::new().unwrap();
        let mut editor = editor(&folder);
        editor.paste(&"ä".repeat(LINE_BYTES));
        assert_eq!(editor.line().0.len(), LINE_BYTES - 1);
        press(&mut editor, KeyCode::Esc);
        editor.paste("a\x1b[2Jb\nsecond line");
        assert_eq!(editor.line().0, "a[2Jb");
    }

    #[test]
    fn empty_lines_are_not_sent_and_control_keys_leave() {
        let folder = TempDir::new().unwrap();
        let mut editor = editor(&folder);
        assert_eq!(press(&mut editor, KeyCode::Enter), Action::Edit);
        let ctrl = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        type_in(&mut editor, "ab cd");
        editor.key(ctrl('w'));
        assert_eq!(editor.line(), ("ab ", 3));
        assert_eq!(editor.key(ctrl('d')), Action::Edit);
        editor.key(ctrl('u'));
        assert_eq!(editor.key(ctrl('d')), Action::Leave);
        assert_eq!(editor.key(ctrl('c')), Action::Leave);
    }
}
