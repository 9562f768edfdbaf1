//! The grammar of `condition`: names of selections with `and`, `or`, `not`,
//! parentheses, `1 of x*`, `all of them`.

/// Most characters of a condition.
const MOST_CHARS: usize = 10_000;
/// Deepest nesting.
const DEEPEST: u32 = 40;

/// A condition over names of selections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Over {
    /// This selection.
    Name(String),
    /// Not so.
    Not(Box<Over>),
    /// All.
    All(Vec<Over>),
    /// At least one.
    Any(Vec<Over>),
}

/// Why a condition is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// An aggregation of old Sigma, after `|`.
    Aggregation,
    /// Anything else, in words.
    Form(String),
}

struct Parser<'t> {
    words: Vec<&'t str>,
    at: usize,
    names: &'t [&'t str],
}

/// Words and parentheses.
fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let mut rest = word;
        while let Some(at) = rest.find(['(', ')', '|']) {
            let (before, from) = rest.split_at(at);
            if !before.is_empty() {
                out.push(before);
            }
            let (sign, after) = from.split_at(1);
            out.push(sign);
            rest = after;
        }
        if !rest.is_empty() {
            out.push(rest);
        }
    }
    out
}

/// Reads a condition; `names` are the selections that there are.
pub(super) fn read(text: &str, names: &[&str]) -> Result<Over, Wrong> {
    if text.len() > MOST_CHARS {
        return Err(Wrong::Form(format!("longer than {MOST_CHARS} characters")));
    }
    let mut parser = Parser {
        words: words(text),
        at: 0,
        names,
    };
    if parser.words.contains(&"|") {
        return Err(Wrong::Aggregation);
    }
    let over = parser.either(0)?;
    match parser.peek() {
        None => Ok(over),
        Some(word) => Err(Wrong::Form(format!("`{word}` does not belong there"))),
    }
}

/// Does a name fit `selection*`?
fn fits(pattern: &str, name: &str) -> bool {
    super::pattern::Pattern::read(pattern).fits(name, true)
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t str> {
        self.words.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'t str> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    fn eat(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|w| w.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    fn either(&mut self, depth: u32) -> Result<Over, Wrong> {
        let mut parts = vec![self.both(depth)?];
        while self.eat("or") {
            parts.push(self.both(depth)?);
        }
        Ok(one_or(parts, Over::Any))
    }

    fn both(&mut self, depth: u32) -> Result<Over, Wrong> {
        let mut parts = vec![self.term(depth)?];
        while self.eat("and") {
            parts.push(self.term(depth)?);
        }
        Ok(one_or(parts, Over::All))
    }

    fn term(&mut self, depth: u32) -> Result<Over, Wrong> {
        if depth > DEEPEST {
            return Err(Wrong::Form(format!("nested deeper than {DEEPEST}")));
        }
        if self.eat("not") {
            return Ok(Over::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.eat("(") {
            let inner = self.either(depth + 1)?;
            return if self.eat(")") {
                Ok(inner)
            } else {
                Err(Wrong::Form("a parenthesis is not closed".to_owned()))
            };
        }
        let Some(word) = self.next() else {
            return Err(Wrong::Form(
                "it ends where a selection should follow".to_owned(),
            ));
        };
        if self.eat("of") {
            return self.several(word);
        }
        if self.names.contains(&word) {
            return Ok(Over::Name(word.to_owned()));
        }
        let near = telltale_schema::nearest(word, self.names.iter().copied());
        let near = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
        Err(Wrong::Form(format!("there is no selection `{word}`{near}")))
    }

    /// What follows `1 of` and `all of`.
    fn several(&mut self, how_many: &str) -> Result<Over, Wrong> {
        let Some(which) = self.next() else {
            return Err(Wrong::Form(format!("`{how_many} of` what?")));
        };
        let them = which.eq_ignore_ascii_case("them");
        let parts: Vec<Over> = self
            .names
            .iter()
            .filter(|n| {
                if them {
                    !n.starts_with('_')
                } else {
                    fits(which, n)
                }
            })
            .map(|n| Over::Name((*n).to_owned()))
            .collect();
        if parts.is_empty() {
            return Err(Wrong::Form(format!("no selection fits `{which}`")));
        }
        match how_many.to_ascii_lowercase().as_str() {
            "1" | "any" => Ok(one_or(parts, Over::Any)),
            "all" => Ok(one_or(parts, Over::All)),
            other => Err(Wrong::Form(format!(
                "`{other} of`: Sigma has `1 of`, `any of` and `all of`"
            ))),
        }
    }
}

fn one_or(mut parts: Vec<Over>, all: fn(Vec<Over>) -> Over) -> Over {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            all(parts)
        }
        None => all(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(over: &Over) -> String {
        let join = |all: &[Over], sign: &str| {
            format!("({})", all.iter().map(say).collect::<Vec<_>>().join(sign))
        };
        match over {
            Over::Name(n) => n.clone(),
            Over::Not(inner) => format!("!{}", say(inner)),
            Over::All(all) => join(all, "&"),
            Over::Any(all) => join(all, "|"),
        }
    }

    #[test]
    fn grammar() {
        let names = ["sel", "sel_a", "sel_b", "filter", "_hidden"];
        for (text, wanted) in [
            ("sel", "sel"),
            ("sel and not filter", "(sel&!filter)"),
            ("sel or sel_a and filter", "(sel|(sel_a&filter))"),
            ("(sel or sel_a) AND filter", "((sel|sel_a)&filter)"),
            ("1 of sel_*", "(sel_a|sel_b)"),
            ("any of sel_*", "(sel_a|sel_b)"),
            ("all of them", "(sel&sel_a&sel_b&filter)"),
            ("not not sel", "!!sel"),
            ("not 1 of filter*", "!filter"),
            ("all of _*", "_hidden"),
        ] {
            assert_eq!(say(&read(text, &names).unwrap()), wanted, "{text}");
        }
        for (text, why) in [
            ("", "it ends"),
            ("sel and", "it ends"),
            ("(sel", "not closed"),
            ("sel)", "does not belong"),
            ("sel filter", "does not belong"),
            ("2 of sel_*", "`1 of`"),
            ("1 of x*", "no selection fits"),
            ("filtre", "did you mean `filter`"),
        ] {
            let Err(Wrong::Form(is)) = read(text, &names) else {
                panic!("{text} is read")
            };
            assert!(is.contains(why), "{text}: {is}");
        }
        assert_eq!(read("sel | count() > 5", &names), Err(Wrong::Aggregation));
        let deep = format!("{}sel{}", "(".repeat(1000), ")".repeat(1000));
        assert!(matches!(read(&deep, &names), Err(Wrong::Form(w)) if w.contains("deeper")));
        let nots = format!("{}sel", "not ".repeat(1000));
        assert!(matches!(read(&nots, &names), Err(Wrong::Form(w)) if w.contains("deeper")));
    }
}
