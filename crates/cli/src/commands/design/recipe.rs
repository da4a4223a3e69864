//! A design as the recipe of a sweep.

use law::design::{Design, Options, Pilot};

use super::pilots::{Model, ModelRate};

/// How the recipe begins.
pub(super) const HEAD: &str = "# Pilots, chosen by `regrow design`.";

/// The tokens that a sequence has, if the models can look back so far.
const CONTEXT: usize = 2048;

/// The text of the recipe. Models that are only numbers get a name to be replaced.
pub(super) fn text(
    found: &Design,
    models: &[Model],
    method: &str,
    objective: &str,
    options: &Options,
) -> String {
    let pilots: Vec<&Pilot> = found.runs().iter().map(|run| run.pilot()).collect();
    let used: Vec<&Model> = models
        .iter()
        .filter(|model| pilots.iter().any(|pilot| pilot.base() == model.name()))
        .collect();
    let context = used.iter().filter_map(|model| model.context()).fold(CONTEXT, usize::min);
    let mut text = format!(
        "{HEAD}\n\
         # Name your text below, and set the learning rate that suits your models. See what it will take:\n\
         #   regrow sweep THIS.toml --out pilots --dry-run\n\n\
         format = 1\ncontext = {context}\ncontrols = false\nobjectives = [{}]\n\n\
         [corpus]\ninputs = [\"text.jsonl\"]\n\n[[series]]\nname = \"pilots\"\n",
        quoted(objective)
    );
    for model in &used {
        let source = model.source().unwrap_or("FOLDER-OF-THIS-MODEL");
        let (source, name) = (quoted(source), quoted(&folder(model.name())));
        text += &format!("[[series.models]]\nmodel = {source}\nname = {name}\n");
    }
    text += &format!(
        "\n[calibration]\nsamples = 128\nlength = {context}\n\n[[methods]]\nname = {}\n",
        quoted(method)
    );
    // A pattern such as 2:4 says itself how much goes.
    let has_rates = !has_pattern(method);
    if has_rates {
        let rates: Vec<String> = asked(&used, &pilots).iter().map(f64::to_string).collect();
        text += &format!("rates = [{}]\n", rates.join(", "));
    }
    text += &heal(&pilots, options);
    for model in &used {
        let cases = model.rates().iter().map(|rate| cases(model, rate, &pilots, has_rates));
        text.extend(cases);
    }
    text
}

/// How the longest run is healed, and where all are measured: the shortest one as often as the
/// design assumes.
fn heal(pilots: &[&Pilot], options: &Options) -> String {
    let longest = longest(pilots);
    let shortest = pilots.iter().map(|pilot| pilot.tokens()).fold(longest, f64::min);
    let first = shortest / options.span;
    let steps = (options.points - 1) as f64 * (longest / first).ln() / options.span.ln();
    format!(
        "\n# Runs that differ in tokens stand in `cases`.\n[heal]\ntokens = {longest}\nlearning_rate = 1e-5\n\
         batch = 64\nmicro_batch = 1\nwarmup = {:.0}\neval_points = {}\neval_first = {:.0}\neval_tokens = \"256k\"\n",
        first / 2.0,
        steps.ceil() as usize + 1,
        first
    )
}

/// What differs at one rate of a model: runs that are not made, are shorter, or come twice.
fn cases(model: &Model, rate: &ModelRate, pilots: &[&Pilot], has_rates: bool) -> String {
    let base = quoted(&folder(model.name()));
    let cut = if has_rates { format!("cut = \"{}\"\n", rate.asked) } else { String::new() };
    let case = format!("\n[[cases]]\nbase = {base}\n{cut}");
    let mut here: Vec<&&Pilot> = pilots
        .iter()
        .filter(|pilot| pilot.base() == model.name() && pilot.rate() == rate.realised)
        .collect();
    here.sort_by_key(|pilot| pilot.seed());
    let Some((first, others)) = here.split_first() else {
        let is_made = asked(&[model], pilots).contains(&rate.asked);
        return if is_made { String::new() } else { format!("{case}skip = true\n") };
    };
    let mut text = String::new();
    if first.tokens() != longest(pilots) {
        text += &format!("{case}tokens = {}\n", first.tokens());
    }
    for other in others {
        text += &format!("{case}seeds = [{}]\ntokens = {}\n", other.seed(), other.tokens());
    }
    text
}

fn longest(pilots: &[&Pilot]) -> f64 {
    pilots.iter().map(|pilot| pilot.tokens()).fold(1.0, f64::max)
}

fn has_pattern(method: &str) -> bool {
    use ledger::Pattern::Groups;
    use prune::Method::Sparse;
    matches!(prune::method(method), Ok(Sparse(sparse)) if matches!(sparse.pattern(), Groups { .. }))
}

/// The rates that some run has, as they were asked for.
fn asked(models: &[&Model], pilots: &[&Pilot]) -> Vec<f64> {
    let mut found: Vec<f64> = Vec::new();
    for model in models {
        for rate in model.rates() {
            let is_used = pilots
                .iter()
                .any(|pilot| pilot.base() == model.name() && pilot.rate() == rate.realised);
            if is_used && !found.contains(&rate.asked) {
                found.push(rate.asked);
            }
        }
    }
    found.sort_by(f64::total_cmp);
    found
}

/// A name that can be a folder's: the last part of a path.
fn folder(name: &str) -> String {
    name.trim_end_matches('/').rsplit('/').next().unwrap_or(name).to_owned()
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
