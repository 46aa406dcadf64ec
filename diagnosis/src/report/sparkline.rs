//! One course of values as a small drawing: a line in steps, the lowest and highest value, the first and last day.
//!
//! The recorder keeps changes, so the line runs level until the next point: a slope would claim values that nobody saw.
//! It breaks where nobody looked, and a dashed line marks each restart. Times and values are whole numbers throughout.

use super::markup::Markup;
use super::trends::Chart;
use crate::text::day;

const WIDTH: i64 = 320;
const HEIGHT: i64 = 92;
/// The drawing area: left and right, top and bottom.
const LEFT: i64 = 46;
const RIGHT: i64 = 312;
const TOP: i64 = 10;
const BOTTOM: i64 = 70;

/// Draws one chart; `number` makes its names unique on the page.
pub(super) fn draw(page: &mut Markup, chart: &Chart, number: usize) {
    let ((from, to), (low, high)) = (chart.span(), chart.range());
    let x = |at: i64| scaled(at, (from, to), (LEFT, RIGHT));
    let y = |value: i64| scaled(value, (low, high), (BOTTOM, TOP));
    let (title, desc) = (format!("chart{number}t"), format!("chart{number}d"));
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    page.open("svg", &[("viewBox", &view), ("role", "img"), ("aria-labelledby", &format!("{title} {desc}"))]);
    page.leaf("title", &[("id", &title)], &chart.title);
    page.leaf("desc", &[("id", &desc)], &format!("{}. {}.", chart.sentence(), chart.extent()));
    page.shape("path", &[("class", "a"), ("d", &format!("M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"))]);
    let label = |page: &mut Markup, x: i64, y: i64, anchor: &str, text: &str| {
        page.leaf("text", &[("x", &x.to_string()), ("y", &y.to_string()), ("text-anchor", anchor)], text);
    };
    label(page, LEFT - 5, TOP + 4, "end", &short(high));
    label(page, LEFT - 5, BOTTOM + 1, "end", &short(low));
    label(page, LEFT, BOTTOM + 15, "start", &day(from));
    label(page, RIGHT, BOTTOM + 15, "end", &day(to));
    let restarts: String = chart.restarts.iter().map(|at| format!("M{} {TOP}V{BOTTOM}", x(*at))).collect();
    if !restarts.is_empty() {
        page.shape("path", &[("class", "r"), ("d", &restarts)]);
    }
    let mut line = String::new();
    for run in chart.runs.iter().filter(|run| run.len() > 1) {
        for ((at, value), first) in run.iter().zip(std::iter::once(true).chain(std::iter::repeat(false))) {
            let (x, y) = (x(*at), y(*value));
            line.push_str(&if first { format!("M{x} {y}") } else { format!("H{x}V{y}") });
        }
    }
    if !line.is_empty() {
        page.shape("path", &[("class", "v"), ("d", &line)]);
    }
    // A value that stands alone has no line; the newest one is marked as well.
    let newest = chart.runs.last().and_then(|run| run.last());
    let alone = chart.runs.iter().filter(|run| run.len() == 1).filter_map(|run| run.first());
    let mut dots: Vec<(i64, i64)> = alone.chain(newest).map(|(at, value)| (x(*at), y(*value))).collect();
    dots.dedup();
    for (x, y) in dots {
        page.shape("circle", &[("class", "d"), ("cx", &x.to_string()), ("cy", &y.to_string()), ("r", "2.5")]);
    }
    page.close();
}

/// A value of one range at the same share of another one; the middle when the first has no extent.
fn scaled(value: i64, (low, high): (i64, i64), (to_low, to_high): (i64, i64)) -> i64 {
    let extent = i128::from(high) - i128::from(low);
    let wide = i128::from(to_high) - i128::from(to_low);
    if extent <= 0 {
        return to_low + (to_high - to_low) / 2;
    }
    let share = (i128::from(value) - i128::from(low)) * wide / extent;
    to_low.saturating_add(i64::try_from(share).unwrap_or_default())
}

/// A number that fits beside an axis: from ten million on in millions.
fn short(value: i64) -> String {
    match value.unsigned_abs() {
        0..=9_999_999 => value.to_string(),
        10_000_000..=9_999_999_999 => format!("{}M", value / 1_000_000),
        _ => format!("{}G", value / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_share() {
        for (value, range, to, expected) in [
            (5, (0, 10), (0, 100), 50),
            (0, (0, 10), (70, 10), 70),
            (10, (0, 10), (70, 10), 10),
            (3, (3, 3), (0, 100), 50),
            (i64::MAX, (i64::MIN, i64::MAX), (46, 312), 312),
        ] {
            assert_eq!(scaled(value, range, to), expected);
        }
        assert_eq!((short(41_688), short(94_490_722_326)), ("41688".to_owned(), "94G".to_owned()));
    }

    #[test]
    fn a_line_runs_level_and_breaks() {
        let chart = Chart {
            title: "t".to_owned(),
            runs: vec![vec![(0, 1), (10, 3)], vec![(20, 2)]],
            restarts: vec![20],
            left_out: 0,
        };
        let mut page = Markup::default();
        draw(&mut page, &chart, 1);
        let drawn = page.finish();
        assert!(drawn.contains("d=\"M46 70H179V10\""), "{drawn}");
        assert!(drawn.contains("class=\"r\" d=\"M312 10V70\""), "{drawn}");
        assert_eq!(drawn.matches("<circle").count(), 1, "{drawn}");
        assert!(drawn.contains("<title id=\"chart1t\">t</title><desc id=\"chart1d\">1 on "), "{drawn}");
    }
}
