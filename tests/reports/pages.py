"""Reading a page back, as a browser without JavaScript would."""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, NoReturn

_VOID = {"meta", "br", "img", "link", "input", "hr"}


@dataclass
class Page:
    """The parts of a page: its tags with their attributes, its text, its scripts."""

    tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    scripts: list[tuple[dict[str, str | None], str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def policy(self) -> str:
        (policy,) = (
            dict(attributes)["content"]
            for tag, attributes in self.tags
            if tag == "meta" and dict(attributes).get("http-equiv") == "Content-Security-Policy"
        )
        assert policy is not None
        return policy

    @property
    def data_block(self) -> str:
        (text,) = (t for attributes, t in self.scripts if attributes.get("id") == "figures")
        return text

    def figures(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.data_block, parse_constant=_refuse)
        return loaded


def _refuse(constant: str) -> NoReturn:
    raise AssertionError(f"JSON holds {constant}")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.inside: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.tags.append((tag, tuple(attrs)))
        if tag not in _VOID:
            self.inside.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if any(tag == open_tag for open_tag, _ in self.inside):
            while self.inside.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        tag, attributes = self.inside[-1] if self.inside else ("", {})
        if tag == "script":
            self.page.scripts.append((attributes, data))
        elif tag != "style":
            self.page.texts.append(data)


def read(page: str) -> Page:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.page
