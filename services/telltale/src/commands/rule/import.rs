//! `telltale rule import`

use crate::Exit;
use crate::cli::{ImportCommand, ImportSigmaArgs};
use crate::output::print;
use anyhow::{Context as _, Result, bail};
use std::io::Write as _;
use std::path::Path;
use telltale_rules::sigma::{Imported, Made, Mapping, Outcome, import_all};

/// Dispatches.
pub fn run(command: &ImportCommand) -> Result<Exit> {
    match command {
        ImportCommand::Sigma(args) => sigma(args),
    }
}

/// The built-in mapping, after the user's own.
fn mapping(file: Option<&Path>) -> Result<Mapping> {
    let Some(path) = file else {
        return Ok(Mapping::default());
    };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    match Mapping::parse(&path.display().to_string(), &text) {
        Ok(own) => Ok(own.before(Mapping::default())),
        Err(found) => {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            bail!("{}", found.join("\n"))
        }
    }
}

fn sigma(args: &ImportSigmaArgs) -> Result<Exit> {
    let mapping = mapping(args.mapping.as_deref())?;
    let mut files = Vec::new();
    for path in &args.files {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        files.push((path.display().to_string(), text));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    if let Some(dir) = &args.out {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let (mut imported, mut parts, mut refused) = (0_usize, 0_usize, 0_usize);
    for one in import_all(&files, &mapping) {
        match &one.outcome {
            Outcome::Rules(made) => {
                imported += 1;
                for file in made {
                    write(args.out.as_deref(), &one, file)?;
                }
            }
            Outcome::Part(of) => {
                parts += 1;
                eprintln!(
                    "part      {}: {} (of: {})",
                    place(&one),
                    one.title,
                    of.join(", ")
                );
            }
            Outcome::Refused(why) => {
                refused += 1;
                eprintln!("refused   {}: {}", place(&one), one.title);
                for refusal in why {
                    eprintln!("    {refusal}");
                }
            }
        }
        for note in &one.notes {
            eprintln!("    note: {note}");
        }
    }
    eprintln!("{imported} imported, {parts} parts of correlations, {refused} refused");
    Ok(if refused == 0 { Exit::Ok } else { Exit::Failed })
}

/// File and line of a document.
fn place(one: &Imported) -> String {
    format!("{}:{}", one.file, one.line)
}

/// Writes a rule file, or prints it. A file that is there stays: people edit imported rules.
fn write(out: Option<&Path>, one: &Imported, made: &Made) -> Result<()> {
    let Some(dir) = out else {
        eprintln!("imported  {}: {}", place(one), one.title);
        // documents of one stream
        return print(&format!("---\n{}", made.text));
    };
    let path = dir.join(&made.file_name);
    let mut file = std::fs::File::create_new(&path).with_context(|| {
        format!(
            "cannot write {}; remove it to import it again",
            path.display()
        )
    })?;
    file.write_all(made.text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!(
        "imported  {}: {} -> {}",
        place(one),
        one.title,
        path.display()
    );
    Ok(())
}
