//! Tables for people: two blanks between columns, no borders, and columns that share the width of a terminal.
//!
//! Where there is room, everything is shown whole. Where there is not, some columns stay whole (ids, states), the others get
//! equal parts of the rest, and what a narrow column does not need is given to the wider ones. Columns that can be spared
//! are left out before the parts become too small to be read.

use comfy_table::{ContentArrangement, presets};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::terminal::safe;

/// The blanks between two columns.
const GAP: usize = 2;
/// What a part should have at least, so that it says something.
const LEAST: usize = 12;

/// A table. Columns that no row fills are left out.
#[derive(Debug)]
pub struct Table<'a> {
    /// The columns.
    pub columns: &'a [Column<'a>],
    /// As many cells in each as there are columns.
    pub rows: Vec<Vec<String>>,
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

impl Table<'_> {
    /// The lines of the table, the header first, each of at most so many columns of a terminal.
    #[must_use]
    pub fn lines(&self, width: usize) -> Vec<String> {
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
        let names: Vec<String> = self.columns.iter().map(|column| shown(column.name)).collect();
        let fills = |column: &usize| rows.is_empty() || rows.iter().any(|row| !row[*column].is_empty());
        let filled: Vec<usize> = (0..self.columns.len()).filter(fills).collect();
        let need = |column: usize| {
            let cells = rows.iter().map(|row| row[column].width()).max().unwrap_or_default();
            (column, self.columns[column].share, cells.max(names[column].width()))
        };
        let fitted = fit(filled.into_iter().map(need).collect(), width);
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(fitted.iter().map(|(column, width)| shorten(&names[*column], *width)));
        for row in &rows {
            table.add_row(fitted.iter().map(|(column, width)| shorten(&row[*column], *width)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, u16::try_from(GAP).unwrap_or_default()));
        }
        table.to_string().lines().map(|line| shorten(line.trim_end(), width)).collect()
    }
}

/// A cell as one line.
fn shown(cell: &str) -> String {
    safe(cell).replace(['\n', '\t'], " ")
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
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |char: &char| {
        let needed = char.width().unwrap_or_default();
        left.checked_sub(needed).map(|rest| left = rest).is_some()
    };
    text.chars().take_while(fits).chain(['…']).collect()
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
        Table { columns: &COLUMNS, rows, no_trunc: false }.lines(width)
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
