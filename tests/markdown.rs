//! What stands in a document for a machine to read: its blocks, their commands, its headings.

use std::fs;
use std::path::Path;

/// A fenced block.
pub struct Block {
    /// What stands behind the fence: `sh`, or `text my_bot.py`.
    pub kind: String,
    /// What is inside.
    pub text: String,
    /// The last line with text before it.
    pub before: String,
    /// The headings above it, with their `#`, outermost first.
    pub headings: Vec<String>,
}

/// A document of the project, by its path from the root.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of a document, in order.
pub fn blocks(document: &str) -> Vec<Block> {
    scan(document).0
}

/// The headings of a document, with their `#`, in order.
pub fn headings(document: &str) -> Vec<String> {
    scan(document).1
}

/// The blocks of commands below a heading, up to the next heading that is not below it.
pub fn commands_below(document: &str, heading: &str) -> Vec<String> {
    let found: Vec<_> = blocks(document)
        .into_iter()
        .filter(|block| block.kind == "sh" && block.headings.iter().any(|one| one == heading))
        .map(|block| block.text)
        .collect();
    assert!(!found.is_empty(), "no commands below {heading}");
    found
}

/// The commands of a block that has one in each line, or in several that end with a backslash.
pub fn commands(block: &str) -> Vec<String> {
    let mut lines = block.split("\\\n");
    let mut whole = lines.next().unwrap_or_default().to_owned();
    lines.for_each(|line| whole.push_str(line.trim_start()));
    whole.lines().filter(|line| !line.trim().is_empty()).map(ToOwned::to_owned).collect()
}

/// What links to a heading end with: its words in small letters, as they are made of it by those who
/// show Markdown.
pub fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one));
    kept.map(|one| if one == ' ' { '-' } else { one }).collect()
}

fn scan(document: &str) -> (Vec<Block>, Vec<String>) {
    let (mut found, mut headings) = (Vec::new(), Vec::new());
    let mut above: Vec<String> = Vec::new();
    let mut before = String::new();
    let mut open: Option<Block> = None;
    for line in document.lines() {
        if let Some(mut block) = open.take() {
            if line.trim_end() == "```" {
                found.push(block);
                continue;
            }
            block.text.push_str(line);
            block.text.push('\n');
            open = Some(block);
        } else if let Some(kind) = line.strip_prefix("```") {
            let (kind, headings, before) = (kind.trim().to_owned(), above.clone(), before.clone());
            open = Some(Block { kind, text: String::new(), before, headings });
        } else if line.starts_with('#') {
            above.retain(|one| level(one) < level(line));
            above.push(line.to_owned());
            headings.push(line.to_owned());
        } else if !line.trim().is_empty() {
            line.clone_into(&mut before);
        }
    }
    assert!(open.is_none(), "a block has no end");
    (found, headings)
}

fn level(heading: &str) -> usize {
    heading.bytes().take_while(|byte| *byte == b'#').count()
}

#[test]
fn blocks_know_where_they_stand() {
    let document =
        "# A\n\n## B\nSave `x`:\n\n```sh\n# no heading\nls \\\n   -l\ncat x\n```\n## C\n";
    let found = blocks(document);
    assert_eq!((found.len(), found[0].kind.as_str()), (1, "sh"));
    assert_eq!(found[0].headings, ["# A", "## B"]);
    assert_eq!(found[0].before, "Save `x`:");
    assert_eq!(commands(&found[0].text), ["# no heading", "ls -l", "cat x"]);
    assert_eq!(headings(document), ["# A", "## B", "## C"]);
    assert_eq!(commands_below(document, "# A").len(), 1);
}

#[test]
fn anchors_are_the_words_of_a_heading() {
    assert_eq!(anchor("## What is different after a restore"), "what-is-different-after-a-restore");
    assert_eq!(anchor("### `codes.fixed`, and others"), "codesfixed-and-others");
}
