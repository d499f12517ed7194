//! The pages: every Markdown file of the repository, with the anchors that links may point at.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Where the book's own pages are.
pub const BOOK: &str = "docs/src";

/// Folders that hold nothing of the repository.
const LEFT_OUT: [&str; 5] = ["dist", "node_modules", "runs", "shared", "target"];

/// All pages by their paths from the root.
#[derive(Debug)]
pub struct Pages {
    root: PathBuf,
    by_path: BTreeMap<PathBuf, Page>,
}

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Its text, with what it includes.
    pub text: String,
    anchors: HashSet<String>,
}

impl Pages {
    /// Reads all there are below a folder.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(root: &Path) -> anyhow::Result<Pages> {
        let mut pages = Pages {
            root: root.to_path_buf(),
            by_path: BTreeMap::new(),
        };
        pages.read_folder(Path::new(""))?;
        Ok(pages)
    }

    fn read_folder(&mut self, folder: &Path) -> anyhow::Result<()> {
        let place = self.root.join(folder);
        let entries = fs::read_dir(&place);
        for entry in entries.with_context(|| format!("cannot read {}", place.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = folder.join(&name);
            let name = name.to_string_lossy();
            let is_hidden = name.starts_with('.') && name != ".github";
            if entry.file_type()?.is_dir() {
                if !is_hidden && !LEFT_OUT.contains(&name.as_ref()) {
                    self.read_folder(&path)?;
                }
            } else if name.ends_with(".md") {
                let page = Page::read(&self.root.join(&path))?;
                self.by_path.insert(path, page);
            }
        }
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Each with its path.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Page)> {
        self.by_path
            .iter()
            .map(|(path, page)| (path.as_path(), page))
    }

    /// The page at a path.
    pub fn get(&self, path: &Path) -> Option<&Page> {
        self.by_path.get(path)
    }

    /// Whether there is a file or folder at a path.
    pub fn has_file(&self, path: &Path) -> bool {
        self.root.join(path).exists()
    }
}

impl Page {
    fn read(path: &Path) -> anyhow::Result<Page> {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let text = with_included(&text, path.parent().unwrap_or(Path::new("")))?;
        Ok(Page::new(text))
    }

    fn new(text: String) -> Page {
        let anchors = anchors(&text);
        Page { text, anchors }
    }

    /// Whether a link may point at this place in it.
    pub fn has_anchor(&self, anchor: &str) -> bool {
        self.anchors.contains(anchor)
    }

    /// What it consists of.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        events(&self.text)
    }
}

fn events(text: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES;
    Parser::new_ext(text, options)
}

/// The text with the whole files that mdBook puts in place of `{{#include PATH}}`.
fn with_included(text: &str, folder: &Path) -> anyhow::Result<String> {
    let mut whole = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let directive = line.trim().strip_prefix("{{#include ");
        match directive.and_then(|rest| rest.strip_suffix("}}")) {
            Some(path) => {
                let path = folder.join(path.trim());
                let included = fs::read_to_string(&path);
                whole += &included.with_context(|| format!("cannot include {}", path.display()))?;
            }
            None => whole += line,
        }
    }
    Ok(whole)
}

/// The anchors of the headings, as mdBook and the forge both make them, and of what has an id.
fn anchors(text: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut heading: Option<String> = None;
    for event in events(text) {
        match event {
            Event::Start(Tag::Heading { id, .. }) => {
                anchors.extend(id.map(|id| id.to_string()));
                heading = Some(String::new());
            }
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap_or_default());
                let count = seen.entry(slug.clone()).or_default();
                anchors.insert(match *count {
                    0 => slug,
                    count => format!("{slug}-{count}"),
                });
                *count += 1;
            }
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    *heading += &part;
                }
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                anchors.extend(attribute_values(&html, "id").map(str::to_owned));
            }
            _ => {}
        }
    }
    anchors
}

fn slug(heading: &str) -> String {
    let letters = heading.trim().chars().filter_map(|c| match c {
        c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    });
    letters.collect::<String>().to_lowercase()
}

/// The values of an attribute in a piece of HTML.
pub fn attribute_values<'h>(html: &'h str, name: &str) -> impl Iterator<Item = &'h str> {
    let start = format!(" {name}=\"");
    let mut rest = html;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(start.as_str())?;
        let (value, behind) = behind.split_once('"')?;
        rest = behind;
        Some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_of_headings_and_ids() {
        let page = Page::new(
            "# What `it` is, really\n## Twice\n## Twice\n## Named {#own}\n<a id=\"spot\"></a>\n"
                .into(),
        );
        for anchor in ["what-it-is-really", "twice", "twice-1", "own", "spot"] {
            assert!(page.has_anchor(anchor), "{anchor} in {page:?}");
        }
        assert!(!page.has_anchor("twice-2"));
    }

    #[test]
    fn what_a_page_includes_is_part_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("part.md"), "# Part\n").expect("written");
        let whole = with_included("# Whole\n{{#include part.md}}\n", folder.path());
        let page = Page::new(whole.expect("both are there"));
        assert!(page.has_anchor("whole") && page.has_anchor("part"));
        assert!(with_included("{{#include none.md}}", folder.path()).is_err());
    }
}
