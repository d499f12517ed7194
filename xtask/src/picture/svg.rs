//! A terminal's screen as an SVG file: dark where the reader's colours are dark, else light.
//!
//! No font is embedded. Each run of cells says how wide it is, so that columns stay in line with
//! whatever monospaced font there is.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

const CELL_WIDTH: f64 = 8.0;
const CELL_HEIGHT: f64 = 18.0;
const MARGIN: f64 = 16.0;
/// The bar with the title.
const BAR: f64 = 34.0;

const STYLE: &str = "
    text { font: 13px ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; fill: #24292f; }
    .back { fill: #ffffff; stroke: #d0d7de; } .title, .bright { fill: #57606a; } .bar { fill: #f6f8fa; }
    .turned { fill: #24292f; } .on { fill: #ffffff; } .dim { fill: #57606a; }
    .c1 { fill: #cf222e; } .c2 { fill: #116329; } .c3 { fill: #7d4e00; } .c4 { fill: #0550ae; } .c5 { fill: #8250df; } .c6 { fill: #1b7c83; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .back { fill: #0d1117; stroke: #30363d; } .title, .bright, .dim { fill: #8b949e; } .bar { fill: #161b22; }
      .turned { fill: #e6edf3; } .on { fill: #0d1117; }
      .c1 { fill: #ff7b72; } .c2 { fill: #3fb950; } .c3 { fill: #d29922; } .c4 { fill: #58a6ff; } .c5 { fill: #bc8cff; } .c6 { fill: #39c5cf; }
    }
";

/// How cells look that are drawn together.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    color: Option<u8>,
    is_bold: bool,
    is_turned: bool,
}

impl Look {
    fn of(cell: &Cell) -> Look {
        Look {
            color: match cell.fgcolor() {
                Color::Idx(index @ 1..=6) => Some(index),
                _ => None,
            },
            is_bold: cell.bold(),
            is_turned: cell.inverse(),
        }
    }

    fn class(self) -> &'static str {
        match (self.is_turned, self.color) {
            (true, _) => "on",
            (false, Some(index)) => {
                ["c1", "c2", "c3", "c4", "c5", "c6"][usize::from(index.clamp(1, 6)) - 1]
            }
            (false, None) => "",
        }
    }
}

/// The picture of a screen under a title.
pub fn draw(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let width = f64::from(columns) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL_HEIGHT + BAR + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n\
         <rect class=\"back\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n\
         <path class=\"bar\" d=\"M1 {BAR} V9 a8 8 0 0 1 8 -8 H{} a8 8 0 0 1 8 8 V{BAR} Z\"/>\n",
        width - 1.0,
        height - 1.0,
        width - 9.0,
    );
    let title = format!("$ {title}");
    text(&mut svg, MARGIN, BAR - 12.0, "title", false, &title);
    for row in 0..rows {
        let y = BAR + MARGIN + f64::from(row) * CELL_HEIGHT;
        for (column, look, run) in runs(screen, row, columns) {
            let x = MARGIN + f64::from(column) * CELL_WIDTH;
            if look.is_turned {
                let width = run.chars().count() as f64 * CELL_WIDTH;
                let _ = writeln!(
                    svg,
                    "<rect class=\"turned\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{CELL_HEIGHT}\"/>"
                );
            }
            if !run.trim().is_empty() {
                text(&mut svg, x, y + 13.0, look.class(), look.is_bold, &run);
            }
        }
    }
    svg + "</svg>\n"
}

/// The runs of a row: where each starts, how it looks, and its text.
fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<(u16, Look, String)> {
    let mut runs: Vec<(u16, Look, String)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else {
            continue;
        };
        let look = Look::of(cell);
        let content = if cell.has_contents() {
            cell.contents()
        } else {
            " "
        };
        match runs.last_mut() {
            Some((_, last, run)) if *last == look => run.push_str(content),
            _ => runs.push((column, look, content.to_owned())),
        }
    }
    if let Some((_, look, run)) = runs.last_mut()
        && !look.is_turned
    {
        run.truncate(run.trim_end().len());
    }
    runs
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, is_bold: bool, text: &str) {
    // Spaces at an end count for the width of the run but not always for that of the text.
    let start = text.len() - text.trim_start().len();
    let x = x + text[..start].chars().count() as f64 * CELL_WIDTH;
    let text = text.trim();
    let width = text.chars().count() as f64 * CELL_WIDTH;
    let class = match class {
        "" => String::new(),
        class => format!(" class=\"{class}\""),
    };
    let bold = if is_bold { " font-weight=\"bold\"" } else { "" };
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text{class}{bold} x=\"{x}\" y=\"{y}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\">{escaped}</text>"
    );
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;

    fn picture(output: &str) -> String {
        let size = |count| NonZero::new(count).expect("not zero");
        let mut parser = vt100::Parser::new(size(3), size(20), 0);
        parser.process(output.as_bytes());
        draw(parser.screen(), "owl")
    }

    #[test]
    fn a_row_is_drawn_in_runs_of_one_look() {
        let svg = picture("plain \x1b[36mnotice\x1b[0m\r\n  \x1b[7m status \x1b[0m");
        assert!(svg.contains(">plain</text>"), "{svg}");
        assert!(svg.contains("<text class=\"c6\" x=\"64\""), "{svg}");
        assert!(svg.contains("<rect class=\"turned\" x=\"32\""), "{svg}");
        assert!(svg.contains(">status</text>"), "{svg}");
    }

    #[test]
    fn what_the_board_writes_cannot_become_markup() {
        let svg = picture("<b>&\"");
        assert!(svg.contains(">&lt;b&gt;&amp;\"</text>"), "{svg}");
    }
}
