//! Decodes a capture to Arrow rows on one thread and prints packets and rows per
//! second: `decode FILE [RUNS]`. The best run counts; reading the file is part of it.

use std::{error::Error, path::Path};
use telltale_capture::{Config, Pipeline, Reader};

// a bench is what measures time
#[allow(clippy::disallowed_methods)]
fn run(path: &Path) -> Result<(f64, f64), Box<dyn Error>> {
    let start = std::time::Instant::now();
    let mut reader = Reader::open(path)?;
    let mut pipeline = Pipeline::new(Config::default());
    while let Some(packet) = reader.next_packet()? {
        pipeline.packet(&packet);
        while let Some(frame) = pipeline.take_frame()? {
            std::hint::black_box(&frame);
        }
    }
    std::hint::black_box(pipeline.finish()?);
    let seconds = start.elapsed().as_secs_f64();
    let c = pipeline.counters();
    eprintln!(
        "{} packets, {} rows, {} errors, {seconds:.3} s",
        c.packets, c.rows, c.errors
    );
    Ok((c.packets as f64 / seconds, c.rows as f64 / seconds))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("name a capture")?;
    let runs: u32 = args.next().map_or(Ok(3), |n| n.parse())?;
    let mut best = (0.0_f64, 0.0_f64);
    for _ in 0..runs.max(1) {
        let (packets, rows) = run(Path::new(&path))?;
        best = (best.0.max(packets), best.1.max(rows));
    }
    println!("{:.0} {:.0}", best.0, best.1);
    Ok(())
}
