//! Tables that fit a width: cells are shortened first, then the least important columns are left out. Pure.

use super::terminal::Color;
use unicode_width::UnicodeWidthChar;

const GAP: usize = 2;
const ELLIPSIS: char = '…';

/// The alignment of a cell's text in a wider column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Which part of a cell may be cut if there is too little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shorten {
    Never,
    /// The middle, as long as this many cells remain.
    Middle(usize),
    /// The end, as long as this many cells remain.
    End(usize),
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    pub align: Align,
    pub shorten: Shorten,
    /// The column with the highest rank is left out first.
    pub rank: u8,
}

/// One cell: text without control characters.
#[derive(Clone, Debug)]
pub struct Cell {
    pub text: String,
    pub color: Option<Color>,
}

impl Cell {
    /// A cell in the terminal's own colour.
    pub fn plain(text: impl Into<String>) -> Self {
        Cell { text: text.into(), color: None }
    }
}

/// Lays out the titles and rows in lines of `width` cells at most.
pub fn lay_out(
    columns: &[Column],
    rows: &[Vec<Cell>],
    width: usize,
    paint: &dyn Fn(Option<Color>, &str) -> String,
) -> Vec<String> {
    let widths = fit(columns, rows, width);
    let titles: Vec<Cell> =
        columns.iter().map(|column| Cell { text: column.title.to_owned(), color: Some(Color::Bold) }).collect();
    std::iter::once(&titles)
        .chain(rows)
        .map(|row| {
            let mut line = String::new();
            let mut owed = 0;
            for ((column, cell), &(at, room)) in columns.iter().zip(row).zip(&widths).filter(|(_, (_, room))| *room > 0)
            {
                let text = shortened(&cell.text, column.shorten, room);
                let missing = room.saturating_sub(cells(&text));
                let (before, after) = if column.align == Align::Right { (missing, 0) } else { (0, missing) };
                let gap = if at == 0 { 0 } else { GAP };
                // Blanks at the end of a line are not written.
                line.push_str(&" ".repeat(owed + gap + before));
                line.push_str(&paint(cell.color, &text));
                owed = after;
            }
            line
        })
        .collect()
}

/// The place of each column among those shown, and its width; one that is left out has width 0.
fn fit(columns: &[Column], rows: &[Vec<Cell>], width: usize) -> Vec<(usize, usize)> {
    let widest = |at: usize| rows.iter().map(|row| cells(&row[at].text)).max().unwrap_or(0);
    let natural: Vec<usize> =
        columns.iter().enumerate().map(|(at, column)| widest(at).max(cells(column.title))).collect();
    let least: Vec<usize> = columns
        .iter()
        .zip(&natural)
        .map(|(column, &natural)| match column.shorten {
            Shorten::Never => natural,
            Shorten::Middle(least) | Shorten::End(least) => natural.min(least.max(cells(column.title))),
        })
        .collect();
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let needed =
        |shown: &[usize]| shown.iter().map(|&at| least[at]).sum::<usize>() + GAP * shown.len().saturating_sub(1);
    while shown.len() > 1 && needed(&shown) > width {
        let last = shown.iter().copied().max_by_key(|&at| columns[at].rank);
        shown.retain(|&at| Some(at) != last);
    }
    let mut spare = width.saturating_sub(needed(&shown));
    let mut widths = vec![(0, 0); columns.len()];
    let mut by_rank = shown.clone();
    by_rank.sort_by_key(|&at| columns[at].rank);
    for at in by_rank {
        let more = spare.min(natural[at] - least[at]);
        spare -= more;
        let place = shown.iter().position(|&shown| shown == at).unwrap_or(0);
        widths[at] = (place, (least[at] + more).min(width.max(1)));
    }
    widths
}

/// The number of terminal cells that a text takes.
fn cells(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// The width of a single character, as terminals count: they do not combine characters into one glyph.
fn width_of(char: char) -> usize {
    char.width().unwrap_or(0)
}

/// The text in `room` cells at most, with `…` for what is left out.
pub fn shortened(text: &str, how: Shorten, room: usize) -> String {
    if cells(text) <= room {
        return text.to_owned();
    }
    let left = room.saturating_sub(1);
    // The end of a path is more informative than its beginning.
    let head = if matches!(how, Shorten::Middle(_)) { left / 3 } else { left };
    let beginning: String = within(text.chars(), head).into_iter().collect();
    let end = within(text.chars().rev(), left - head);
    beginning.chars().chain([ELLIPSIS]).chain(end.into_iter().rev()).collect()
}

/// The text in lines of `width` cells, broken at spaces; what follows the first line is indented. A word that is longer than
/// a line stays whole, so that a path can be copied.
pub fn folded(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let leading = text.len() - text.trim_start().len();
    for word in text.trim_start().split(' ') {
        let line = lines.last_mut().expect("there is a line from the start");
        if line.is_empty() {
            *line = " ".repeat(leading) + word;
        } else if cells(line) + 1 + cells(word) <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(" ".repeat(indent) + word);
        }
    }
    lines
}

/// The first characters that fit.
fn within(chars: impl Iterator<Item = char>, room: usize) -> Vec<char> {
    let mut used = 0;
    chars
        .take_while(|&char| {
            used += width_of(char);
            used <= room
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { title: "TARGET", align: Align::Left, shorten: Shorten::Middle(12), rank: 0 },
        Column { title: "AGE", align: Align::Right, shorten: Shorten::Never, rank: 1 },
        Column { title: "COMMAND", align: Align::Left, shorten: Shorten::End(8), rank: 2 },
    ];

    fn table(target: &str, width: usize) -> Vec<String> {
        let row = [target, "3s", "sleep 1000"].map(Cell::plain).to_vec();
        lay_out(&COLUMNS, &[row], width, &|_, text| text.to_owned())
    }

    #[test]
    fn what_fits_is_shown_whole() {
        assert_eq!(table("/a/b.json", 40), ["TARGET     AGE  COMMAND", "/a/b.json   3s  sleep 1000"]);
    }

    #[test]
    fn cells_are_shortened_before_columns_go() {
        assert_eq!(
            table("/memory/projects/b.json", 30),
            ["TARGET           AGE  COMMAND", "/mem…cts/b.json   3s  sleep 1…"]
        );
        assert_eq!(table("/memory/projects/b.json", 20), ["TARGET           AGE", "/mem…cts/b.json   3s"]);
        assert_eq!(table("/memory/projects/b.json", 12), ["TARGET", "/me…s/b.json"]);
    }

    #[test]
    fn every_line_fits_every_width_whatever_the_characters() {
        for target in ["/a/b.json", "/日本語/メモリ/記録.json", "/e\u{301}\u{301}/🦀🦀🦀🦀🦀🦀🦀🦀.json"]
        {
            for width in 1..60 {
                for line in table(target, width) {
                    assert!(cells(&line) <= width.max(1), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn folded_lines_break_at_spaces_and_leave_paths_whole() {
        assert_eq!(folded("[OK] one two three", 12, 2), ["[OK] one two", "  three"]);
        assert_eq!(folded("  at /a/long/path", 8, 4), ["  at", "    /a/long/path"]);
        assert_eq!(folded("fits", 4, 2), ["fits"]);
    }
}
