//! Learning curves as SVG: losses over the steps, of one run or of several.

use std::error::Error;

use indicatif::HumanCount;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Point, ReportError};

/// More points than this say no more about the training loss.
const MOST_POINTS: usize = 500;

/// What lies beyond is left out: no training gets there, and the drawing library never ends on axes that are
/// longer than their numbers are exact.
const MOST_STEPS: f64 = 1e12;
const MOST_LOSS: f64 = 1e6;

/// The first losses are so high that the rest would be a flat line: this part of a run may be left out.
pub const STEEP_PART: f64 = 0.04;

/// It is left out where the losses would take so many times the height with it.
const STEEP: f64 = 1.5;

/// Colours that are told apart by people who see few, and legible on white and on black.
const COLOURS: [RGBColor; 6] = [
    RGBColor(64, 132, 208),
    RGBColor(222, 110, 32),
    RGBColor(40, 150, 100),
    RGBColor(190, 80, 150),
    RGBColor(150, 130, 30),
    RGBColor(120, 120, 120),
];
const INK: RGBColor = RGBColor(118, 118, 118);

/// Height of a row of the legend, and the width of a letter of it, both in pixels.
const LEGEND_ROW: u32 = 24;
const LETTER: u32 = 8;

/// What the chart is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// White, for a picture by itself.
    White,
    /// What lies below, for a picture on a page.
    Clear,
    /// The same for the page on a phone.
    Phone,
}

impl Paper {
    /// Width and height in pixels.
    fn size(self) -> (u32, u32) {
        match self {
            Self::White | Self::Clear => (860, 440),
            Self::Phone => (360, 320),
        }
    }
}

/// A line of the chart.
#[derive(Debug, Clone)]
pub struct Series {
    /// What it is.
    pub label: String,
    /// Steps and losses.
    pub points: Vec<(f64, f64)>,
    /// Whether each point is marked: they are few.
    pub is_marked: bool,
}

impl Series {
    /// The training losses of a curve.
    #[must_use]
    pub fn training(label: &str, curve: &[Point]) -> Self {
        Self {
            label: label.to_owned(),
            points: thinned(&points(curve, |point| point.loss_nats)),
            is_marked: false,
        }
    }

    /// Its validation losses.
    #[must_use]
    pub fn validation(label: &str, curve: &[Point]) -> Self {
        Self {
            label: label.to_owned(),
            points: points(curve, |point| point.validation_loss_nats),
            is_marked: true,
        }
    }
}

/// What is known of the losses, as far as a chart can show it.
fn points(curve: &[Point], of: fn(&Point) -> Option<f64>) -> Vec<(f64, f64)> {
    let known = curve
        .iter()
        .filter_map(|point| Some((point.step as f64, of(point)?)));
    known
        .filter(|(step, loss)| *step <= MOST_STEPS && (0.0..=MOST_LOSS).contains(loss))
        .collect()
}

/// Draws the curve of a run.
///
/// # Errors
/// When the drawing library refuses.
pub fn draw(curve: &[Point], paper: Paper) -> Result<String, ReportError> {
    let series = [
        Series::training("training, with parts dropped", curve),
        Series::validation("validation, averaged weights", curve),
    ];
    draw_series(&series, paper)
}

/// Draws some curves.
///
/// # Errors
/// When the drawing library refuses.
pub fn draw_series(series: &[Series], paper: Paper) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, paper.size()).into_drawing_area();
        draw_on(&area, series, paper).map_err(|error| ReportError::Draw(error.to_string()))?;
    }
    Ok(svg)
}

