#!/usr/bin/python3
"""login NAME URL [CODE]: does what NAME would do in a browser, at the lab's identity provider: log in, and approve.

URL is what the gateway shows for a device login, with the code in it or without; or what `bartizan login` would open in a browser. --deny refuses
instead.
lab up puts this beside the lab's env; the provider's authority is idp/ca.pem in the same folder.
"""
import argparse
import html.parser
import http.cookiejar
import pathlib
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

PAGES_MAX = 16


class Page(html.parser.HTMLParser):
    """The forms and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.links, self.text, self.shown = [], [], [], True
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.shown = tag not in ("style", "script", "title")
        if tag == "form":
            self.forms.append({"action": attributes.get("action", ""), "method": attributes.get("method", "get").lower(), "fields": {}})
        elif tag == "input" and self.forms and attributes.get("name"):
            self.forms[-1]["fields"][attributes["name"]] = attributes.get("value", "")
        elif tag == "a":
            self.links.append(attributes.get("href", ""))

    def handle_endtag(self, tag):
        self.shown = True

    def handle_data(self, data):
        if self.shown:
            self.text.append(data.strip())

    def words(self):
        return " ".join(filter(None, self.text))[-300:]


class Browser:
    def __init__(self, ca):
        context = ssl.create_default_context(cafile=str(ca))
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python does from 3.13 on
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self.url = None

    def open(self, url, fields=None):
        data = urllib.parse.urlencode(fields).encode() if fields is not None else None
        try:
            answer = self.opener.open(urllib.parse.urljoin(self.url or "", url), data, timeout=20)
        except urllib.error.HTTPError as wrong:
            answer = wrong
        self.url = answer.url
        return answer.status, Page(answer.read(1 << 20).decode(errors="replace"))


def fill(form, name, code, deny):
    fields = dict(form["fields"])
    if "user_code" in fields and not fields["user_code"]:
        if not code:
            raise SystemExit("login: this page asks for a code: login NAME URL CODE")
        fields["user_code"] = code
    if "login" in fields:
        fields.update(login=name, password="any")
    if deny and fields.get("confirm"):
        fields["abort"] = "yes"
    return fields


def visit(browser, url, name, code, deny):
    """Fills in forms until a page has none; its status and words."""
    status, page = browser.open(url)
    for _ in range(PAGES_MAX):
        abort = [link for link in page.links if link.endswith("/abort")]
        if deny and abort:
            status, page = browser.open(abort[0])
            continue
        if not page.forms or status >= 400:
            return status, page.words()
        form = page.forms[0]
        fields = fill(form, name, code, deny)
        status, page = browser.open(form["action"] or browser.url, fields)
        if "abort" in fields:  # what follows is the page for another code, as an error
            return 200, page.words()
    return 500, "too many pages"


def main():
    parser = argparse.ArgumentParser(prog="login")
    parser.add_argument("--deny", action="store_true")
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("code", nargs="?")
    options = parser.parse_args()
    browser = Browser(pathlib.Path(__file__).resolve().parent / "idp/ca.pem")
    status, words = visit(browser, options.url, options.name, options.code, options.deny)
    print(words)
    return 0 if status < 400 else 1


if __name__ == "__main__":
    sys.exit(main())
