//! Tables for people: two blanks between columns, no borders, and columns that share the width of a terminal.
//!
//! Where there is room, everything is shown whole. Where there is not, some columns stay whole (ids, states), the others get
//! equal parts of the rest, and what a narrow column does not need is given to the wider ones. Columns that can be spared
//! are left out before the parts become too small to be read.

use std::borrow::Cow;

use anyhow::Result;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::terminal::{is_plain, safe};

/// The blanks between two columns.
const GAP: usize = 2;
/// What a part should have at least, so that it says something.
const LEAST: usize = 12;

/// A table. Columns that no row fills are left out. Of thousands of rows most cells are parts of what is listed, so they may be
/// borrowed.
#[derive(Debug)]
pub struct Table<'a, T = String> {
    /// The columns.
    pub columns: &'a [Column<'a>],
    /// As many cells in each as there are columns.
    pub rows: Vec<Vec<T>>,
    /// Cut nothing, also on a terminal.
    pub no_trunc: bool,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// What stands above it.
    pub name: &'a str,
    share: Share,
}

/// What a column gets of a terminal that is too narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// All that it needs.
    Whole,
    /// An equal part of the rest.
    Part,
    /// The same, as long as the parts are not too small. The last such column is left out first.
    Spare,
}

impl<'a> Column<'a> {
    /// One that is never cut.
    #[must_use]
    pub const fn whole(name: &'a str) -> Self {
        Self { name, share: Share::Whole }
    }

    /// One whose cells are cut where there is no room for them.
    #[must_use]
    pub const fn part(name: &'a str) -> Self {
        Self { name, share: Share::Part }
    }

    /// One that is left out where there is no room for it.
    #[must_use]
    pub const fn spare(name: &'a str) -> Self {
        Self { name, share: Share::Spare }
    }
}

impl<T: AsRef<str>> Table<'_, T> {
    /// Calls `f` with each line of the table, the header first, each of at most so many columns of a terminal.
    ///
    /// # Errors
    /// That of `f`.
    pub fn each_line(&self, width: usize, mut f: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let columns = self.fitted(width);
        let mut line = String::new();
        write_row(&mut line, &columns, |column| self.columns[column].name);
        f(&cut(&line, width))?;
        for row in &self.rows {
            write_row(&mut line, &columns, |column| row[column].as_ref());
            f(&cut(&line, width))?;
        }
        Ok(())
    }

    /// The columns that are shown, and their widths.
    fn fitted(&self, width: usize) -> Vec<(usize, usize)> {
        let fills =
            |column: &usize| self.rows.is_empty() || self.rows.iter().any(|row| !row[*column].as_ref().is_empty());
        let need = |column: usize| {
            let cells = self.rows.iter().map(|row| columns_of(&shown(row[column].as_ref()))).max().unwrap_or_default();
            let Column { name, share } = self.columns[column];
            (column, share, cells.max(columns_of(&shown(name))))
        };
        fit((0..self.columns.len()).filter(fills).map(need).collect(), width)
    }
}

/// Makes a row the line. Cells begin where those of the header begin.
fn write_row<'a>(line: &mut String, columns: &[(usize, usize)], cell: impl Fn(usize) -> &'a str) {
    line.clear();
    for (column, width) in columns {
        let text = shown(cell(*column));
        let text = cut(&text, *width);
        line.push_str(&text);
        let blanks = width.saturating_sub(columns_of(&text)) + GAP;
        line.extend(std::iter::repeat_n(' ', blanks));
    }
    line.truncate(line.trim_end().len());
}

/// A cell as one line.
fn shown(cell: &str) -> Cow<'_, str> {
    if is_plain(cell) { Cow::Borrowed(cell) } else { Cow::Owned(safe(cell).replace(['\n', '\t'], " ")) }
}

/// How many columns of a terminal a text takes.
fn columns_of(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.width() }
}

/// The width of each column that is shown. Each is given by its number, its share and what it needs.
fn fit(mut columns: Vec<(usize, Share, usize)>, width: usize) -> Vec<(usize, usize)> {
    loop {
        let gaps = GAP * columns.len().saturating_sub(1);
        let needs = |whole: bool| {
            let of = columns.iter().filter(move |(_, share, _)| (*share == Share::Whole) == whole);
            of.map(|(_, _, need)| *need)
        };
        let room = width.saturating_sub(gaps + needs(true).sum::<usize>());
        let (part, more) = part(needs(false).collect(), room);
        let spare = columns.iter().rposition(|(_, share, _)| *share == Share::Spare);
        if part < LEAST
            && let Some(spare) = spare
        {
            columns.remove(spare);
            continue;
        }
        // What is left over by the division goes to the first of them.
        let mut more = more;
        let one = |(column, share, need): (usize, Share, usize)| {
            if share == Share::Whole || need <= part {
                return (column, need);
            }
            let extra = usize::from(more > 0);
            more -= extra;
            (column, part.max(1) + extra)
        };
        return columns.into_iter().map(one).collect();
    }
}

