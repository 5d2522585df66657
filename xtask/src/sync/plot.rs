//! The plot of the benchmark's figures, from the table in `benches/README.md`: [`svg`].

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

/// The beginning of the table's heading.
const HEADING: &str = "| | this backend | through the adapter | notify 8.2 | its channel |";

/// The colour of each contender, on a light and on a dark background.
const COLOURS: [(&str, &str); 5] = [
    ("#1a7f37", "#3fb950"),
    ("#0969da", "#58a6ff"),
    ("#bf8700", "#d29922"),
    ("#cf222e", "#f85149"),
    ("#8250df", "#bc8cff"),
];

/// The width of the names, of a ratio of one, and of all, and the height of a bar.
const NAMES: f64 = 250.0;
const ONE: f64 = 130.0;
const WIDTH: f64 = 760.0;
const BAR: f64 = 9.0;

/// A row of the table: what was measured, and the ratio of each contender to the bare loop.
struct Row {
    name: String,
    ratios: Vec<f64>,
}

/// Returns the plot of the ratios in a page.
pub(super) fn svg(page: &str) -> Result<String> {
    let (contenders, rows) = table(page)?;
    let group = BAR * to_f64(contenders.len()) + 12.0;
    let top = 40.0;
    let height = top + group * to_f64(rows.len()) + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" role=\"img\">
<title>Cost compared with the bare system calls; less is better</title>
<style>
text {{ font: 12px sans-serif; fill: #1f2328; }}
line {{ stroke: #59636e; }}
"
    );
    for (at, (light, _)) in COLOURS.iter().enumerate() {
        _ = writeln!(svg, ".c{at} {{ fill: {light}; }}");
    }
    svg += "@media (prefers-color-scheme: dark) {\ntext { fill: #f0f6fc; }\nline { stroke: #9198a1; }\n";
    for (at, (_, dark)) in COLOURS.iter().enumerate() {
        _ = writeln!(svg, ".c{at} {{ fill: {dark}; }}");
    }
    svg += "}\n</style>\n";
    for (at, name) in contenders.iter().enumerate() {
        let x = 10.0 + to_f64(at) * 150.0;
        _ = writeln!(svg, "<rect class=\"c{at}\" x=\"{x}\" y=\"8\" width=\"10\" height=\"10\"/>");
        _ = writeln!(svg, "<text x=\"{}\" y=\"17\">{name}</text>", x + 15.0);
    }
    for (at, row) in rows.iter().enumerate() {
        let y = top + to_f64(at) * group;
        _ = writeln!(svg, "<text x=\"10\" y=\"{}\">{}</text>", y + group / 2.0, row.name);
        for (bar, ratio) in row.ratios.iter().enumerate() {
            let (y, width) = (y + to_f64(bar) * BAR, ratio * ONE);
            let height = BAR - 1.0;
            _ = writeln!(
                svg,
                "<rect class=\"c{bar}\" x=\"{NAMES}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\"><title>{ratio}</title></rect>"
            );
        }
    }
    let (x, end) = (NAMES + ONE, height - 20.0);
    _ = writeln!(svg, "<line x1=\"{x}\" x2=\"{x}\" y1=\"{}\" y2=\"{end}\"/>", top - 8.0);
    _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">bare loop</text>",
        height - 6.0
    );
    Ok(svg + "</svg>\n")
}

/// Returns the contenders and the rows of the table. A row without ratios, such as counts, is left out.
fn table(page: &str) -> Result<(Vec<String>, Vec<Row>)> {
    let start = page.find(HEADING).with_context(|| format!("there is no table {HEADING:?}"))?;
    let mut lines = page[start..].lines().take_while(|line| line.starts_with('|')).map(cells);
    let contenders = lines.next().context("a table has a heading")?[1..=COLOURS.len()].to_vec();
    let rows = lines.skip(1).filter_map(|cells| {
        let ratios = cells.get(1..=COLOURS.len())?.iter().map(|cell| cell.parse().ok());
        let ratios = ratios.collect::<Option<Vec<f64>>>()?;
        let name = cells[0].replace("the same, ", "… ");
        ratios.iter().any(|ratio| *ratio > 0.0).then_some(Row { name, ratios })
    });
    let rows: Vec<_> = rows.collect();
    ensure!(!rows.is_empty(), "the table has no ratios");
    Ok((contenders, rows))
}

/// Returns the cells of a table's line.
fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
