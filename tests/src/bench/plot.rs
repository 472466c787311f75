//! A drawing of lines over a logarithmic axis, as SVG.

use std::fmt::Write as _;

/// Lines over one axis.
pub struct Panel {
    /// What its axis counts.
    pub x_name: String,
    /// The lines, of which each has another colour in all panels.
    pub series: Vec<Series>,
}

/// A line.
pub struct Series {
    /// Name.
    pub name: String,
    /// Colour, as SVG has it.
    pub colour: &'static str,
    /// The points, from left to right.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 220.0;
/// Room around a panel's lines.
const LEFT: f64 = 50.0;
const TOP: f64 = 56.0;
const BETWEEN: f64 = 62.0;
const BOTTOM: f64 = 84.0;
/// Lines across a panel, at most.
const GRID: f64 = 6.0;

/// Where a panel's values are drawn.
struct Scale {
    left: f64,
    x_least: f64,
    x_most: f64,
    y_most: f64,
    step: f64,
}

impl Scale {
    fn new(panel: &Panel, left: f64) -> Self {
        let points = || panel.series.iter().flat_map(|series| &series.points);
        let x_most = points().map(|point| point.0.log2()).fold(1.0, f64::max);
        let x_least = points().map(|point| point.0.log2()).fold(x_most, f64::min);
        let most = points().map(|point| point.1).filter(|y| y.is_finite()).fold(1.0, f64::max);
        let step = step(most);
        Self { left, x_least, x_most, y_most: (most / step).ceil() * step, step }
    }

    fn x(&self, value: f64) -> f64 {
        let inset = 14.0;
        let part = (value.log2() - self.x_least) / (self.x_most - self.x_least).max(f64::MIN_POSITIVE);
        self.left + inset + part * (WIDTH - 2.0 * inset)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + HEIGHT * (1.0 - value / self.y_most)
    }
}

/// The panels side by side, with `note` below.
pub fn svg(panels: &[Panel], note: &str) -> String {
    let width = LEFT + panels.len() as f64 * (WIDTH + BETWEEN) - BETWEEN + 30.0;
    let height = TOP + HEIGHT + BOTTOM;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    text(
        &mut out,
        (LEFT - 34.0, 24.0),
        "start",
        "Net nanoseconds a packet, when every packet answers another one (XDP)",
    );
    legend(&mut out, panels, width);
    for (index, panel) in panels.iter().enumerate() {
        let scale = Scale::new(panel, LEFT + index as f64 * (WIDTH + BETWEEN));
        axes(&mut out, panel, &scale);
        for series in &panel.series {
            line(&mut out, series, &scale);
        }
    }
    text(&mut out, (LEFT - 34.0, height - 14.0), "start", note);
    out + "</svg>\n"
}

fn legend(out: &mut String, panels: &[Panel], width: f64) {
    let series = panels.first().map_or(&[][..], |panel| &panel.series);
    for (index, series) in series.iter().enumerate() {
        let x = width - 110.0 * (series_left(index, panels) as f64) - 8.0;
        let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"20\" r=\"4.5\" fill=\"{}\"/>", series.colour);
        text(out, (x + 10.0, 24.0), "start", &series.name);
    }
}

/// How many names stand from this one to the right edge.
fn series_left(index: usize, panels: &[Panel]) -> usize {
    panels.first().map_or(0, |panel| panel.series.len() - index)
}

fn axes(out: &mut String, panel: &Panel, scale: &Scale) {
    let right = scale.left + WIDTH;
    let mut value = 0.0;
    while value <= scale.y_most + scale.step / 2.0 {
        let y = scale.y(value);
        let colour = if value == 0.0 { "#555" } else { "#ddd" };
        let _ = writeln!(out, "<path d=\"M{:.1} {y:.1}H{right:.1}\" stroke=\"{colour}\" fill=\"none\"/>", scale.left);
        text(out, (scale.left - 8.0, y + 4.0), "end", &value.to_string());
        value += scale.step;
    }
    let mut last = f64::NEG_INFINITY;
    for (at, _) in panel.series.first().map_or(&[][..], |series| &series.points) {
        let x = scale.x(*at);
        let _ = writeln!(out, "<path d=\"M{x:.1} {:.1}v5\" stroke=\"#555\"/>", TOP + HEIGHT);
        if x - last >= 30.0 {
            text(out, (x, TOP + HEIGHT + 19.0), "middle", &short(*at));
            last = x;
        }
    }
    text(out, (scale.left + WIDTH / 2.0, TOP + HEIGHT + 38.0), "middle", &panel.x_name);
}

fn line(out: &mut String, series: &Series, scale: &Scale) {
    let points = series.points.iter().filter(|point| point.1.is_finite());
    let points: Vec<(f64, f64)> = points.map(|point| (scale.x(point.0), scale.y(point.1))).collect();
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let colour = series.colour;
    let _ =
        writeln!(out, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", path.join(" "));
    for (x, y) in &points {
        let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>");
    }
    if let (Some((x, y)), Some((_, value))) = (points.last(), series.points.last()) {
        text(out, (x + 8.0, y - 8.0), "end", &format!("{value:.0}"));
    }
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

/// The least of 1, 2, 5, 10, 20, … of which `GRID` are enough.
fn step(most: f64) -> f64 {
    let mut step = 1.0;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if most / step <= GRID {
            break;
        }
        step *= factor;
    }
    step
}

/// A number as it fits below an axis.
fn short(number: f64) -> String {
    const KILO: f64 = 1024.0;
    if number >= KILO * KILO {
        format!("{}M", number / (KILO * KILO))
    } else if number >= KILO {
        format!("{}k", number / KILO)
    } else {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> Panel {
        let points = vec![(1.0, 40.0), (1024.0, 80.0), (1_048_576.0, 230.0)];
        Panel { x_name: "flows".to_owned(), series: vec![Series { name: "a<b".to_owned(), colour: "#000", points }] }
    }

    #[test]
    fn equal_factors_are_equally_far_apart_and_zero_is_at_the_bottom() {
        let scale = Scale::new(&panel(), 0.0);
        let [first, middle, last] = [1.0, 1024.0, 1_048_576.0].map(|x| scale.x(x));
        assert!((middle - first - (last - middle)).abs() < 1e-9);
        assert_eq!((scale.y(0.0), scale.y_most, scale.step), (TOP + HEIGHT, 250.0, 50.0));
    }

    #[test]
    fn a_drawing_has_every_point_and_is_well_formed() {
        let text = svg(&[panel(), panel()], "note & more");
        assert_eq!(text.matches("r=\"3.5\"").count(), 6);
        assert!(text.contains("a&lt;b") && text.contains("note &amp; more") && !text.contains("NaN"));
        assert!(["1M", "1k"].iter().all(|tick| text.contains(&format!(">{tick}<"))));
    }

    #[test]
    fn one_point_alone_can_be_drawn() {
        let series = Series { name: String::new(), colour: "#000", points: vec![(1.0, 5.0)] };
        assert!(!svg(&[Panel { x_name: String::new(), series: vec![series] }], "").contains("NaN"));
    }
}