/// The greatest part that every column can have that needs as much, and how many columns can have one more.
fn part(mut needs: Vec<usize>, room: usize) -> (usize, usize) {
    needs.sort_unstable();
    let (mut room, mut left) = (room, needs.len());
    for need in needs {
        if need > room / left {
            return (room / left, room % left);
        }
        room -= need;
        left -= 1;
    }
    (usize::MAX, 0)
}

/// A text of at most so many columns of a terminal; `…` stands for what was cut off. A wide character, as of Korean, takes
/// two.
#[must_use]
pub fn shorten(text: &str, width: usize) -> String {
    cut(text, width).into_owned()
}

fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if columns_of(text) <= width {
        return Cow::Borrowed(text);
    }
    let mut left = width.saturating_sub(1);
    let fits = |char: &char| {
        let needed = char.width().unwrap_or_default();
        left.checked_sub(needed).map(|rest| left = rest).is_some()
    };
    Cow::Owned(text.chars().take_while(fits).chain(['…']).collect())
}

/// The place in a line at which this column of a terminal begins.
#[must_use]
pub fn place(line: &str, column: usize) -> Option<usize> {
    let mut before = 0;
    line.char_indices().find_map(|(at, char)| {
        let is_there = before >= column;
        before += char.width().unwrap_or_default();
        is_there.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 5] = [
        Column::whole("ID"),
        Column::part("NAME"),
        Column::spare("IMAGE"),
        Column::part("COMMAND"),
        Column::spare("LABELS"),
    ];

    fn lines(rows: &[[&str; 5]], width: usize) -> Vec<String> {
        let rows = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        let (table, mut lines) = (Table { columns: &COLUMNS, rows, no_trunc: false }, Vec::new());
        let push = |line: &str| {
            lines.push(line.to_owned());
            Ok(())
        };
        table.each_line(width, push).unwrap();
        lines
    }

    #[test]
    fn a_table_has_no_empty_columns_and_no_live_cells() {
        let rows = [["a", "", "one\ntwo", "", ""], ["long cell", "", "\x1b[31mred\x1b[2J", "", ""]];
        assert_eq!(lines(&rows, usize::MAX), ["ID         IMAGE", "a          one two", "long cell  red^[[2J"]);
    }

    #[test]
    fn where_there_is_room_nothing_is_cut_and_otherwise_long_cells_share_it() {
        let (a, b) = ("a".repeat(50), "b".repeat(30));
        let rows = [["0123456789ab", "short", "", &a, ""], ["0123456789ab", &b, "", "c", ""]];
        // 12 + 2 + 30 + 2 + 50
        let whole = lines(&rows, 96);
        assert!(whole[1].ends_with(&a) && whole[2].contains(&b), "{whole:?}");
        let cut = lines(&rows, 95);
        assert!(cut[2].contains(&b) && cut[1].ends_with(&format!("{}…", &a[..48])), "{cut:?}");
        let narrow = lines(&rows, 40);
        // Both get 12 of the 24 that are left.
        assert_eq!(narrow[1], format!("0123456789ab  short         {}…", &a[..11]));
        assert_eq!(narrow[2], format!("0123456789ab  {}…  c", &b[..11]));
        for width in 20..120 {
            let lines = lines(&rows, width);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:?}");
            assert!(lines[1].starts_with("0123456789ab"), "{width}: {lines:?}");
        }
    }

    #[test]
    fn what_can_be_spared_is_left_out_before_the_rest_is_too_short_the_last_first() {
        let long = "x".repeat(40);
        let rows = [["0123456789ab", &long, &long, &long, &long]];
        let header = |width| lines(&rows, width)[0].split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        // 12 + 4 × (2 + 12)
        assert_eq!(header(68), ["ID", "NAME", "IMAGE", "COMMAND", "LABELS"]);
        assert_eq!(header(67), ["ID", "NAME", "IMAGE", "COMMAND"]);
        assert_eq!(header(53), ["ID", "NAME", "COMMAND"]);
        assert_eq!(header(30), ["ID", "NAME", "COMMAND"]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(shorten("학습 실행", 9), "학습 실행");
        assert_eq!(shorten("학습 실행", 8), "학습 실…");
        assert_eq!(shorten("abc", 2), "a…");
        assert_eq!(shorten("abc", 0), "…");
        assert_eq!(place("학습  failed", 6), Some("학습  ".len()));
        assert_eq!(place("ab", 6), None);
    }
}
