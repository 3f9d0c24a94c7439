//! Aligned tables, and words about copies. It owns no state.

use memberd_control::message::{FileCopies, FileKind};

use crate::format;
use crate::output::{Output, Style};

/// The rows with their titles. All columns but the last are aligned, to the right where the title
/// begins with a blank.
pub(in crate::command) fn text<const N: usize>(
    output: &Output,
    titles: [&str; N],
    rows: &[[String; N]],
) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(titles.get(column).map_or(0, |title| title.trim().len()))
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |cells: Vec<&str>| {
        let each = cells.iter().zip(&widths).zip(titles).enumerate();
        let aligned: Vec<String> = each
            .map(|(column, ((cell, width), title))| match title.starts_with(' ') {
                _ if column + 1 == N => (*cell).to_owned(),
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            })
            .collect();
        aligned.join("  ")
    };
    let mut text = output.styled(Style::Bold, &line(titles.map(str::trim).to_vec())) + "\n";
    for row in rows {
        text += &(line(row.iter().map(String::as_str).collect()) + "\n");
    }
    text
}

/// The word for what has a name.
pub(super) fn kind(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Directory => "directory",
    }
}

/// `3 of 3 copies, on vm2, vm5, vm7`. There may be more than are wanted.
pub(super) fn copies(copies: &FileCopies) -> String {
    let FileCopies { copies, wanted, members } = copies;
    let wanted = wanted.max(copies);
    let on = match members.as_slice() {
        [] => String::new(),
        members => format!(", on {}", members.join(", ")),
    };
    format!("{copies} of {}{on}", counted(*wanted, "copy", "copies"))
}

/// A number with its noun.
pub(in crate::command) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `18,204,672`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `18,204,672 bytes (18 MB)`
pub(super) fn bytes(length: u64) -> String {
    let exact = counted(length, "byte", "bytes");
    match length {
        0..1_000 => exact,
        length => format!("{exact} ({})", format::size(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        for (number, words) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (18_204_672, "18,204,672")]
        {
            assert_eq!(grouped(number), words);
        }
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(18_204_672), "18,204,672 bytes (18 MB)");
    }

    #[test]
    fn copies_are_counted_and_named() {
        let members = vec!["vm2".to_owned(), "vm5".to_owned()];
        let words = copies(&FileCopies { copies: 2, wanted: 3, members });
        assert_eq!(words, "2 of 3 copies, on vm2, vm5");
        let more = FileCopies { copies: 3, wanted: 1, members: Vec::new() };
        assert_eq!(copies(&more), "3 of 3 copies");
        let none = FileCopies { copies: 0, wanted: 1, members: Vec::new() };
        assert_eq!(copies(&none), "0 of 1 copy");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["a", "1", "x"], ["long", "200", "y z"]].map(|row| row.map(str::to_owned));
        let table = text(&Output::new(), ["NAME", " SIZE", "FILE"], &rows);
        assert_eq!(table, "NAME  SIZE  FILE\na        1  x\nlong   200  y z\n");
    }
}
