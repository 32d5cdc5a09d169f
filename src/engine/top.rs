//! Reads the table of `docker top`. Pure.

/// The processes of a container, as the Engine API's `/containers/{id}/top` has them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Processes {
    /// The columns, as `ps` calls them.
    #[serde(rename = "Titles")]
    pub titles: Vec<String>,
    /// A row for each process, with as many cells as there are titles.
    #[serde(rename = "Processes")]
    pub rows: Vec<Vec<String>>,
}

/// The blanks that docker leaves between two columns, at least.
const GAP: &str = "   ";

/// From the table that docker prints. Its cells begin where the titles do, with three blanks or more between them; the last
/// column has what is left of the line.
#[must_use]
pub fn processes(text: &str) -> Processes {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let starts = starts(header);
    let rows = lines.filter(|line| !line.trim().is_empty()).map(|line| cells(line, &starts)).collect();
    Processes { titles: cells(header, &starts), rows }
}

/// The columns of the terminal at which titles begin.
fn starts(header: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut rest = header;
    while !rest.trim().is_empty() {
        let title = rest.trim_start();
        let start = header.len() - title.len();
        starts.push(header[..start].chars().count());
        rest = title.find(GAP).map_or("", |end| &title[end..]);
    }
    starts
}

fn cells(line: &str, starts: &[usize]) -> Vec<String> {
    let chars: Vec<char> = line.chars().collect();
    let cell = |(at, start): (usize, &usize)| {
        let end = starts.get(at + 1).map_or(chars.len(), |end| (*end).min(chars.len()));
        let cell: String = chars.get(*start..end).unwrap_or_default().iter().collect();
        cell.trim_end().to_owned()
    };
    starts.iter().enumerate().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_begin_where_their_titles_do() {
        let text = "UID                 PID                 TIME                CMD\n\
                    root                71                  00:00:00            /sbin/docker-init -- python3   main.py\n\
                    a long user name    1234567             00:00:01            sh -c 'sleep 1'\n\
                    é                   9                   00:00:01            \n";
        let found = processes(text);
        assert_eq!(found.titles, ["UID", "PID", "TIME", "CMD"]);
        assert_eq!(found.rows[0], ["root", "71", "00:00:00", "/sbin/docker-init -- python3   main.py"]);
        assert_eq!(found.rows[1], ["a long user name", "1234567", "00:00:01", "sh -c 'sleep 1'"]);
        assert_eq!(found.rows[2], ["é", "9", "00:00:01", ""]);
        assert_eq!(processes(""), Processes { titles: vec![], rows: vec![] });
        assert_eq!(processes("PID\n7\n").rows, [["7"]]);
    }
}
