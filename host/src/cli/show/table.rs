//! A table whose columns line up, without lines or colours.

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Words.
    Left(&'static str),
    /// Numbers and sizes.
    Right(&'static str),
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Left(title) | Self::Right(title) => title,
        }
    }
}

/// Rows under a head.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. Control characters in it are taken out: names come from elsewhere.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| super::one_line(&cell)).collect());
    }

    /// The table as text, or `empty` where it has no rows.
    pub fn text(&self, empty: &str) -> String {
        if self.rows.is_empty() {
            return format!("{empty}\n");
        }
        let head: Vec<String> = self.columns.iter().map(|column| column.title().to_owned()).collect();
        let lines = || std::iter::once(&head).chain(&self.rows);
        let width = |at: usize| lines().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| width(at).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in lines() {
            let mut line = String::new();
            for ((cell, column), width) in row.iter().zip(&self.columns).zip(&widths) {
                match column {
                    Column::Left(_) => line.push_str(&format!("{cell:<width$}  ")),
                    Column::Right(_) => line.push_str(&format!("{cell:>width$}  ")),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let mut table = Table::new(&[Column::Left("NAME"), Column::Right("SIZE"), Column::Left("NOTE")]);
        table.row(["db1".into(), "1.5 GiB".into(), "ok".into()]);
        table.row(["büro-server".into(), "7 B".into(), String::new()]);
        assert_eq!(
            table.text("none"),
            "NAME            SIZE  NOTE\ndb1          1.5 GiB  ok\nbüro-server      7 B\n"
        );
    }

    #[test]
    fn an_empty_table_says_so_in_words() {
        assert_eq!(Table::new(&[Column::Left("NAME")]).text("No servers yet."), "No servers yet.\n");
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        let mut table = Table::new(&[Column::Left("NAME")]);
        table.row(["a\x1b[2Jb\nc".into()]);
        assert_eq!(table.text(""), "NAME\na [2Jb c\n");
    }
}