fn draw_on<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    series: &[Series],
    paper: Paper,
) -> Result<(), Box<dyn Error + 'a>> {
    if paper == Paper::White {
        area.fill(&WHITE)?;
    }
    let label = || ("sans-serif", 14).into_font().color(&INK);
    let places = legend(series, paper.size().0);
    let legend_height = places.last().map_or(0, |&(_, y)| y + LEGEND_ROW) + 4;
    let (top, plot) = area.split_vertically(legend_height);
    for ((series, colour), (x, y)) in series.iter().zip(COLOURS.iter().cycle()).zip(places) {
        let (x, y) = (i32::try_from(x)?, i32::try_from(y + LEGEND_ROW / 2)?);
        let line = [(x, y), (x + 24, y)];
        top.draw(&PathElement::new(line, colour.stroke_width(2)))?;
        top.draw(&Text::new(series.label.clone(), (x + 30, y - 6), label()))?;
    }

    let view = View::of(series);
    let steps = match view.first {
        0.0 => "steps".to_owned(),
        first => format!("steps, without the first {}", HumanCount(first as u64)),
    };
    let ticks = if paper == Paper::Phone { 4 } else { 10 };
    let decimals = if view.top - view.bottom < 0.1 { 3 } else { 2 };
    let mut chart = ChartBuilder::on(&plot)
        .margin(4)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(view.first..view.last, view.bottom..view.top)?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(INK.mix(0.3))
        .light_line_style(TRANSPARENT)
        .label_style(label())
        .axis_desc_style(label())
        .x_labels(ticks)
        .y_labels(ticks)
        .x_desc(steps)
        .y_desc("loss in nats per character")
        .x_label_formatter(&|step| HumanCount(step.round() as u64).to_string())
        .y_label_formatter(&|loss| format!("{loss:.decimals$}"))
        .draw()?;
    for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let shown: Vec<_> = view.shown(&series.points).collect();
        if series.is_marked {
            chart.draw_series(shown.iter().map(|&at| Circle::new(at, 3, colour.filled())))?;
        }
        chart.draw_series(LineSeries::new(shown, colour.stroke_width(2)))?;
    }
    area.present()?;
    Ok(())
}

/// Where the entries of the legend are, above the plot: beside each other as far as they fit.
fn legend(series: &[Series], width: u32) -> Vec<(u32, u32)> {
    let (left, mut x, mut y) = (12, 12, 4);
    let place = |series: &Series| {
        let letters = u32::try_from(series.label.chars().count()).unwrap_or(0);
        let columns = 30 + LETTER * letters;
        if x > left && x + columns > width {
            (x, y) = (left, y + LEGEND_ROW);
        }
        let place = (x, y);
        x += columns + 16;
        place
    };
    series.iter().map(place).collect()
}

/// As many means of neighbours as a chart can show.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |group: &[(f64, f64)]| {
        let sum: f64 = group.iter().map(|point| point.1).sum();
        group.last().map(|&(x, _)| (x, sum / group.len() as f64))
    };
    points.chunks(size).filter_map(mean).collect()
}

/// The part of the plane that is shown; no point between its first and last step is outside.
#[derive(Debug, Clone, Copy, PartialEq)]
struct View {
    first: f64,
    last: f64,
    bottom: f64,
    top: f64,
}

