//! Colours, dashes and markers. The colours are those of Okabe and Ito (2008), which people with
//! all common kinds of colour blindness can tell apart. Dashes and markers differ even without
//! colour.

use super::layer::Tone;

/// Name, colour on light paper, colour on dark paper.
const COLOURS: [(&str, &str, &str); 12] = [
    ("paper", "#ffffff", "#15191e"),
    ("ink", "#1c2127", "#e8eaed"),
    ("soft", "#5b646e", "#a3adb8"),
    ("hair", "#dfe3e8", "#313942"),
    ("shade", "#f4f6f8", "#1d232a"),
    ("control", "#6b7480", "#a3adb8"),
    ("s0", "#0072b2", "#56b4e9"),
    ("s1", "#d55e00", "#e8792b"),
    ("s2", "#009e73", "#1fbf93"),
    ("s3", "#a8467c", "#cc79a7"),
    ("s4", "#b97f00", "#e69f00"),
    ("s5", "#56b4e9", "#f0e442"),
];

/// Dashes by series. There are five dashes and six colours, with no common factor, so 30 series
/// stay distinct.
const DASHES: [&str; 5] = ["none", "8 4", "2 3", "9 3 2 3", "4 3"];

/// The style for every page with plots and for every single plot.
pub(crate) const PLOT_STYLE: &str = ".plot{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1c2127;fill:var(--ink)}\
.plot text{font-variant-numeric:tabular-nums}\
.plot .paper{fill:#fff;fill:var(--paper)}\
.plot .grid{stroke:#dfe3e8;stroke:var(--hair)}\
.plot .soft{fill:#5b646e;fill:var(--soft)}\
.plot .head{font-size:15px;font-weight:600}\
.plot .name{font-size:13px;font-weight:600}\
.plot .shade{fill:#f4f6f8;fill:var(--shade)}\
.plot .line{fill:none;stroke-width:2;stroke-linejoin:round}\
.plot .band{stroke:none;opacity:.16}\
.plot .level{stroke-width:1.25;stroke-dasharray:1 3;stroke-linecap:round}\
.plot .aside{opacity:.45}\
.plot .more{fill:#5b646e;fill:var(--soft)}\
.plot .halo{stroke:#fff;stroke:var(--paper);stroke-linejoin:round}";

/// The colours as CSS variables for light, dark and print, and the classes that use them.
pub(crate) fn palette() -> String {
    let variables = |pick: fn(&(&str, &'static str, &'static str)) -> &'static str| -> String {
        COLOURS.iter().map(|colour| format!("--{}:{};", colour.0, pick(colour))).collect()
    };
    let (light, dark) = (variables(|colour| colour.1), variables(|colour| colour.2));
    let class = |(name, light, _): &(&str, &str, &str)| {
        // Viewers without CSS variables use the first value of each pair.
        format!(
            ".plot .stroke-{name}{{stroke:{light};stroke:var(--{name})}}.plot .fill-{name}{{fill:{light};fill:var(--{name})}}"
        )
    };
    let classes: String = COLOURS[5..].iter().map(class).collect();
    format!(
        ":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\
         @media print{{:root{{color-scheme:light;{light}}}}}{classes}"
    )
}

impl Tone {
    /// The name of the colour.
    pub(crate) fn colour(self) -> String {
        match self {
            Self::Series(i) => format!("s{}", i % 6),
            Self::Control | Self::Guide => "control".to_owned(),
        }
    }

    /// The dashes.
    pub(crate) fn dash(self) -> &'static str {
        match self {
            Self::Series(i) => DASHES[i % DASHES.len()],
            Self::Control => "1 4",
            Self::Guide => "4 4",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_series_all_look_different() {
        let mut looks: Vec<_> =
            (0..30).map(|i| (Tone::Series(i).colour(), Tone::Series(i).dash())).collect();
        looks.sort();
        looks.dedup();
        assert_eq!(looks.len(), 30);
    }

    /// Relative luminance, as WCAG 2.1 defines it.
    fn luminance(colour: &str) -> f64 {
        let channel = |i: usize| {
            let x = f64::from(u8::from_str_radix(&colour[i..i + 2], 16).unwrap()) / 255.0;
            if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn the_first_five_series_and_all_text_stand_out_from_the_paper() {
        let contrast = |a: &str, b: &str| {
            let (a, b) = (luminance(a), luminance(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        let (_, light, dark) = COLOURS[0];
        for (name, on_light, on_dark) in
            COLOURS.iter().filter(|c| !["paper", "hair", "shade", "s5"].contains(&c.0))
        {
            let needed = if ["ink", "soft"].contains(name) { 4.5 } else { 3.0 };
            assert!(contrast(on_light, light) >= needed, "{name} in light");
            assert!(contrast(on_dark, dark) >= needed, "{name} in dark");
        }
    }
}
