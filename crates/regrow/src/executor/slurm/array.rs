//! Jobs as arrays: one for every level of dependency and kind of resources.

use std::collections::BTreeMap;

use crate::executor::job::Job;

/// Jobs that are submitted together: none depends on another, and all need the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlannedArray {
    pub(super) jobs: Vec<Job>,
    /// Indices of the arrays, among those planned with it, that hold what these jobs depend on.
    pub(super) after: Vec<usize>,
}

/// Groups jobs, each after those that it names. Names that are not among the jobs are done or at
/// work in an earlier array. At most `most` jobs go into an array.
pub(super) fn arrays(jobs: &[Job], most: usize) -> Vec<PlannedArray> {
    // The level of each job: 0 without dependencies, else one above the highest of them.
    let mut levels: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<(usize, Vec<&Job>)> = Vec::new();
    for job in jobs {
        let before = job.after().iter().filter_map(|name| levels.get(name.as_str()));
        let level = before.max().map_or(0, |level| level + 1);
        levels.insert(job.name(), level);
        let alike = |(of, group): &&mut (usize, Vec<&Job>)| {
            *of == level && group.len() < most && group[0].resources() == job.resources()
        };
        match groups.iter_mut().find(alike) {
            Some((_, group)) => group.push(job),
            None => groups.push((level, vec![job])),
        }
    }
    // A dependency is submitted first, as its number is needed. The sort is stable.
    groups.sort_by_key(|(level, _)| *level);
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    let mut planned = Vec::new();
    for (at, (_, group)) in groups.iter().enumerate() {
        let names = group.iter().flat_map(|job| job.after());
        let mut after: Vec<usize> =
            names.filter_map(|name| place.get(name.as_str())).copied().collect();
        after.sort_unstable();
        after.dedup();
        place.extend(group.iter().map(|job| (job.name(), at)));
        planned.push(PlannedArray { jobs: group.iter().copied().cloned().collect(), after });
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::job::Resources;

    fn job(name: &str, after: &[&str]) -> Job {
        let job = Job::new(name, "regrow", format!("out/{name}"), "done").unwrap();
        job.with_after(after.iter().copied())
    }

    #[test]
    fn jobs_are_grouped_by_level_and_resources() {
        let big = |job: Job| job.with_resources(Resources { threads: 4, ..Resources::default() });
        let jobs = [
            job("corpus", &["gone"]),
            job("base-a", &["corpus"]),
            big(job("base-b", &["corpus"])),
            job("cut-a", &["base-a"]),
            job("cut-b", &["base-b"]),
            job("run-a", &["cut-a"]),
            job("control-a", &["base-a"]),
        ];
        let shown: Vec<(Vec<&str>, Vec<usize>)> = {
            let planned = Box::leak(Box::new(arrays(&jobs, 100)));
            let names = |array: &'static PlannedArray| array.jobs.iter().map(Job::name).collect();
            planned.iter().map(|array| (names(array), array.after.clone())).collect()
        };
        assert_eq!(
            shown,
            [
                (vec!["corpus"], vec![]),
                (vec!["base-a"], vec![0]),
                (vec!["base-b"], vec![0]),
                (vec!["cut-a", "cut-b", "control-a"], vec![1, 2]),
                (vec!["run-a"], vec![3]),
            ]
        );
    }

    #[test]
    fn an_array_holds_no_more_than_it_may() {
        let jobs: Vec<Job> = (0..7).map(|number| job(&format!("j{number}"), &[])).collect();
        let sizes: Vec<usize> = arrays(&jobs, 3).iter().map(|array| array.jobs.len()).collect();
        assert_eq!(sizes, [3, 3, 1]);
    }
}
