//! The learning curve as SVG: training and validation loss over the steps.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Point, ReportError};

/// Width and height in pixels.
const SIZE: (u32, u32) = (860, 420);

/// More points than this say no more about the training loss.
const MOST_POINTS: usize = 500;

/// The first losses are so high that the rest would be a flat line: this part of a run may leave the
/// chart at its top.
const STEEP_PART: f64 = 0.04;

const TRAINING: RGBColor = RGBColor(64, 132, 208);
const VALIDATION: RGBColor = RGBColor(222, 110, 32);
/// Legible on white and on black.
const INK: RGBColor = RGBColor(118, 118, 118);

/// What the chart is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// White, for a picture by itself.
    White,
    /// What lies below, for a picture on a page.
    Clear,
}

/// Draws the curve.
///
/// # Errors
/// When the drawing library refuses.
pub fn draw(curve: &[Point], paper: Paper) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw_on(&area, curve, paper).map_err(|error| ReportError::Draw(error.to_string()))?;
    }
    Ok(svg)
}

fn draw_on<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    curve: &[Point],
    paper: Paper,
) -> Result<(), Box<dyn Error + 'a>> {
    if paper == Paper::White {
        area.fill(&WHITE)?;
    }
    let series = |of: fn(&Point) -> Option<f64>| -> Vec<(f64, f64)> {
        let finite =
            |point: &Point| Some((point.step as f64, of(point)?)).filter(|p| p.1.is_finite());
        curve.iter().filter_map(finite).collect()
    };
    let training = thinned(&series(|point| point.loss_nats));
    let validation = series(|point| point.validation_loss_nats);
    let last = curve.last().map_or(1.0, |point| point.step as f64);
    let (bottom, top) = range(training.iter().chain(&validation), last);

    let label = || ("sans-serif", 14).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..last.max(1.0), bottom..top)?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(INK.mix(0.3))
        .light_line_style(TRANSPARENT)
        .label_style(label())
        .axis_desc_style(label())
        .x_desc("steps")
        .y_desc("loss in nats per character")
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|loss| format!("{loss:.2}"))
        .draw()?;
    let inside = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().map(|&(x, y)| (x, y.min(top))).collect()
    };
    let legend = |color: RGBColor| {
        move |(x, y)| PathElement::new([(x, y), (x + 24, y)], color.stroke_width(2))
    };
    chart
        .draw_series(LineSeries::new(inside(&training), TRAINING.stroke_width(2)))?
        .label("training, with parts dropped")
        .legend(legend(TRAINING));
    let validation = inside(&validation);
    chart
        .draw_series(LineSeries::new(
            validation.clone(),
            VALIDATION.stroke_width(2),
        ))?
        .label("validation, averaged weights")
        .legend(legend(VALIDATION));
    chart.draw_series(
        validation
            .iter()
            .map(|&at| Circle::new(at, 3, VALIDATION.filled())),
    )?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font(label())
        .draw()?;
    area.present()?;
    Ok(())
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

/// The lowest and highest loss to show, with some air.
fn range<'a>(points: impl Iterator<Item = &'a (f64, f64)> + Clone, last: f64) -> (f64, f64) {
    let ends = |points: &mut dyn Iterator<Item = f64>| {
        points.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| {
            (low.min(y), high.max(y))
        })
    };
    let late = points.clone().filter(|point| point.0 > STEEP_PART * last);
    let (low, high) = ends(&mut late.map(|point| point.1));
    if low > high {
        return (0.0, 1.0);
    }
    let air = (0.06 * (high - low)).max(0.01);
    ((low - air).max(0.0), high + air)
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
    fn the_steep_beginning_does_not_flatten_the_rest() {
        let mut points = vec![(20, Some(40.0), None)];
        points.extend((1..100).map(|n| (100 * n, Some(2.0 - 0.005 * n as f64), None)));
        let points: Vec<_> = points
            .iter()
            .map(|&(x, y, _): &(u64, Option<f64>, Option<f64>)| (x as f64, y.unwrap_or(0.0)))
            .collect();
        let (low, high) = range(points.iter(), 9_900.0);
        assert!(low > 1.4 && high < 2.1, "{low} {high}");
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
