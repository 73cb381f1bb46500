#!/usr/bin/env python3
"""Follows every local link of a folder of HTML pages: the file must be there, and so must the place in it.

Usage: follow_links.py FOLDER
"""
import html.parser
import os
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.places = [], set()
        with open(path, errors="replace") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.places |= {values[name] for name in ("id", "name") if values.get(name)}
        self.links += [values[name] for name in ("href", "src") if values.get(name)]

    handle_startendtag = handle_starttag


def main(folder):
    pages = {os.path.join(where, name): None for where, _, names in os.walk(folder) for name in names if name.endswith(".html")}
    for path in pages:
        pages[path] = Page(path)
    broken, followed = set(), 0
    for path, page in pages.items():
        for link in page.links:
            url = urllib.parse.urlsplit(link)
            if url.scheme or url.netloc:
                continue
            followed += 1
            there = os.path.normpath(os.path.join(os.path.dirname(path), urllib.parse.unquote(url.path))) if url.path else path
            place = urllib.parse.unquote(url.fragment)
            if not os.path.exists(there) or (place and there in pages and place not in pages[there].places):
                broken.add(f"{os.path.relpath(path, folder)}: {link}")
    print("\n".join(sorted(broken)), file=sys.stderr) if broken else print(f"follow_links: {followed} links of {len(pages)} pages ok")
    return 1 if broken or not followed else 0


sys.exit(main(sys.argv[1]))
