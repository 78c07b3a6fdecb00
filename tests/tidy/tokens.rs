//! A Rust file as a flat list of tokens with their lines: comments and strings cannot be mistaken for code, and
//! what stands inside a macro call is seen like everything else.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident(String),
    Punct(char),
    Open(char),
    Close(char),
    Literal,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) line: usize,
    pub(crate) last_line: usize,
    /// How many inline `mod name { … }` it stands in.
    pub(crate) inline_modules: usize,
}

impl Token {
    pub(crate) fn ident(&self) -> Option<&str> {
        if let Kind::Ident(name) = &self.kind { Some(name) } else { None }
    }

    pub(crate) fn is_punct(&self, wanted: char) -> bool {
        self.kind == Kind::Punct(wanted)
    }
}

/// Every token of the file.
pub(crate) fn all(text: &str) -> Vec<Token> {
    read(text, false)
}

/// The tokens of what ships: items under `#[cfg(test)]` are left out.
pub(crate) fn product(text: &str) -> Vec<Token> {
    read(text, true)
}

/// Whether `tokens` goes on with `::` at `at`.
pub(crate) fn is_path_separator(tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_some_and(|t| t.is_punct(':')) && tokens.get(at + 1).is_some_and(|t| t.is_punct(':'))
}

/// The paths that begin at `at`, which may be a tree in braces, each with the line it is written on:
/// `a::{b::c, d}` gives `a::b::c` and `a::d`.
pub(crate) fn paths(tokens: &[Token], at: usize) -> Vec<(Vec<String>, usize)> {
    let mut found = Vec::new();
    path_tree(tokens, at, &mut Vec::new(), &mut found);
    found
}

/// Reads one path or tree and returns where it ended.
fn path_tree(
    tokens: &[Token],
    at: usize,
    prefix: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let Some(token) = tokens.get(at) else { return at };
    match &token.kind {
        Kind::Ident(name) => {
            prefix.push(name.clone());
            let end = if is_path_separator(tokens, at + 1) {
                path_tree(tokens, at + 3, prefix, found)
            } else {
                found.push((prefix.clone(), token.line));
                at + 1
            };
            prefix.pop();
            end
        }
        Kind::Open('{') => {
            let mut next = at + 1;
            while tokens.get(next).is_some_and(|t| t.kind != Kind::Close('}')) {
                if tokens.get(next).and_then(Token::ident) == Some("as") {
                    next += 2;
                    continue;
                }
                let branch =
                    matches!(tokens.get(next).map(|t| &t.kind), Some(Kind::Ident(_) | Kind::Open('{')));
                next = if branch { path_tree(tokens, next, prefix, found) } else { next + 1 };
            }
            next + 1
        }
        // `a::*`, `a::<T>`: the path so far is what is named.
        _ => {
            found.push((prefix.clone(), token.line));
            at + 1
        }
    }
}

fn read(text: &str, without_tests: bool) -> Vec<Token> {
    // What does not lex does not compile either; the compiler says so better.
    let stream: TokenStream = text.parse().unwrap_or_default();
    let mut tokens = Vec::new();
    flatten(stream, without_tests, 0, &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, without_tests: bool, inline_modules: usize, into: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        if without_tests && is_test_attribute(&trees, at) {
            at = end_of_item(&trees, at);
            continue;
        }
        let line = tree.span().start().line;
        let last_line = tree.span().end().line;
        let mut push = |kind, line, last_line| into.push(Token { kind, line, last_line, inline_modules });
        match tree {
            TokenTree::Ident(name) => push(Kind::Ident(name.to_string()), line, last_line),
            TokenTree::Punct(punct) => push(Kind::Punct(punct.as_char()), line, last_line),
            TokenTree::Literal(_) => push(Kind::Literal, line, last_line),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ('(', ')'),
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::None => (' ', ' '),
                };
                push(Kind::Open(open), line, line);
                let is_module = open == '{' && at >= 2 && is_word(trees.get(at - 2), "mod");
                flatten(group.stream(), without_tests, inline_modules + usize::from(is_module), into);
                into.push(Token { kind: Kind::Close(close), line: last_line, last_line, inline_modules });
            }
        }
        at += 1;
    }
}

fn is_word(tree: Option<&TokenTree>, word: &str) -> bool {
    matches!(tree, Some(TokenTree::Ident(name)) if name == word)
}

fn is_hash(tree: Option<&TokenTree>) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == '#')
}

/// `#[cfg(test)]`, also within `all` and `any`, but not `not(test)`.
fn is_test_attribute(trees: &[TokenTree], at: usize) -> bool {
    let Some(TokenTree::Group(attribute)) = trees.get(at + 1) else { return false };
    if !is_hash(trees.get(at)) {
        return false;
    }
    let inside: Vec<TokenTree> = attribute.stream().into_iter().collect();
    let [TokenTree::Ident(name), TokenTree::Group(condition)] = inside.as_slice() else { return false };
    let condition = condition.stream().to_string();
    let words: Vec<&str> = condition.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    name == "cfg" && words.contains(&"test") && !words.contains(&"not")
}

/// Where the item that begins (with its attributes) at `at` has ended.
fn end_of_item(trees: &[TokenTree], mut at: usize) -> usize {
    while is_hash(trees.get(at)) {
        at += 2;
    }
    while let Some(tree) = trees.get(at) {
        at += 1;
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
            TokenTree::Punct(punct) if punct.as_char() == ';' => break,
            _ => {}
        }
    }
    at
}

#[test]
fn test_items_are_left_out_of_the_product() {
    let text = "use a::b; #[cfg(test)] #[allow(x)] mod tests { use c::d; } #[cfg(not(test))] fn shipped() {}";
    let names: Vec<String> = product(text).iter().filter_map(|t| t.ident().map(str::to_owned)).collect();
    assert!(names.contains(&"shipped".to_owned()) && !names.contains(&"tests".to_owned()), "{names:?}");
}

#[test]
fn a_tree_of_paths_is_read_whole() {
    let tokens = all("a::{b::{self, c}, d::*, e as f}, g");
    let found: Vec<String> = paths(&tokens, 0).into_iter().map(|(path, _)| path.join("::")).collect();
    assert_eq!(found, ["a::b::self", "a::b::c", "a::d", "a::e"]);
}
