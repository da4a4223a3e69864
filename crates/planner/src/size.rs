//! The size of a model, for a plan.

use law::plan::ModelSize;
use shape::catalog;
use shape::config::ModelConfig;
use shape::count::Count as Parameters;

/// The size of a model with this configuration, for a plan.
pub fn model_size(name: &str, config: &ModelConfig, series: Option<&'static str>) -> ModelSize {
    let count = Parameters::of(config);
    ModelSize {
        name: Some(name.to_owned()),
        n0: count.total() as f64,
        embedding: count.looked_up() as f64,
        series,
    }
}

/// The size of a public model.
pub(crate) fn public_model_size(name: &str) -> Option<ModelSize> {
    let public = catalog::find(name)?;
    Some(model_size(name, &public.config(), Some(public.series())))
}
