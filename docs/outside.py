"""For mdBook: links to what lies outside of this folder go to the repository, where it is.

mdBook gives the book to preprocessors as JSON, `[context, book]`, and takes the book back.
"""

import json
import re
import sys

OUTSIDE = re.compile(r"\]\(\.\./([^)]+)\)")


def with_links(value, source):
    """The same with the links of all pages in it, whatever the parts of a book are called."""
    if isinstance(value, list):
        return [with_links(one, source) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: OUTSIDE.sub(rf"]({source}/\1)", part)
        if name == "content" and isinstance(part, str)
        else with_links(part, source)
        for name, part in value.items()
    }


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    repository = context["config"]["output"]["html"]["git-repository-url"]
    json.dump(with_links(book, f"{repository}/blob/main"), sys.stdout)


if __name__ == "__main__":
    main()
