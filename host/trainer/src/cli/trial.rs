//! A trial: which of two plans is ahead after a short while.

use anyhow::Result;

use host::cli::train::DeviceChoice;
use host::corpus::{Corpus, Source, Standard};
use host::evaluate::bits;
use host::name::Name;
use host::note;
use tch::Device;

use super::plan::Plan;
use crate::{Job, Trainer, backend};

/// How much of a training its trial takes, and the bounds of that in steps.
const PART: u64 = 20;
const STEPS: [u64; 2] = [20, 120];

/// The plan whose weights are best on unseen text after a short while, with the first weights of its kind
/// and the learning rates of its first steps.
///
/// # Errors
/// When a plan cannot be begun or its loss explodes.
pub fn winner(plans: Vec<Plan>, corpus: &Corpus, choice: DeviceChoice) -> Result<Plan> {
    let mut best: Option<(f64, Plan)> = None;
    let mut told = Vec::new();
    for plan in plans {
        let device = backend::device(choice, plan.recipe.backend)?;
        let loss = loss_of(&plan, corpus, device)?.unwrap_or(f64::INFINITY);
        told.push(format!("{:.3} {}", bits(loss), plan.origin()));
        if best.as_ref().is_none_or(|(lowest, _)| loss < *lowest) {
            best = Some((loss, plan));
        }
    }
    let (_, plan) = best.ok_or_else(|| anyhow::anyhow!("there is no plan to try"))?;
    note!(
        "tried for a short while: {} bits per character; so it starts {} (--from chooses)",
        told.join(", "),
        plan.origin()
    );
    Ok(plan)
}

fn loss_of(plan: &Plan, corpus: &Corpus, device: Device) -> Result<Option<f64>> {
    let mut recipe = plan.recipe.clone();
    recipe.check()?;
    let steps = match recipe.length {
        host::recipe::Length::Steps(steps) => steps / PART,
        host::recipe::Length::Minutes(_) => STEPS[1],
    };
    // A young average is of the last weights.
    recipe.optimizer.average = recipe.optimizer.average.min(0.9);
    let source = Source::Standard(Standard::default());
    let mut job = Job::new(Name::like("trial"), source, corpus.reading, recipe);
    job.from = plan.base.as_ref().map(|base| base.path.clone());
    let model = plan.base.as_ref().map(|base| &base.model);
    let mut trainer = Trainer::start(job, corpus.clone(), device, model)?;
    for _ in 0..steps.clamp(STEPS[0], STEPS[1]) {
        trainer.step()?;
    }
    Ok(trainer.validate().map(|(loss, _)| loss))
}
