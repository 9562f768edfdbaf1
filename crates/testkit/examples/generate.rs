//! Writes a capture: `generate --mix modbus|mixed [--flows N] [--packets N] [--seed N] OUT`.

use std::{error::Error, fs::File, io::BufWriter};
use telltale_testkit::{Mix, Plan, write_pcap};

fn main() -> Result<(), Box<dyn Error>> {
    let mut plan = Plan {
        mix: Mix::Mixed,
        flows: 10_000,
        packets: 1_000_000,
        seed: 1,
    };
    let mut path = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if !arg.starts_with("--") {
            path = Some(arg);
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{arg} wants a value"))?;
        match arg.as_str() {
            "--mix" if value == "modbus" => plan.mix = Mix::Modbus,
            "--mix" if value == "mixed" => plan.mix = Mix::Mixed,
            "--flows" => plan.flows = value.parse()?,
            "--packets" => plan.packets = value.parse()?,
            "--seed" => plan.seed = value.parse()?,
            _ => return Err(format!("{arg} {value}: not known").into()),
        }
    }
    let path = path.ok_or("name the file to write")?;
    let packets = write_pcap(&plan, BufWriter::new(File::create(&path)?))?;
    println!("{path}: {packets} packets");
    Ok(())
}
