//! The example that heals a model without a command line does what it says.

#[path = "../examples/heal.rs"]
#[allow(dead_code, reason = "its `main` is called by the test")]
mod heal;

#[test]
fn a_tiny_model_is_pruned_and_heals_without_a_command_line() {
    heal::main().expect("the example runs");
}
