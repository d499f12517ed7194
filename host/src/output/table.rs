//! Tables that people read: columns side by side, two blanks between them.

use std::ops::Range;

use comfy_table::{CellAlignment, Table, presets};
use console::truncate_str;

/// The widest that a name is shown in a table.
const NAME_COLUMNS: usize = 28;

/// A table with these titles; the columns from number `figures` on hold figures, which are aligned at
/// the right.
#[must_use]
pub fn table(titles: &[&str], figures: Range<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(titles.to_vec());
    for (at, column) in table.column_iter_mut().enumerate() {
        let gap = if at + 1 == titles.len() { 0 } else { 2 };
        column.set_padding((0, gap));
        if figures.contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A name from anywhere as a cell of a table.
#[must_use]
pub fn name_cell(name: &str) -> String {
    truncate_str(&super::one_line(name), NAME_COLUMNS, "…").into_owned()
}
