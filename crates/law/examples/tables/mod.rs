//! Points tables as runs, for examples that judge laws on them.

use std::collections::BTreeMap;
use std::error::Error;

use law::{Place, Point, Run};

/// Runs by series and method.
pub(crate) type Groups = BTreeMap<String, Vec<Run>>;

/// The pruned runs of a table, by series and method.
/// Reads a points table. Unpruned controls are left out.
pub(crate) fn read(path: &str) -> Result<Groups, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let place =
        |name: &str| header.iter().position(|column| *column == name).ok_or(name.to_owned());
    let [series, method, name, n0, rate, loss0, tokens, loss] =
        ["series", "method", "run", "n0", "rate", "loss0", "tokens", "loss"].map(place);
    let base = place("base").ok();
    let (series, method, name, n0) = (series?, method?, name?, n0?);
    let (rate, loss0, tokens, loss) = (rate?, loss0?, tokens?, loss?);
    type Key = (String, String);
    let mut runs: BTreeMap<Key, (String, Place, Vec<Point>)> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let place = Place {
            n0: cells[n0].parse()?,
            rate: cells[rate].parse()?,
            loss0: cells[loss0].parse()?,
        };
        let point =
            Point { tokens: cells[tokens].parse()?, loss: cells[loss].parse()?, weight: 1.0 };
        let group = format!("{} {}", cells[series], cells[method]);
        let base = base.map_or_else(|| cells[n0].to_owned(), |base| cells[base].to_owned());
        // Controls have no rate.
        if place.rate > 0.0 {
            let run = runs.entry((group, cells[name].to_owned()));
            run.or_insert_with(|| (base, place, Vec::new())).2.push(point);
        }
    }
    let mut groups = Groups::new();
    for ((group, name), (base, place, points)) in runs {
        groups.entry(group).or_default().push(Run::new(&name, &base, place, points));
    }
    Ok(groups)
}
