//! The public models of both series, so that users can plan with a size before they download its
//! weights.

mod llama3;
mod public;
mod qwen2_5;

pub use public::PublicModel;

/// Every model of the catalog, by series and size.
pub fn entries() -> impl Iterator<Item = &'static PublicModel> {
    llama3::MODELS.iter().chain(qwen2_5::MODELS)
}

/// The model of this name. Case does not matter, and the owner may be left out: `Qwen/Qwen2.5-7B`
/// is `qwen2.5-7b`.
///
/// ```
/// let entry = shape::catalog::find("Qwen2.5-7B").expect("it is in the catalog");
/// assert_eq!(entry.config().num_hidden_layers(), 28);
/// ```
pub fn find(name: &str) -> Option<&'static PublicModel> {
    entries().find(|entry| {
        entry.name.eq_ignore_ascii_case(name) || entry.repository.eq_ignore_ascii_case(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::count::Count;

    #[test]
    fn every_entry_counts_to_its_published_total() {
        for entry in entries() {
            let count = Count::of(&entry.config());
            assert_eq!(count.total, entry.parameters, "{}", entry.name);
        }
    }

    #[test]
    fn every_entry_survives_being_written_and_read_as_config_json() {
        for entry in entries() {
            let config = entry.config();
            assert_eq!(ModelConfig::from_raw(&config.to_raw()).unwrap(), config, "{}", entry.name);
        }
    }

    #[test]
    fn a_name_is_found_in_any_case_and_by_repository_and_no_other_is() {
        assert_eq!(find("LLAMA-3.2-1b").unwrap().repository, "meta-llama/Llama-3.2-1B");
        assert_eq!(find("qwen/qwen2.5-72b").unwrap().name, "qwen2.5-72b");
        assert_eq!(find("llama-3.2"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn no_two_entries_share_a_name() {
        let mut names: Vec<_> = entries().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), entries().count());
    }
}
