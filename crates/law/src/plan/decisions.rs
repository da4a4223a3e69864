//! The plans of all candidates, and what can be chosen among them.

use ledger::{MethodId, Objective};
use serde::{Serialize, Serializer};

use super::answer::Answer;
use super::decision::Plan;
use super::offer::{Allocation, Candidate, Limits};
use super::question::{Recovery, Wish};
use crate::error::Error;
use crate::law::{GroupLaw, Law};

/// The plans of all candidates, and the choice among them. As JSON it is what `regrow plan` prints.
#[derive(Debug)]
pub struct Decisions<'a> {
    plans: Vec<Decided<'a>>,
    allocation: Option<Allocation>,
}

/// A candidate with its law and its plan.
#[derive(Debug)]
pub struct Decided<'a> {
    candidate: &'a Candidate,
    group: &'a GroupLaw,
    plan: Plan,
}

impl Law {
    /// Plans each candidate, and chooses where there are several or there are limits.
    ///
    /// The wish says what is asked of every candidate; `recovery` adds what a candidate is to win
    /// back, which may need its own measured loss.
    ///
    /// # Errors
    /// Those of [`GroupLaw::plan`] and [`Law::allocate`], and those of `recovery`.
    pub fn decide<'a, E: From<Error>>(
        &'a self,
        candidates: &'a [Candidate],
        limits: &Limits,
        wish: &Wish,
        recovery: impl Fn(&Candidate, &GroupLaw) -> std::result::Result<Option<Recovery>, E>,
    ) -> std::result::Result<Decisions<'a>, E> {
        let mut plans = Vec::new();
        // An unpruned model has a known loss and needs no plan; it only competes in the choice.
        for candidate in candidates.iter().filter(|candidate| candidate.method != MethodId::NONE) {
            let (method, objective) = (&candidate.method, candidate.objective.as_deref());
            let group = self.group_for(Some(&candidate.series), Some(method), objective)?;
            let own = Wish {
                recover: recovery(candidate, group)?,
                budget: limits.flops,
                bill: wish.bill.with_embedding(candidate.embedding),
                ..*wish
            };
            plans.push(Decided { candidate, group, plan: group.plan(candidate.place, &own)? });
        }
        // One candidate without limits leaves nothing to choose.
        let choose = candidates.len() > 1 || *limits != Limits::default();
        let allocation = choose.then(|| self.allocate(candidates, limits, wish)).transpose()?;
        Ok(Decisions { plans, allocation })
    }
}

impl<'a> Decisions<'a> {
    /// The plans, one for each pruned candidate.
    pub fn plans(&self) -> &[Decided<'a>] {
        &self.plans
    }

    /// The choice, where there was one.
    pub fn allocation(&self) -> Option<&Allocation> {
        self.allocation.as_ref()
    }

    /// Whether the data could tell. With a choice, one offer is enough; without one, every question
    /// must have an answer.
    pub fn is_told(&self) -> bool {
        match &self.allocation {
            Some(found) => found.lowest().is_some(),
            None => self.plans.iter().all(|decided| decided.plan.asked().all(Answer::is_told)),
        }
    }
}

impl Decided<'_> {
    /// What was asked about.
    pub fn candidate(&self) -> &Candidate {
        self.candidate
    }

    /// The law that was asked.
    pub fn group(&self) -> &GroupLaw {
        self.group
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Serialize for Decisions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct PlanReport<'a> {
            format: u32,
            decisions: Vec<PlanDecision<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            allocation: Option<&'a Allocation>,
        }
        #[derive(Serialize)]
        struct PlanDecision<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            model: Option<&'a str>,
            series: &'a str,
            method: &'a str,
            #[serde(skip_serializing_if = "is_lm")]
            objective: &'a str,
            form: &'a str,
            level: f64,
            #[serde(flatten)]
            plan: &'a Plan,
        }
        let mut decisions = Vec::new();
        for Decided { candidate, group, plan } in &self.plans {
            decisions.push(PlanDecision {
                model: candidate.model.as_deref(),
                series: group.series(),
                method: group.method(),
                objective: group.objective(),
                form: group.form_name(),
                level: group.level(),
                plan,
            });
        }
        PlanReport { format: 1, decisions, allocation: self.allocation.as_ref() }
            .serialize(serializer)
    }
}

/// Whether an objective is the next-token loss, which JSON leaves out.
pub(crate) fn is_lm(objective: &&str) -> bool {
    *objective == Objective::LM
}
