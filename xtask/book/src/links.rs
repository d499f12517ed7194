//! Whether links lead anywhere: to pages and their anchors, and to files of the repository.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Tag};

use crate::pages::{BOOK, Page, Pages, attribute_values};

/// The repository on the web: pages of the book link to files by it, as they are read elsewhere.
pub const REPOSITORY: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/");

/// One sentence for each link that leads nowhere, and for each page that the book leaves out.
pub fn faults(pages: &Pages) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, page) in pages.iter() {
        for target in targets(page) {
            if let Err(reason) = follow(pages, path, page, &target) {
                faults.push(format!("{}: the link {target} {reason}", path.display()));
            }
        }
    }
    faults.extend(left_out(pages));
    faults
}

/// Where the links and pictures of a page lead.
fn targets(page: &Page) -> Vec<String> {
    let mut targets = Vec::new();
    for event in page.events() {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                targets.push(dest_url.to_string());
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                for name in ["href", "src", "srcset"] {
                    targets.extend(attribute_values(&html, name).map(str::to_owned));
                }
            }
            _ => {}
        }
    }
    targets
}

/// Looks at the end of a link, or says why there is none.
fn follow(pages: &Pages, path: &Path, page: &Page, target: &str) -> Result<(), String> {
    let (place, anchor) = match target.split_once('#') {
        Some((place, anchor)) => (place, Some(anchor)),
        None => (target, None),
    };
    if place.is_empty() {
        return has_anchor(page, anchor);
    }
    let goal = match place.strip_prefix(REPOSITORY) {
        Some(rest) => match in_repository(rest) {
            Some(goal) => goal,
            None => return Ok(()),
        },
        None if place.contains("://") || place.starts_with("mailto:") => return Ok(()),
        None if is_of_rustdoc(place) => return Ok(()),
        None => {
            let goal = joined(path.parent().unwrap_or(Path::new("")), place);
            let goal = goal.ok_or("leads out of the repository")?;
            if path.starts_with(BOOK) && !goal.starts_with(BOOK) {
                return Err(format!(
                    "leads out of the book: write {REPOSITORY}blob/main/{}",
                    goal.display()
                ));
            }
            goal
        }
    };
    if !pages.has_file(&goal) {
        return Err(format!("leads to {}, which is not there", goal.display()));
    }
    match pages.get(&goal) {
        Some(page) => has_anchor(page, anchor),
        None => Ok(()),
    }
}

/// Whether a link leads to an item of Rust, as in a README that is a crate's documentation too; whether
/// that item exists is checked when the documentation is built.
fn is_of_rustdoc(place: &str) -> bool {
    let kind = place.split_once('@').map(|(kind, _)| kind);
    place.contains("::") || kind.is_some_and(|kind| kind.chars().all(|c| c.is_ascii_lowercase()))
}

fn has_anchor(page: &Page, anchor: Option<&str>) -> Result<(), String> {
    match anchor {
        Some(anchor) if !page.has_anchor(anchor) => Err(format!("has no heading for #{anchor}")),
        _ => Ok(()),
    }
}

/// The path that an address within the repository's site stands for, if it is a file's or a folder's.
fn in_repository(rest: &str) -> Option<PathBuf> {
    let path = rest.strip_prefix("blob/main/");
    path.or_else(|| rest.strip_prefix("tree/main/"))
        .map(PathBuf::from)
}

/// A path from a folder, without its `..`; none if it leads above the root.
fn joined(folder: &Path, place: &str) -> Option<PathBuf> {
    let mut path = folder.to_path_buf();
    for component in Path::new(place).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// One sentence for each page of the book that its table of contents does not name.
fn left_out(pages: &Pages) -> Vec<String> {
    let contents = Path::new(BOOK).join("SUMMARY.md");
    let named: HashSet<PathBuf> = match pages.get(&contents) {
        Some(page) => {
            let targets = targets(page);
            let paths = targets.iter().filter_map(|to| joined(Path::new(BOOK), to));
            paths.collect()
        }
        None => HashSet::new(),
    };
    pages
        .iter()
        .map(|(path, _)| path)
        .filter(|path| path.starts_with(BOOK) && **path != contents && !named.contains(*path))
        .map(|path| {
            format!(
                "{}: {} does not name it",
                path.display(),
                contents.display()
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        faults(&Pages::read(folder.path()).expect("pages"))
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named_with_its_page() {
        let faults = faults_of(&[
            (
                "README.md",
                "# Top\n[a](gone.md) [b](other.md#here) [c](#top) [d](#gone) <img src=\"no.svg\">\n\n\
                 [e](https://elsewhere.example/gone.md) [f](../above.md)\n",
            ),
            ("other.md", "# Here\n[back](README.md#bottom)\n"),
        ]);
        assert_eq!(
            faults,
            [
                "README.md: the link gone.md leads to gone.md, which is not there",
                "README.md: the link #gone has no heading for #gone",
                "README.md: the link no.svg leads to no.svg, which is not there",
                "README.md: the link ../above.md leads out of the repository",
                "other.md: the link README.md#bottom has no heading for #bottom",
            ]
        );
    }

    #[test]
    fn a_page_of_the_book_links_to_files_by_their_place_on_the_web() {
        let page = format!(
            "[a](../../code.rs) [b]({REPOSITORY}blob/main/code.rs) [c]({REPOSITORY}blob/main/no.rs) \
             [d]({REPOSITORY}issues)"
        );
        let faults = faults_of(&[
            ("code.rs", ""),
            ("docs/src/SUMMARY.md", "[page](page.md)"),
            ("docs/src/page.md", &page),
        ]);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("the link ../../code.rs leads out of the book: write https"));
        assert!(faults[1].ends_with("leads to no.rs, which is not there"));
    }

    #[test]
    fn links_to_items_are_left_to_rustdoc() {
        let page = "[a](mod@format) [b](crate::format) [c](MODEL@2.md)";
        assert_eq!(
            faults_of(&[("README.md", page)]),
            ["README.md: the link MODEL@2.md leads to MODEL@2.md, which is not there"]
        );
    }

    #[test]
    fn every_page_of_the_book_is_in_its_table_of_contents() {
        let faults = faults_of(&[
            ("docs/src/SUMMARY.md", "[in](in.md)"),
            ("docs/src/in.md", ""),
            ("docs/src/lost.md", ""),
        ]);
        assert_eq!(
            faults,
            ["docs/src/lost.md: docs/src/SUMMARY.md does not name it"]
        );
    }
}
