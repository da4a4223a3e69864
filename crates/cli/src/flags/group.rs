//! Which rows form a group. Each group gets its own law.

use clap::{Args, ValueEnum};
use law::TableRow;
use ledger::{MethodId, MethodKind, Objective};

/// What makes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupBy {
    Series,
    Method,
    Objective,
}

impl GroupBy {
    const ALL: [Self; 3] = [Self::Series, Self::Method, Self::Objective];
}

/// The flag.
#[derive(Debug, Args)]
pub(crate) struct GroupFlags {
    /// What makes a group: rows that differ in it are fitted and judged apart, others come
    /// together under `any`
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', default_values_t = GroupBy::ALL)]
    group_by: Vec<GroupBy>,
}

/// The series, method or objective of rows that are grouped regardless of it.
const ANY: &str = "any";

impl GroupFlags {
    /// The rows in their groups, as [`GroupFlags::grouped`] says.
    pub(crate) fn all(&self, rows: Vec<TableRow>) -> impl Iterator<Item = TableRow> {
        // A table of one objective needs no word for several.
        let lm =
            |row: &TableRow| row.objective.as_deref().unwrap_or(Objective::LM) == Objective::LM;
        let several = !rows.iter().all(lm);
        rows.into_iter().map(move |row| self.grouped(row, several))
    }

    /// The row with `any` as the series, method or objective, if rows are not grouped by it.
    /// Controls keep the method `none`. The old value moves into the run's name, so that runs of
    /// different groups stay apart.
    fn grouped(&self, row: TableRow, several_objectives: bool) -> TableRow {
        let mut grouped = row.clone();
        if !self.group_by.contains(&GroupBy::Series) {
            grouped.series = ANY.to_owned();
            grouped.base =
                Some(row.base.clone().unwrap_or_else(|| format!("{} {}", row.series, row.n0)));
            grouped.run = format!("{} {}", row.series, grouped.run);
        }
        if !self.group_by.contains(&GroupBy::Method) && row.rate > 0.0 {
            // The id `any` does not say what the method does to weights, so that is taken from the
            // old id first.
            let kind = MethodId::from(row.method.as_str()).kind();
            grouped.zeroed = kind.map(|kind| kind == MethodKind::Zeroes).or(row.zeroed);
            grouped.method = ANY.to_owned();
            grouped.run = format!("{} {}", row.method, grouped.run);
        }
        let together = several_objectives && !self.group_by.contains(&GroupBy::Objective);
        if together && row.rate > 0.0 {
            let objective = row.objective.as_deref().unwrap_or(Objective::LM);
            grouped.run = format!("{objective} {}", grouped.run);
            grouped.objective = Some(ANY.to_owned());
        }
        grouped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rate: f64, method: &str) -> TableRow {
        TableRow { series: "s".into(), method: method.into(), ..TableRow::run("a", 1e9, rate, 2.0) }
    }

    #[test]
    fn what_does_not_make_a_group_comes_together_and_runs_stay_apart() {
        let by_series = GroupFlags { group_by: vec![GroupBy::Series] };
        let (depth, width) = (
            by_series.grouped(row(0.2, "depth"), false),
            by_series.grouped(row(0.2, "width"), false),
        );
        assert_eq!(
            (depth.series.as_str(), depth.method.as_str(), width.method.as_str()),
            ("s", "any", "any")
        );
        assert_ne!(depth.run, width.run);
        // `depth` is not a regrow id, `2:4-wanda` is.
        assert_eq!(depth.zeroed, None);
        assert_eq!(by_series.grouped(row(0.2, "2:4-wanda"), false).zeroed, Some(true));
        let control = by_series.grouped(row(0.0, "none"), false);
        assert_eq!((control.method.as_str(), control.run.as_str()), ("none", "a"));
        let by_method =
            GroupFlags { group_by: vec![GroupBy::Method] }.grouped(row(0.2, "depth"), false);
        assert_eq!(
            (by_method.series.as_str(), by_method.base.as_deref()),
            ("any", Some("s 1000000000"))
        );
        let both = GroupFlags { group_by: GroupBy::ALL.to_vec() };
        assert_eq!(both.grouped(row(0.2, "depth"), true), row(0.2, "depth"));
    }

    #[test]
    fn rows_of_several_objectives_come_together_only_where_that_is_asked_for() {
        let distilled = TableRow { objective: Some("distil".into()), ..row(0.2, "depth") };
        let grouped = |flags: GroupFlags, rows: [&TableRow; 2]| {
            let rows: Vec<TableRow> = flags.all(rows.map(Clone::clone).to_vec()).collect();
            rows.into_iter().map(|row| (row.objective, row.run)).collect::<Vec<_>>()
        };
        let apart = || GroupFlags { group_by: GroupBy::ALL.to_vec() };
        let together = || GroupFlags { group_by: vec![GroupBy::Series, GroupBy::Method] };
        let text = row(0.2, "depth");
        let objective = |name: &str| Some(name.to_owned());
        let a = || "a".to_owned();
        assert_eq!(
            grouped(apart(), [&text, &distilled]),
            [(None, a()), (objective("distil"), a())]
        );
        assert_eq!(
            grouped(together(), [&text, &distilled]),
            [(objective("any"), "lm a".into()), (objective("any"), "distil a".into())]
        );
        assert_eq!(grouped(together(), [&text, &text]), [(None, a()), (None, a())]);
    }
}
