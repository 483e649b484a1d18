//! What it costs to compile one edit, for an instruction counter or a stopwatch outside.
//!
//! `compile_cost ROUTES HOSTS EDITS` compiles ROUTES routes over HOSTS hosts once, then edits one route and
//! compiles again, EDITS times, in [`edit`], which is never inlined. The cost of one edit is the difference
//! between two runs divided by the difference of their EDITS. `compile_cost ROUTES HOSTS EDITS move` moves all of
//! them up and down their file instead, as an edit of a line above them does.

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::sync::Arc;

use model::Resources;
use support::{BASE, World, route};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = words.iter().filter_map(|text| text.parse().ok()).collect();
    let &[routes, hosts, count] = numbers.as_slice() else {
        eprintln!("usage: compile_cost ROUTES HOSTS EDITS [move]");
        return ExitCode::from(2);
    };
    let moves = words.last().is_some_and(|word| word == "move");
    let name = |number: usize| (format!("route-{number:06}"), format!("host-{:06}.example", number % hosts));
    let text = |number: usize, path: &str| {
        let (name, host) = name(number);
        route(&name, &host, &format!("/{name}{path}"))
    };
    let mut world = World::new();
    world.apply(BASE);
    let start: String = (0..routes).map(|number| format!("---{}", text(number, "/"))).collect();
    world.apply(&start).compile();
    // Both are made before anything is measured; making them keeps ages and what did not change.
    let versions: Vec<Resources> = if moves {
        [format!("#\n{start}"), start].iter().map(|text| world.apply(text).resources.clone()).collect()
    } else {
        ["/new", "/old"].iter().map(|path| world.apply(&text(routes / 2, path)).resources.clone()).collect()
    };
    let mut epoch = 0;
    for version in versions.into_iter().cycle().take(count) {
        world.resources = version;
        epoch = edit(&mut world).epoch;
    }
    println!("epoch {epoch}");
    ExitCode::SUCCESS
}

/// The measured part.
#[inline(never)]
fn edit(world: &mut World) -> Arc<engine::Config> {
    world.compile().config
}
