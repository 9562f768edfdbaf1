//! Compiles the headers' proto without a `protoc` on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../../proto/telltale/v1/bus.proto");
    let descriptors = protox::compile(["telltale/v1/bus.proto"], ["../../proto"])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
