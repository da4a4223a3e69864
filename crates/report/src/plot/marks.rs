//! Markers, and the labels at the ends of curves.

use ledger::trimmed;
use maud::{Markup, html};

use super::layer::Tone;

/// A coordinate with at most two decimals, so that the same plot has the same bytes.
pub(super) fn px(x: f64) -> String {
    let text = trimmed(&format!("{x:.2}"));
    // A small negative number rounds to `-0`.
    if text == "-0" { "0".to_owned() } else { text }
}

/// A marker of a tone around a point. Each series has its own shape.
pub(super) fn marker(tone: Tone, [x, y]: [f64; 2], aside: bool, hint: &str) -> Markup {
    let colour = tone.colour();
    let class = match aside {
        true => format!("stroke-{colour} paper aside"),
        false => format!("stroke-{colour} fill-{colour}"),
    };
    let hint = html! { @if !hint.is_empty() { title { (hint) } } };
    let polygon = |corners: &[(f64, f64)]| {
        let d: Vec<String> =
            corners.iter().map(|(dx, dy)| format!("{} {}", px(x + dx), px(y + dy))).collect();
        html! { path class=(class) d=(format!("M{}Z", d.join("L"))) { (hint) } }
    };
    match tone {
        Tone::Series(i) => match i % 6 {
            0 => html! { circle class=(class) cx=(px(x)) cy=(px(y)) r="3" { (hint) } },
            1 => polygon(&[(-2.8, -2.8), (2.8, -2.8), (2.8, 2.8), (-2.8, 2.8)]),
            2 => polygon(&[(0.0, -3.8), (3.5, 2.6), (-3.5, 2.6)]),
            3 => polygon(&[(0.0, -4.2), (4.2, 0.0), (0.0, 4.2), (-4.2, 0.0)]),
            4 => polygon(&[(0.0, 3.8), (3.5, -2.6), (-3.5, -2.6)]),
            _ => polygon(&[(-1.2, -3.6), (1.2, -3.6), (1.2, 3.6), (-1.2, 3.6)]),
        },
        Tone::Control | Tone::Guide => {
            let class = format!("stroke-{colour} paper{}", if aside { " aside" } else { "" });
            html! { circle class=(class) cx=(px(x)) cy=(px(y)) r="2.6" { (hint) } }
        }
    }
}

/// A label at the end of a curve.
pub(super) struct Label<'a> {
    pub(super) tone: Tone,
    pub(super) y: f64,
    pub(super) text: &'a str,
}

/// Heights near the wanted ones, in the same order. They are at least `apart` from each other, and
/// between `top` and `bottom`.
pub(super) fn spread(wanted: &[f64], apart: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    // If there are too many labels for the height, they move closer together.
    let apart = apart.min((bottom - top) / wanted.len().max(1) as f64);
    let mut heights = vec![0.0; wanted.len()];
    let mut least = top;
    for &i in &order {
        heights[i] = wanted[i].clamp(top, bottom).max(least);
        least = heights[i] + apart;
    }
    // The first pass only pushes labels down. This one moves those below the bottom up again.
    let mut most = bottom;
    for &i in order.iter().rev() {
        heights[i] = heights[i].min(most);
        most = heights[i] - apart;
    }
    heights
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn labels_keep_their_order_and_distance(wanted in prop::collection::vec(-50.0..350.0_f64, 0..9)) {
            let heights = spread(&wanted, 15.0, 10.0, 290.0);
            for i in 0..wanted.len() {
                prop_assert!((10.0 - 1e-9..=290.0 + 1e-9).contains(&heights[i]));
                for j in 0..wanted.len() {
                    if wanted[i] < wanted[j] {
                        prop_assert!(heights[j] - heights[i] >= 15.0 - 1e-9);
                    }
                }
            }
        }
    }

    #[test]
    fn labels_with_room_stand_where_they_want() {
        assert_eq!(spread(&[100.0, 40.0], 15.0, 0.0, 200.0), [100.0, 40.0]);
        assert_eq!(spread(&[100.0, 100.0], 15.0, 0.0, 200.0), [100.0, 115.0]);
    }
}
