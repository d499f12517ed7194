//! Whether the tests that the pages name exist: a promise is worth no more than the test behind it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use pulldown_cmark::Event;

use crate::pages::Pages;

/// Where the code is.
const CODE: [&str; 3] = ["firmware", "host", "xtask"];

/// Names with fewer words are no sentences, and so no tests.
const WORDS: usize = 5;

/// One sentence for each test that a page names and that does not exist.
///
/// # Errors
/// When the code cannot be read.
pub fn faults(pages: &Pages, root: &Path) -> anyhow::Result<Vec<String>> {
    let mut functions = HashSet::new();
    for folder in CODE {
        read_functions(&root.join(folder), &mut functions)?;
    }
    let mut faults = Vec::new();
    for (path, page) in pages.iter() {
        for event in page.events() {
            if let Event::Code(code) = event
                && is_test_name(&code)
                && !functions.contains(code.as_ref())
            {
                faults.push(format!("{}: there is no test {code}", path.display()));
            }
        }
    }
    Ok(faults)
}

fn is_test_name(code: &str) -> bool {
    code.split('_').count() >= WORDS
        && code
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Adds the names of all functions below a folder.
fn read_functions(folder: &Path, functions: &mut HashSet<String>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder);
    for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            read_functions(&path, functions)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            functions.extend(names(&text).map(str::to_owned));
        }
    }
    Ok(())
}

fn names(code: &str) -> impl Iterator<Item = &str> {
    let lines = code.lines().map(str::trim_start);
    lines.filter_map(|line| line.strip_prefix("fn ")?.split(['(', '<']).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tests_are_told_from_other_code() {
        assert!(is_test_name("a_full_disk_ends_no_training"));
        assert!(!is_test_name("keep_going") && !is_test_name("a test: of_more_than_5_words_here"));
    }

    #[test]
    fn functions_are_found_by_their_names() {
        let code = "    #[test]\n    fn one_of_them() {\n}\nfn two<T>(x: T) {}\nlet fn_ = 1;";
        assert_eq!(names(code).collect::<Vec<_>>(), ["one_of_them", "two"]);
    }
}
