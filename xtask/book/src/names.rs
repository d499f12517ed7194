//! Whether the tests that the pages name exist, and are where the pages link to: a promise is worth no more
//! than the test behind it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use pulldown_cmark::{Event, Tag, TagEnd};

use crate::links::REPOSITORY;
use crate::pages::{Page, Pages};

/// The page whose tests all have links.
const PROMISES: &str = "docs/src/promises.md";

/// Where the code is.
const CODE: [&str; 3] = ["firmware", "host", "xtask"];

/// Names with fewer words are no sentences, and so no tests.
const WORDS: usize = 5;

/// One sentence for each test that a page names and that does not exist, or not where its link leads.
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
        for (name, link) in tests(page) {
            let file = link.as_deref().and_then(file_of);
            let fault = match file {
                _ if !functions.contains(&name) => format!("there is no test {name}"),
                Some(file) if !is_in(&name, &root.join(file)) => {
                    format!("the test {name} is not in {file}")
                }
                None if path == Path::new(PROMISES) => {
                    format!("the test {name} has no link to its file")
                }
                _ => continue,
            };
            faults.push(format!("{}: {fault}", path.display()));
        }
    }
    Ok(faults)
}

/// The tests that a page names, with what they link to.
fn tests(page: &Page) -> Vec<(String, Option<String>)> {
    let mut tests = Vec::new();
    let mut link = None;
    for event in page.events() {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => link = Some(dest_url.to_string()),
            Event::End(TagEnd::Link) => link = None,
            Event::Code(code) if is_test_name(&code) => {
                tests.push((code.to_string(), link.clone()));
            }
            _ => {}
        }
    }
    tests
}

/// The file of the repository that a link leads to.
fn file_of(link: &str) -> Option<&str> {
    let place = link.strip_prefix(REPOSITORY)?;
    place.strip_prefix("blob/main/")
}

fn is_in(name: &str, file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|code| names(&code).any(|function| function == name))
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
    fn a_test_that_is_not_where_its_link_leads_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        for code in CODE {
            write(&format!("{code}/owls.rs"), "");
        }
        write("host/owls.rs", "fn an_owl_flies_by_night() {}");
        let test = "`an_owl_flies_by_night`";
        let to = |file: &str| format!("[{test}]({REPOSITORY}blob/main/{file})");
        let page = format!(
            "{} {} {test} `no_owl_flies_by_day`",
            to("host/owls.rs"),
            to("xtask/owls.rs")
        );
        write(PROMISES, &page);
        let pages = Pages::read(folder.path()).expect("pages");
        assert_eq!(
            faults(&pages, folder.path()).expect("read"),
            [
                "docs/src/promises.md: the test an_owl_flies_by_night is not in xtask/owls.rs",
                "docs/src/promises.md: the test an_owl_flies_by_night has no link to its file",
                "docs/src/promises.md: there is no test no_owl_flies_by_day",
            ]
        );
    }

    #[test]
    fn functions_are_found_by_their_names() {
        let code = "    #[test]\n    fn one_of_them() {\n}\nfn two<T>(x: T) {}\nlet fn_ = 1;";
        assert_eq!(names(code).collect::<Vec<_>>(), ["one_of_them", "two"]);
    }
}
