//! As much of XML as answers are compared by.

/// An element.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    /// Names of attributes, in alphabetical order.
    pub attributes: Vec<String>,
    pub children: Vec<Element>,
    /// Its text, if it has no children.
    pub text: String,
}

impl Element {
    /// Names and texts of the children, in order.
    pub fn members(&self) -> Vec<(&str, &str)> {
        self.children.iter().map(|child| (child.name.as_str(), child.text.as_str())).collect()
    }

    /// The text of the child with that name.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.members().into_iter().find(|(found, _)| *found == name).map(|(_, text)| text)
    }
}

/// A document; what is not well-formed fails the test.
pub fn parse(text: &str) -> Element {
    let rest =
        text.strip_prefix("<?xml version=\"1.0\" encoding=\"utf-8\"?>").expect("a declaration");
    let (element, rest) = element(rest.trim_start());
    assert_eq!(rest.trim(), "", "something stands behind the root");
    element
}

fn element(text: &str) -> (Element, &str) {
    let (tag, mut rest) = text.strip_prefix('<').unwrap().split_once('>').unwrap();
    let (tag, is_closed) = match tag.strip_suffix('/') {
        Some(tag) => (tag, true),
        None => (tag, false),
    };
    let mut words = tag.split_whitespace();
    let mut element = Element { name: words.next().unwrap().to_owned(), ..Element::default() };
    element.attributes = words.map(|word| word.split_once("=\"").unwrap().0.to_owned()).collect();
    element.attributes.sort();
    if is_closed {
        return (element, rest);
    }
    loop {
        let (text, after) = rest.split_at(rest.find('<').expect("an end"));
        element.text.push_str(&unescaped(text));
        if let Some(after) = after.strip_prefix(&format!("</{}>", element.name)) {
            if !element.children.is_empty() {
                assert_eq!(element.text.trim(), "", "text between elements");
                element.text.clear();
            }
            return (element, after);
        }
        let (child, after) = self::element(after);
        element.children.push(child);
        rest = after;
    }
}

fn unescaped(text: &str) -> String {
    assert!(!text.contains('>'));
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&#xD;", "\r");
    text.replace("&amp;", "&")
}
