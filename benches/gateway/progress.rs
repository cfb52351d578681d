//! How far a run has come, and how long it will take.

use std::time::Instant;

use super::arguments::{Arguments, Part};
use super::drop_boxes;
use super::members;
use super::numbers::float;
use super::phones;
use super::shape::{self, Shape};
use super::table;

/// How far a run has come.
pub struct Progress {
    start: Instant,
    /// Seconds that all of it should take on two processors, and those of what is done.
    all: f64,
    done: f64,
}

impl Progress {
    /// Says how long a run of this will take.
    pub fn begin(arguments: &Arguments) -> Self {
        let databases = float(arguments.databases().len());
        let parts = arguments.parts().map(|part| expected(arguments, part)).sum::<f64>();
        let all = databases * (MAKING + parts);
        eprintln!("about {:.0} minutes on two processors", (all / 60.0).ceil());
        Self { start: Instant::now(), all, done: 0.0 }
    }

    /// The database is there.
    pub fn made(&mut self, database: &str) {
        self.step(&format!("{database}: everybody has an account"), MAKING);
    }

    /// A shape is measured.
    pub fn measured(&mut self, arguments: &Arguments, database: &str, shape: &Shape) {
        self.step(&format!("{database}: {}", shape.name()), of_shape(arguments, shape));
    }

    /// A part is measured that has no shapes.
    pub fn finished(&mut self, arguments: &Arguments, database: &str, part: Part) {
        if part != Part::Accept {
            self.step(&format!("{database}: {part:?}"), expected(arguments, part));
        }
    }

    fn step(&mut self, name: &str, expected: f64) {
        self.done += expected;
        let elapsed = self.start.elapsed().as_secs_f64();
        let left = (self.all - self.done).max(0.0) * elapsed / self.done;
        eprintln!("{elapsed:.0} s  {name}; about {:.0} minutes left", (left / 60.0).ceil());
    }
}

/// The accounts of a database.
const MAKING: f64 = 10.0;

/// Seconds for a part, as it was on two processors.
fn expected(arguments: &Arguments, part: Part) -> f64 {
    let rounds = float(arguments.rounds);
    let work = rounds * arguments.scale;
    match part {
        Part::Accept => {
            let phones = phones::is_wanted(arguments).then_some(phones::SHAPE);
            shapes(arguments).iter().chain(&phones).map(|it| of_shape(arguments, it)).sum()
        }
        Part::Read => rounds * 2.0 + work * 4.0,
        Part::Sockets => rounds * 4.0 + work * 8.0,
        Part::Pressure => rounds * 4.0 + work * 8.0 + arguments.scale * 30.0,
        Part::Growth => {
            let size = arguments.size();
            float(size.rows) * 12e-6 + float(size.accounts) * 30e-6 + rounds * 35.0 + work * 35.0
        }
        Part::Delivered => float(arguments.deliveries()) * 80e-6 + 10.0,
        Part::Members => members::expected(arguments),
        Part::DropBoxes => drop_boxes::expected(arguments),
    }
}

fn of_shape(arguments: &Arguments, shape: &Shape) -> f64 {
    let programs = if table::wants_alone(shape) { 4.0 } else { 3.0 };
    float(arguments.rounds) * programs * (1.0 + 1.5 * arguments.scale) + 3.0 * arguments.scale
}

/// The shapes that are asked for.
pub fn shapes(arguments: &Arguments) -> Vec<Shape> {
    let shapes = if arguments.full { shape::all() } else { shape::usual() };
    let wanted = arguments.shape.as_deref().unwrap_or_default();
    shapes.into_iter().filter(|shape| shape.name().starts_with(wanted)).collect()
}
