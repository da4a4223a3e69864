//! What pruning will make and what it needs, computed from the configuration alone. A model of any
//! size can be planned on any machine. Pruning itself begins with the same plan.

use std::hint::black_box;
use std::time::Instant;

use model::backend::{Area, Backend, View, ViewMut};
use shape::config::ModelConfig;
use shape::count::Count;

use crate::cost::{MeasuringCost, TextSize};
use crate::error::Result;
use crate::methods::Method;
use crate::options::MethodOptions;
use crate::select::Select;
use crate::sparse::{SparseMethod, SparsePlan};
use crate::target::PruningTarget;
use shape::legal::Smaller;

/// Memory of the program before any model: its own pages, threads and file buffers.
const PROGRAM: u64 = 128 << 20;

/// The part of [`PruningMemory::bound`] besides two blocks, statistics and activations.
const PROMISED: u64 = 1 << 30;

/// Assumed speed of a disk, in bytes a second. It is not measured.
pub const DISK_SPEED: f64 = 500e6;

/// A method resolved for a model: what its target comes to, and what that costs.
#[derive(Clone)]
pub struct PruningPlan {
    resolved: Resolved,
    memory: PruningMemory,
    output: u64,
    spilled: u64,
    read: u64,
    flops: f64,
}

/// A method with the result of its target.
#[derive(Clone)]
pub(crate) enum Resolved {
    /// The legal models for the target, best first. Pruning makes the first.
    Select { select: &'static dyn Select, outcomes: Vec<Smaller> },
    /// The model with its zeros.
    Sparse { method: SparseMethod, zeros: SparsePlan },
}

/// Resident memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PruningMemory {
    pub(crate) block: u64,
    pub(crate) statistics: u64,
    pub(crate) activations: u64,
    pub(crate) batch: u64,
    pub(crate) program: u64,
}

impl PruningMemory {
    /// One block in f32; 0 if weights are read row by row.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// The statistics that are collected while the block runs.
    pub fn statistics(&self) -> u64 {
        self.statistics
    }

    /// The residual stream of the calibration text, if it is kept in memory.
    pub fn activations(&self) -> u64 {
        self.activations
    }

    /// The activations of one batch inside a block.
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// The program itself.
    pub fn program(&self) -> u64 {
        self.program
    }
}

impl PruningMemory {
    /// All of it together.
    pub fn peak(&self) -> u64 {
        self.block + self.statistics + self.activations + self.batch + self.program
    }

    /// The documented upper bound: two blocks in f32 and their statistics, the activations, and 1
    /// GiB.
    pub fn bound(&self, config: &ModelConfig) -> u64 {
        let block = Count::of(config).per_block() * 4;
        2 * block + self.statistics + self.activations + PROMISED
    }
}

impl PruningPlan {
    /// Plans a method on a model whose weights take `bytes` each.
    ///
    /// # Errors
    /// If the method does not take the target, or no legal model meets it.
    pub fn new(
        config: &ModelConfig,
        method: Method,
        target: &PruningTarget,
        options: &MethodOptions,
        text: TextSize,
        bytes: usize,
    ) -> Result<Self> {
        options.width.check()?;
        let whole = Count::of(config).total();
        // `copied` counts what is copied byte by byte, which reads it once more. A sparse method
        // writes what it has already read.
        let (resolved, cost, written, copied) = match method {
            Method::Select(select) => {
                let outcomes = select.outcomes(config, target, options)?;
                let cost = select.cost(config, &outcomes[0], options, text)?;
                let left = outcomes[0].held.parameters().0;
                (Resolved::Select { select, outcomes }, cost, left, left)
            }
            Method::Sparse(method) => {
                let zeros = SparsePlan::new(config, method, target, &options.linear)?;
                let cost = zeros.cost(config, method.score().needs(), text)?;
                (Resolved::Sparse { method, zeros }, cost, whole, 0)
            }
        };
        let MeasuringCost { block, statistics, streams, batch, parameters_read, flops } = cost;
        // The same bytes, counted as memory or as disk.
        let (activations, spilled) = if text.spilled { (0, streams) } else { (streams, 0) };
        Ok(Self {
            resolved,
            memory: PruningMemory { block, statistics, activations, batch, program: PROGRAM },
            // Zeros are stored, so a sparse model takes as many bytes as its base.
            output: written * bytes as u64,
            spilled,
            read: (whole + parameters_read + copied) * bytes as u64,
            flops,
        })
    }

    /// The method with the result of its target.
    pub(crate) fn resolved(&self) -> &Resolved {
        &self.resolved
    }

    /// The legal models for the target, best first. Pruning makes the first.
    pub fn outcomes(&self) -> Vec<Smaller> {
        match &self.resolved {
            Resolved::Select { outcomes, .. } => outcomes.clone(),
            Resolved::Sparse { zeros, .. } => vec![zeros.outcome()],
        }
    }

    /// What pruning makes.
    pub fn outcome(&self) -> Smaller {
        match &self.resolved {
            Resolved::Select { outcomes, .. } => outcomes[0],
            Resolved::Sparse { zeros, .. } => zeros.outcome(),
        }
    }

    /// Largest resident memory.
    pub fn memory(&self) -> PruningMemory {
        self.memory
    }

    /// Bytes that the smaller model takes on disk.
    pub fn output(&self) -> u64 {
        self.output
    }

    /// Bytes of activations on disk while pruning runs.
    pub fn spilled(&self) -> u64 {
        self.spilled
    }

    /// Bytes that are read to hash, score and copy the weights.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Floating-point operations of running the calibration text.
    pub fn flops(&self) -> f64 {
        self.flops
    }

    /// Estimated seconds, for a speed in floating-point operations a second and [`DISK_SPEED`].
    pub fn seconds(&self, speed: f64) -> f64 {
        // Activations on disk are written and read again, hence twice.
        self.flops / speed + (self.read + self.output + 2 * self.spilled) as f64 / DISK_SPEED
    }
}

/// Measures the speed of a matrix product on a machine, in floating-point operations a second. This
/// takes about a tenth of a second.
///
/// # Errors
/// If memory is short.
pub fn speed<B: Backend>(backend: &B) -> Result<f64> {
    const SIDE: usize = 512;
    let filled = |value: f32| -> Result<B::Buffer> {
        let mut buffer = backend.allocate(SIDE * SIDE)?;
        backend.upload(&vec![value; SIDE * SIDE], &mut buffer, 0)?;
        Ok(buffer)
    };
    let (a, b, mut c) = (filled(0.5)?, filled(0.25)?, filled(0.0)?);
    let area = Area::new(0, SIDE, SIDE);
    let mut product = || {
        backend.product(View::new(&a, area), View::new(&b, area), ViewMut::new(&mut c, area), false)
    };
    // Once without the clock: the first call may start threads and touch memory.
    product()?;
    let start = Instant::now();
    let mut done = 0.0;
    while start.elapsed().as_secs_f64() < 0.1 {
        product()?;
        done += 1.0;
    }
    let seconds = start.elapsed().as_secs_f64();
    // Keeps the compiler from removing the products.
    black_box(&c);
    Ok(done * 2.0 * (SIDE * SIDE * SIDE) as f64 / seconds)
}
