//! The members of the P2 family: one for each shape of data that determines only some of the seven
//! constants.

use super::axis::Grid;
use super::formula::Form;
use super::p2::Floor::{Flat, Line as FloorLine, Power as FloorPower};
use super::p2::TokenTerm::{Absent, Line as TokenLine, Power as TokenPower};
use super::p2::{Floor, P2, Terms, TokenTerm};

/// Named `p2[-one-size|-two-sizes][-one-rate][-one-count|-two-counts]`, and the form without
/// `delta`.
pub(super) static MEMBERS: [P2; 17] = [
    P2::new(
        "p2",
        "L0 + rho^-gamma N0^-delta (N_C N0^-alpha + D_C D^-beta + E)",
        r"L_0 + \rho^{-\gamma} N_0^{-\delta} \left( N_C N_0^{-\alpha} + D_C D^{-\beta} + E \right)",
        terms(FloorPower, TokenPower, RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-no-delta",
        "L0 + rho^-gamma (N_C N0^-alpha + D_C D^-beta + E)",
        r"L_0 + \rho^{-\gamma} \left( N_C N_0^{-\alpha} + D_C D^{-\beta} + E \right)",
        terms(FloorPower, TokenPower, RATE, NO_SIZE),
        member,
    ),
    P2::new(
        "p2-one-rate",
        "L0 + N0^-delta (N_C N0^-alpha + D_C D^-beta + E)",
        r"L_0 + N_0^{-\delta} \left( N_C N_0^{-\alpha} + D_C D^{-\beta} + E \right)",
        terms(FloorPower, TokenPower, ONE_RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-two-sizes",
        "L0 + rho^-gamma N0^-delta (floor - floor_slope ln N0 + D_C D^-beta)",
        r"L_0 + \rho^{-\gamma} N_0^{-\delta} \left( F - F' \ln N_0 + D_C D^{-\beta} \right)",
        terms(FloorLine, TokenPower, RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-two-sizes-one-rate",
        "L0 + N0^-delta (floor - floor_slope ln N0 + D_C D^-beta)",
        r"L_0 + N_0^{-\delta} \left( F - F' \ln N_0 + D_C D^{-\beta} \right)",
        terms(FloorLine, TokenPower, ONE_RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-one-size",
        "L0 + rho^-gamma (E + D_C D^-beta)",
        r"L_0 + \rho^{-\gamma} \left( E + D_C D^{-\beta} \right)",
        terms(Flat, TokenPower, RATE, NO_SIZE),
        member,
    ),
    P2::new(
        "p2-one-size-one-rate",
        "L0 + E + D_C D^-beta",
        r"L_0 + E + D_C D^{-\beta}",
        terms(Flat, TokenPower, ONE_RATE, NO_SIZE),
        member,
    ),
    P2::new(
        "p2-two-counts",
        "L0 + rho^-gamma N0^-delta (N_C N0^-alpha + level - token_slope ln D)",
        r"L_0 + \rho^{-\gamma} N_0^{-\delta} \left( N_C N_0^{-\alpha} + K - D' \ln D \right)",
        terms(FloorPower, TokenLine, RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-one-rate-two-counts",
        "L0 + N0^-delta (N_C N0^-alpha + level - token_slope ln D)",
        r"L_0 + N_0^{-\delta} \left( N_C N_0^{-\alpha} + K - D' \ln D \right)",
        terms(FloorPower, TokenLine, ONE_RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-two-sizes-two-counts",
        "L0 + rho^-gamma N0^-delta (level - floor_slope ln N0 - token_slope ln D)",
        r"L_0 + \rho^{-\gamma} N_0^{-\delta} \left( K - F' \ln N_0 - D' \ln D \right)",
        terms(FloorLine, TokenLine, RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-two-sizes-one-rate-two-counts",
        "L0 + N0^-delta (level - floor_slope ln N0 - token_slope ln D)",
        r"L_0 + N_0^{-\delta} \left( K - F' \ln N_0 - D' \ln D \right)",
        terms(FloorLine, TokenLine, ONE_RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-one-size-two-counts",
        "L0 + rho^-gamma (level - token_slope ln D)",
        r"L_0 + \rho^{-\gamma} \left( K - D' \ln D \right)",
        terms(Flat, TokenLine, RATE, NO_SIZE),
        member,
    ),
    P2::new(
        "p2-one-size-one-rate-two-counts",
        "L0 + level - token_slope ln D",
        r"L_0 + K - D' \ln D",
        terms(Flat, TokenLine, ONE_RATE, NO_SIZE),
        member,
    ),
    P2::new(
        "p2-one-count",
        "L0 + rho^-gamma N0^-delta E",
        r"L_0 + \rho^{-\gamma} N_0^{-\delta} E",
        terms(Flat, Absent, RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-one-rate-one-count",
        "L0 + N0^-delta E",
        r"L_0 + N_0^{-\delta} E",
        terms(Flat, Absent, ONE_RATE, SIZE),
        member,
    ),
    P2::new(
        "p2-one-size-one-count",
        "L0 + rho^-gamma E",
        r"L_0 + \rho^{-\gamma} E",
        terms(Flat, Absent, RATE, NO_SIZE),
        member,
    ),
    P2::new(
        "p2-one-size-one-rate-one-count",
        "L0 + E",
        r"L_0 + E",
        terms(Flat, Absent, ONE_RATE, NO_SIZE),
        member,
    ),
];

const RATE: bool = true;
const ONE_RATE: bool = false;
const SIZE: bool = true;
const NO_SIZE: bool = false;

const fn terms(floor: Floor, tokens: TokenTerm, rate: bool, size: bool) -> Terms {
    Terms { floor, tokens, rate, size }
}

/// The member with these terms.
fn member(terms: Terms) -> &'static P2 {
    // All terms that are made have a member. The tests below check this.
    let found = MEMBERS.iter().find(|member| member.terms() == terms);
    found.unwrap_or_else(|| panic!("no member of the P2 family has {terms:?}"))
}

impl Grid {
    /// The largest form of the P2 family that these levels can determine.
    ///
    /// ```
    /// use law::form::Grid;
    /// assert_eq!(Grid { sizes: 4, rates: 3, counts: 15 }.form().name(), "p2");
    /// assert_eq!(Grid { sizes: 2, rates: 1, counts: 15 }.form().name(), "p2-two-sizes-one-rate");
    /// ```
    pub fn form(self) -> &'static dyn Form {
        member(Terms::fixed_by(self))
    }

    /// Forms to try in turn. Each needs fewer levels, down to a single number.
    pub(crate) fn ladder(self) -> [&'static dyn Form; 4] {
        let one_count = Self { counts: 1, ..self };
        let one_rate = Self { rates: 1, ..one_count };
        let one_size = Self { sizes: 1, ..one_rate };
        [self, one_count, one_rate, one_size].map(Self::form)
    }

    /// The largest form that these levels can determine, with one of its factors left out at a
    /// time.
    pub(crate) fn less_one_factor(self) -> Vec<&'static dyn Form> {
        let full = self.form();
        let less =
            [Self { sizes: 1, ..self }, Self { rates: 1, ..self }, Self { counts: 1, ..self }];
        let mut forms: Vec<&'static dyn Form> = less.map(Self::form).to_vec();
        // Only the full form has a member that lacks `delta` but keeps the power of the size.
        if Terms::fixed_by(self) == Terms::FULL {
            forms.push(member(Terms { size: false, ..Terms::FULL }));
        }
        forms.retain(|form| *form != full);
        forms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_data_has_a_member_named_after_it() {
        for (sizes, size) in [(1, "-one-size"), (2, "-two-sizes"), (3, ""), (9, "")] {
            for (rates, rate) in [(1, "-one-rate"), (2, "")] {
                for (counts, count) in [(1, "-one-count"), (2, "-two-counts"), (3, "")] {
                    // Without tokens two sizes are as good as more.
                    let size = if (sizes, counts) == (2, 1) { "" } else { size };
                    let form = Grid { sizes, rates, counts }.form();
                    assert_eq!(form.name(), format!("p2{size}{rate}{count}"));
                }
            }
        }
    }

    #[test]
    fn no_two_members_are_made_of_the_same_terms() {
        for (i, one) in MEMBERS.iter().enumerate() {
            assert!(MEMBERS[..i].iter().all(|other| other.terms() != one.terms()), "{one:?}");
        }
    }

    #[test]
    fn only_the_full_form_gives_way_and_lines_have_a_fuller_form() {
        let few = Grid { sizes: 2, rates: 1, counts: 2 };
        for member in &MEMBERS {
            assert_eq!(member.reduces_to(few).is_some(), member.name() == "p2");
            let fuller = member.name().replace("-two-sizes", "").replace("-two-counts", "");
            let expected = (fuller != member.name()).then_some(fuller.as_str());
            assert_eq!(member.fuller().map(|form| form.name()), expected);
        }
    }

    #[test]
    fn a_constant_of_the_tokens_is_there_where_the_form_follows_them() {
        use super::super::axis::{Axis, Follows};
        for member in &MEMBERS {
            let has = |name: &str| member.position(name).is_some();
            let expected = match (has("beta"), has("token_slope")) {
                (true, _) => Follows::Curve,
                (_, true) => Follows::Line,
                _ => Follows::Not,
            };
            assert_eq!(member.follows(Axis::Tokens), expected, "{}", member.name());
            assert_eq!(member.follows(Axis::Rate) == Follows::Curve, has("gamma"));
            let size = match (has("floor_slope"), has("alpha") || has("delta")) {
                (true, _) => Follows::Line,
                (_, true) => Follows::Curve,
                _ => Follows::Not,
            };
            assert_eq!(member.follows(Axis::N0), size, "{}", member.name());
        }
    }
}