impl View {
    fn of(series: &[Series]) -> Self {
        let points = series.iter().flat_map(|series| &series.points);
        let last = points
            .clone()
            .fold(0.0, |last: f64, point| last.max(point.0));
        let ends = |first: f64| {
            let shown = points.clone().filter(|point| point.0 >= first);
            shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
                (low.min(point.1), high.max(point.1))
            })
        };
        let height = |(low, high): (f64, f64)| high - low;
        let late = (STEEP_PART * last).round();
        let first =
            match height(ends(0.0)) > STEEP * height(ends(late)) && ends(late).0 < ends(late).1 {
                true => late,
                false => 0.0,
            };
        let (low, high) = ends(first);
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let air = (0.06 * (high - low)).max(0.01);
        Self {
            first,
            last: last.max(first + 1.0),
            bottom: (low - air).max(0.0),
            top: high + air,
        }
    }

    fn shown<'a>(&self, points: &'a [(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        let first = self.first;
        points.iter().copied().filter(move |point| point.0 >= first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u64, Option<f64>, Option<f64>)]) -> Vec<Point> {
        let point = |&(step, loss_nats, validation_loss_nats): &_| Point {
            step,
            seconds: 0.0,
            loss_nats,
            validation_loss_nats,
        };
        points.iter().map(point).collect()
    }

    #[test]
    fn both_losses_are_drawn_and_measurements_are_marked() {
        let points = curve(&[
            (100, Some(3.0), None),
            (200, Some(2.0), None),
            (200, None, Some(2.1)),
            (300, Some(1.5), None),
            (300, None, Some(1.8)),
        ]);
        let svg = draw(&points, Paper::White).expect("a drawing");
        assert!(svg.trim_start().starts_with("<svg"), "{svg}");
        assert!(svg.contains("#4084D0") && svg.contains("#DE6E20"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("#FFFFFF"));
        assert!(
            !draw(&points, Paper::Clear)
                .expect("a drawing")
                .contains("#FFFFFF")
        );
    }

    #[test]
    fn curves_without_points_or_with_losses_that_are_no_numbers_can_be_drawn() {
        for points in [
            vec![],
            curve(&[(1, Some(f64::NAN), None)]),
            curve(&[(1, Some(2.0), None)]),
            curve(&[(1, Some(2.0), None), (2, Some(f64::INFINITY), Some(2.0))]),
        ] {
            draw(&points, Paper::Clear).expect("a drawing");
        }
    }

    #[test]
    fn the_steep_beginning_is_left_out_and_nothing_of_the_rest_is_clipped() {
        let mut points = vec![(20, Some(40.0), None)];
        points.extend((1..100).map(|n| (100 * n, Some(2.0 - 0.005 * n as f64), None)));
        let points = curve(&points);
        let view = View::of(&[Series::training("", &points)]);
        assert_eq!((view.first, view.last), (396.0, 9_900.0));
        assert!(view.bottom > 1.4 && view.top < 2.1, "{view:?}");
        let svg = draw(&points, Paper::Clear).expect("a drawing");
        assert!(svg.contains("steps, without the first 396"), "{svg}");
        assert!(svg.contains("9,000"), "{svg}");
    }

    #[test]
    fn whatever_the_losses_all_that_are_shown_are_inside() {
        for losses in [
            vec![4.0, 3.0, 2.0, 1.9, 1.8],
            vec![2.0, 9.0, 1.0, 30.0],
            vec![1.5; 4],
            vec![3.0],
        ] {
            let steps = (1..).map(|n| f64::from(n) * 50.0);
            let series = Series {
                label: String::new(),
                points: steps.zip(losses).collect(),
                is_marked: true,
            };
            let view = View::of(std::slice::from_ref(&series));
            assert!(view.first < view.last && view.bottom < view.top);
            for (x, y) in view.shown(&series.points) {
                assert!((view.first..=view.last).contains(&x), "{view:?}");
                assert!((view.bottom..=view.top).contains(&y), "{view:?}");
            }
        }
    }

    #[test]
    fn the_legend_is_above_the_plot_and_inside_the_picture() {
        let series = |label: &str| Series {
            label: label.to_owned(),
            points: vec![(1.0, 2.0), (2.0, 1.0)],
            is_marked: false,
        };
        let labels = [
            "training, with parts dropped",
            "validation, averaged weights",
        ];
        let both = labels.map(series);
        assert_eq!(legend(&both, 860), [(12, 4), (282, 4)]);
        assert_eq!(legend(&both, 360), [(12, 4), (12, 28)]);
    }

    #[test]
    fn thinning_keeps_the_mean_and_the_end() {
        let points: Vec<_> = (0..10_001)
            .map(|n| (f64::from(n), f64::from(n % 2)))
            .collect();
        let thin = thinned(&points);
        assert!(thin.len() <= MOST_POINTS);
        assert_eq!(thin.last().map(|point| point.0), Some(10_000.0));
        assert!(thin.iter().all(|point| (point.1 - 0.5).abs() < 0.51));
    }
}
