//! Reads the paths that a Rust file names. A small reader of our own, because all that is asked is
//! "which modules and crates appear here", and that needs no syntax tree.

/// A path as it stands in the source, such as `["crate", "domain", "Fault"]`, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub segments: Vec<String>,
    pub line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Separator,
    Symbol(char),
}

/// Every path of the file outside of comments, strings and `#[cfg(test)]` items, with grouped
/// imports written out one by one.
pub fn paths(source: &str) -> Vec<Path> {
    let tokens = without_tests(&tokens(source));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = matches!(tokens[at].0, Token::Word(_))
            && !(at > 0 && matches!(tokens[at - 1].0, Token::Separator | Token::Symbol('.')));
        if starts {
            at = read_path(&tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path at `at` behind `prefix`, descending into a group, and returns where it ends.
fn read_path(
    tokens: &[(Token, usize)],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<Path>,
) -> usize {
    let line = tokens[at].1;
    let mut segments = prefix.to_vec();
    loop {
        match tokens.get(at).map(|(token, _)| token) {
            Some(Token::Word(word)) => segments.push(word.clone()),
            Some(Token::Symbol('*')) => segments.push("*".to_owned()),
            Some(Token::Symbol('{')) => return read_group(tokens, at, &segments, found),
            _ => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|(token, _)| *token != Token::Separator) {
            break;
        }
        at += 1;
    }
    if segments.len() > 1 {
        found.push(Path { segments, line });
    }
    at
}

fn read_group(
    tokens: &[(Token, usize)],
    open: usize,
    prefix: &[String],
    found: &mut Vec<Path>,
) -> usize {
    let mut at = open + 1;
    while let Some((token, _)) = tokens.get(at) {
        match token {
            Token::Symbol('}') => return at + 1,
            Token::Symbol(',') => at += 1,
            Token::Word(word) if word == "as" => at += 2,
            _ => at = read_path(tokens, at, prefix, found).max(at + 1),
        }
    }
    at
}

/// The tokens without the items that stand under `#[cfg(test)]`.
fn without_tests(tokens: &[(Token, usize)]) -> Vec<(Token, usize)> {
    let marker: Vec<Token> = self::tokens("#[cfg(test)]").into_iter().map(|(t, _)| t).collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let here = tokens[at..].iter().map(|(token, _)| token);
        if here.take(marker.len()).eq(marker.iter()) {
            at = end_of_item(tokens, at + marker.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the item at `at` ends: behind its closing brace, or behind its semicolon.
fn end_of_item(tokens: &[(Token, usize)], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some((token, _)) = tokens.get(at) {
        at += 1;
        match token {
            Token::Symbol('{') => depth += 1,
            Token::Symbol('}') if depth <= 1 => return at,
            Token::Symbol('}') => depth -= 1,
            Token::Symbol(';') if depth == 0 => return at,
            _ => {}
        }
    }
    at
}

fn tokens(source: &str) -> Vec<(Token, usize)> {
    let text: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < text.len() {
        let end = match text[at] {
            '/' if text.get(at + 1) == Some(&'/') => end_of_line(&text, at),
            '/' if text.get(at + 1) == Some(&'*') => end_of_block_comment(&text, at),
            '"' => end_of_string(&text, at),
            'r' if starts_raw_string(&text, at) => end_of_raw_string(&text, at),
            '\'' => end_of_quote(&text, at),
            ':' if text.get(at + 1) == Some(&':') => {
                found.push((Token::Separator, line));
                at + 2
            }
            letter if is_word(letter) => {
                let end = (at..text.len()).find(|i| !is_word(text[*i])).unwrap_or(text.len());
                found.push((Token::Word(text[at..end].iter().collect()), line));
                end
            }
            space if space.is_whitespace() => at + 1,
            symbol => {
                found.push((Token::Symbol(symbol), line));
                at + 1
            }
        };
        line += text[at..end].iter().filter(|letter| **letter == '\n').count();
        at = end;
    }
    found
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn end_of_line(text: &[char], at: usize) -> usize {
    (at..text.len()).find(|i| text[*i] == '\n').unwrap_or(text.len())
}

fn end_of_block_comment(text: &[char], at: usize) -> usize {
    let end = (at + 2..text.len()).find(|i| text[*i] == '/' && text[*i - 1] == '*');
    end.map_or(text.len(), |i| i + 1)
}

fn end_of_string(text: &[char], at: usize) -> usize {
    let mut i = at + 1;
    while i < text.len() && text[i] != '"' {
        i += if text[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(text.len())
}

fn hashes_after(text: &[char], at: usize) -> usize {
    text[at.min(text.len())..].iter().take_while(|letter| **letter == '#').count()
}

fn starts_raw_string(text: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|i| text[i]);
    let prefixed = before.is_none_or(|letter| letter == 'b' || !is_word(letter));
    prefixed && text.get(at + 1 + hashes_after(text, at + 1)) == Some(&'"')
}

fn end_of_raw_string(text: &[char], at: usize) -> usize {
    let hashes = hashes_after(text, at + 1);
    let body = at + hashes + 2;
    let end = (body..text.len()).find(|i| text[*i] == '"' && hashes_after(text, *i + 1) >= hashes);
    end.map_or(text.len(), |i| i + 1 + hashes)
}

/// A character literal, or the apostrophe of a lifetime.
fn end_of_quote(text: &[char], at: usize) -> usize {
    if text.get(at + 1) == Some(&'\\') {
        let end = (at + 3..text.len()).find(|i| text[*i] == '\'');
        return end.map_or(text.len(), |i| i + 1);
    }
    if text.get(at + 2) == Some(&'\'') { at + 3 } else { at + 1 }
}

#[cfg(test)]
mod tests {
    use super::paths;

    fn joined(source: &str) -> Vec<String> {
        paths(source).into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn grouped_imports_are_written_out() {
        assert_eq!(
            joined("use crate::{domain::{self, Fault as F}, http::*};"),
            ["crate::domain::self", "crate::domain::Fault", "crate::http::*"]
        );
    }

    #[test]
    fn comments_strings_and_characters_name_nothing() {
        let source = r###"
            // a::b  /* c::d */
            /// e::f
            const T: (&str, &str, char) = ("g::h \" i::j", r#"k::l "m::n"#, '"'); let x: &'static o::p;
        "###;
        assert_eq!(joined(source), ["o::p"]);
    }

    #[test]
    fn the_items_of_tests_do_not_count_and_what_follows_does() {
        let source = "a::b; #[cfg(test)] mod tests { fn x() { c::d } } #[cfg(test)] mod y; e::f";
        assert_eq!(joined(source), ["a::b", "e::f"]);
    }

    #[test]
    fn a_path_knows_its_line() {
        assert_eq!(paths("\n\n  a::b")[0].line, 3);
    }
}
