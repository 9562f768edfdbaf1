//! `telltale`: one binary for one node. It wires the rooms; it decides nothing.
#![forbid(unsafe_code)]

mod cli;
mod commands;
mod config;
mod content;
mod drive;
mod output;

use clap::Parser as _;
use cli::{Cli, Command};
use std::process::ExitCode;

/// How a command ended, for scripts: 0 well, 1 an error or an input that could
/// not be read to its end, 2 wrong usage, 3 `--fail-on` was met or a test or
/// lint failed, 130 interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All well.
    Ok,
    /// Some input could not be read to its end; the rest was done.
    Partly,
    /// What was asked for was found wanting.
    Failed,
    /// Ctrl-C.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Partly => 1,
            Exit::Failed => 3,
            Exit::Interrupted => 130,
        })
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let config = config::Config::load(cli.config.as_deref())?;
    match cli.command {
        Command::Decode(args) => commands::decode::run(&config, &args, cli.quiet),
        Command::Replay(args) => commands::replay::run(&config, &args, cli.quiet),
        Command::Demo(args) => commands::demo::run(&config, &args, cli.quiet),
        Command::Rule(command) => commands::rule::run(&config, command, cli.quiet),
        Command::Site(command) => commands::site::run(&command),
        Command::Schema(args) => commands::schema::run(&args),
        Command::Defaults => {
            output::print(config::DEFAULTS)?;
            Ok(Exit::Ok)
        }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(exit) => exit.into(),
        // whoever read our output has seen enough
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("telltale: {error:#}");
            ExitCode::from(1)
        }
    }
}
