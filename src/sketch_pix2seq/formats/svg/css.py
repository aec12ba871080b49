"""Style: which declarations of style sheets and attributes hold for an element.

tinycss2 and cssselect2 parse; selectors are matched here, all at once on one way through the tree, because the work of
cssselect2's own matching grows with a power of the depth.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import tinycss2
import tinycss2.nth
from cssselect2 import SelectorError
from cssselect2 import parser as selectors

from sketch_pix2seq.formats.svg import limits, values
from sketch_pix2seq.formats.svg.document import Document, Node
from sketch_pix2seq.formats.svg.limits import Budget

GEOMETRY: Final = (
    "x", "y", "width", "height", "rx", "ry", "cx", "cy", "r", "x1", "y1", "x2", "y2", "d", "points",
)  # fmt: skip
INHERITED: Final = (
    "fill", "stroke", "fill-opacity", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-dashoffset",
    "stroke-linecap", "fill-rule", "clip-rule", "visibility", "color", "font-size", "marker-start", "marker-mid",
    "marker-end",
)  # fmt: skip
_OWN: Final = (
    "display", "opacity", "overflow", "clip-path", "mask", "mask-type", "transform", "transform-origin",
    "transform-box", "stop-color", "stop-opacity", "vector-effect",
)  # fmt: skip
_ATTRIBUTES: Final = frozenset((*GEOMETRY, *INHERITED, *_OWN))
_CSS_ONLY: Final = frozenset({"rotate", "translate", "scale", "background", "background-color", "marker"})
_PROPERTIES: Final = _ATTRIBUTES - {"x1", "y1", "x2", "y2", "points"} | _CSS_ONLY
WINDOW: Final = (1000.0, 1000.0)
"""Width and height in pixels of the window of a document that does not state its size."""
_EMBEDDED = re.compile(r"url\(\s*+['\"]?+data:[^)'\"]*+['\"]?+\s*+\)")
_FEATURE = re.compile(r"\(\s*+([a-z-]++)\s*+(?::\s*+([^()]*+))?\)")
_SLOW_STYLE = re.compile(r"[\"'\\{@]|/\*|data:")
_MAX_VALUE = 2000
"""Characters of a value after its variables are put in."""

Declared: TypeAlias = dict[str, str]
_Test: TypeAlias = Callable[[Node], bool]


# -- declarations -----------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def declarations(text: str) -> tuple[Declared, Declared]:
    """The properties that matter in ``name: value; ...``: the normal ones and the important ones."""
    if not _SLOW_STYLE.search(text):
        parts = (part.partition(":") for part in text.split(";"))
        return _sorted((name, *_importance(value)) for name, _, value in parts)
    return _sorted(_parsed(tinycss2.parse_blocks_contents(_EMBEDDED.sub("none", text), True, True)))


def _importance(value: str) -> tuple[str, bool]:
    before, mark, after = value.rpartition("!")
    return (before, True) if mark and after.strip().lower() == "important" else (value, False)


def _parsed(items: Iterable[Any]) -> Iterator[tuple[str, str, bool]]:
    for item in items:
        if item.type == "declaration":
            yield item.name, tinycss2.serialize(item.value), item.important


def _sorted(found: Iterable[tuple[str, str, bool]]) -> tuple[Declared, Declared]:
    normal: Declared = {}
    important: Declared = {}
    for name, value, is_important in found:
        name, value = name.strip(), value.strip()
        if not name.startswith("--"):
            name = name.lower()
            if name not in _PROPERTIES or not value:
                continue
            if name == "transform" and "var(" not in value and values.transform(value, (1.0, 1.0)) is None:
                continue
        target = important if is_important else normal
        if name == "marker":
            target.update({f"marker-{place}": value for place in ("start", "mid", "end")})
        else:
            target[name] = value
    return normal, important


def resolved(value: str, variables: Mapping[str, str]) -> str | None:
    """A value with its ``var()`` put in; None where one is missing or the value grows too long."""
    for _ in range(16):
        start = value.rfind("var(")  # the innermost one of those that are nested comes last
        if start < 0:
            return value
        depth, end = 0, start + 3
        while end < len(value):
            depth += (value[end] == "(") - (value[end] == ")")
            if not depth:
                break
            end += 1
        name, comma, fallback = value[start + 4 : end].partition(",")
        found = variables.get(name.strip(), fallback.strip() if comma else None)
        if found is None or len(value) + len(found) > _MAX_VALUE:
            return None
        value = value[:start] + found + value[end + 1 :]
    return None


# -- style sheets -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """A compound selector, where it stands in its complex selector."""

    number: int
    test: _Test
    left: int
    """Number of the step to its left, -1 where there is none."""
    combinator: str
    rule: int
    """Number of the rule that holds where this last step matches, -1 for any step before it."""


class Styles:
    """The style sheets of a document, applied to all its elements."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self.budget = budget
        self.rules: list[tuple[tuple[int, ...], Declared, Declared]] = []
        self.steps: dict[str, list[_Step]] = defaultdict(list)
        self.count = 0
        self.characters = 0
        self.types: dict[Node, list[tuple[int, int]]] = {}
        for media, text in document.stylesheets:
            if matches_media(media):
                self._add(text)
        if self.rules:
            self._apply(document.root)

    def declared(self, node: Node) -> Declared:
        """An element's own style: attributes, overruled by style sheets, overruled by its style attribute."""
        if node.declared is None:
            node.declared = self._cascade(node, ())
        return node.declared

    def _add(self, text: str) -> None:
        text = _EMBEDDED.sub("none", text)
        self.characters += len(text)
        if self.characters > limits.MAX_STYLESHEET:
            self.budget.refuse(
                f"more than {limits.MAX_STYLESHEET:,} characters of CSS, which is too much for a drawing"
            )
        try:
            self._add_rules(tinycss2.parse_stylesheet(text, True, True), layered=0, depth=0)
        except (ValueError, RecursionError):
            self.budget.note("a style sheet that cannot be read is left out")

    def _add_rules(self, rules: Iterable[Any], layered: int, depth: int) -> None:
        for rule in rules:
            if rule.type == "qualified-rule":
                found = _sorted(_parsed(tinycss2.parse_blocks_contents(rule.content, True, True)))
                if found[0] or found[1]:
                    self._add_rule(rule.prelude, found, layered)
            elif rule.type == "at-rule" and rule.content is not None and depth < 8:
                name, prelude = rule.lower_at_keyword, tinycss2.serialize(rule.prelude).strip().lower()
                if (name == "media" and matches_media(prelude)) or (
                    name == "supports" and not prelude.startswith("not")
                ):
                    self._add_rules(tinycss2.parse_rule_list(rule.content, True, True), layered, depth + 1)
                elif name == "layer":
                    self._add_rules(tinycss2.parse_rule_list(rule.content, True, True), -1, depth + 1)

    def _add_rule(self, prelude: Iterable[Any], found: tuple[Declared, Declared], layered: int) -> None:
        try:
            parsed = list(selectors.parse(prelude))
        except (SelectorError, ValueError, RecursionError):
            return
        for selector in parsed:
            if selector.pseudo_element is not None:
                continue
            compounds: list[tuple[Any, str]] = []
            tree = selector.parsed_tree
            while isinstance(tree, selectors.CombinedSelector):
                compounds.append((tree.right, tree.combinator))
                tree = tree.left
            compounds.append((tree, ""))
            tests = [(self._compound(compound), _key(compound), mark) for compound, mark in reversed(compounds)]
            if any(test is None for test, _, _ in tests):
                continue
            for place, (test, key, mark) in enumerate(tests):
                assert test is not None
                last = place == len(tests) - 1
                rule = len(self.rules) if last else -1
                self.steps[key].append(_Step(self.count, test, self.count - 1 if place else -1, mark, rule))
                self.count += 1
            self.rules.append(((layered, *selector.specificity, len(self.rules)), *found))

    def _apply(self, root: Node) -> None:
        """Match all selectors on one way through the tree: each element knows what its ancestors and siblings match."""
        nothing: frozenset[int] = frozenset()
        waiting: list[tuple[list[Node], frozenset[int], frozenset[int]]] = [([root], nothing, nothing)]
        while waiting:
            siblings, above, by_parent = waiting.pop()
            before, last = nothing, nothing
            for node in siblings:
                own, rules = self._match(node, above, by_parent, before, last)
                node.declared = self._cascade(node, rules)
                if own:
                    self.budget.test((len(before) + len(above)) // 8)
                    before = before | own
                last = own
                if node.children:
                    waiting.append((node.children, above | own, own))

    def _match(
        self,
        node: Node,
        above: frozenset[int],
        by_parent: frozenset[int],
        before: frozenset[int],
        last: frozenset[int],
    ) -> tuple[frozenset[int], list[int]]:
        """Steps that match without the last of their selector, and rules."""
        reach = {"": None, " ": above, ">": by_parent, "~": before, "+": last}
        own: list[int] = []
        rules: list[int] = []
        keys = ["*", node.tag, *dict.fromkeys(f".{name}" for name in node.classes())]
        if "id" in node.attributes:
            keys.append("#" + node.attributes["id"])
        for key in keys:
            steps = self.steps.get(key)
            if not steps:
                continue
            self.budget.test(len(steps))
            for step in steps:
                allowed = reach[step.combinator]
                if (allowed is None or step.left in allowed) and step.test(node):
                    if step.rule >= 0:
                        rules.append(step.rule)
                    else:
                        own.append(step.number)
        return frozenset(own), rules

    def _cascade(self, node: Node, rules: Iterable[int]) -> Declared:
        style = {name: value.strip() for name, value in node.attributes.items() if name in _ATTRIBUTES}
        own = node.attributes.get("style")
        if own is not None and _SLOW_STYLE.search(own):
            self.characters += len(own)
            if self.characters > limits.MAX_STYLESHEET:
                self.budget.refuse(
                    f"more than {limits.MAX_STYLESHEET:,} characters of CSS, which is too much for a drawing"
                )
        normal, important = ({}, {}) if own is None else declarations(own)
        if rules:
            found = sorted(self.rules[rule] for rule in set(rules))
            for _, declared, _ in found:
                style.update(declared)
            style.update(normal)
            for _, _, declared in found:
                style.update(declared)
        else:
            style.update(normal)
        style.update(important)
        return style

    # -- selectors ----------------------------------------------------------------------------------------

    def _compound(self, compound: Any) -> _Test | None:
        """Whether an element matches a compound selector; None for one that never can, or is not understood."""
        tests = [self._simple(simple) for simple in compound.simple_selectors]
        known = [test for test in tests if test is not None]
        if len(known) < len(tests):
            return None
        return known[0] if len(known) == 1 else lambda node: all(test(node) for test in known)

    def _simple(self, simple: Any) -> _Test | None:
        if isinstance(simple, selectors.LocalNameSelector):
            tag = simple.local_name
            return lambda node: node.tag == tag
        if isinstance(simple, selectors.IDSelector):
            name = simple.ident
            return lambda node: node.attributes.get("id") == name
        if isinstance(simple, selectors.ClassSelector):
            name = simple.class_name
            return lambda node: name in node.classes()
        if isinstance(simple, selectors.NamespaceSelector):
            return lambda node: True
        if isinstance(simple, selectors.AttributeSelector):
            return self._attribute_test(simple)
        if isinstance(simple, selectors.PseudoClassSelector):
            return self._pseudo_class(simple.name)
        if isinstance(simple, selectors.FunctionalPseudoClassSelector):
            return self._nth(simple.name, simple.arguments)
        listed = getattr(simple, "selector_list", None)
        if listed is None or isinstance(simple, selectors.RelationalSelector):
            return None
        if any(isinstance(inner.parsed_tree, selectors.CombinedSelector) for inner in listed):
            return None
        inner_tests = [test for inner in listed if (test := self._compound(inner.parsed_tree)) is not None]
        if isinstance(simple, selectors.NegationSelector):
            return lambda node: not any(test(node) for test in inner_tests)
        return lambda node: any(test(node) for test in inner_tests)

    def _attribute_test(self, selector: Any) -> _Test | None:
        name, operator, wanted = selector.name, selector.operator, selector.value
        fold = selector.case_sensitive is False
        wanted = wanted.lower() if fold and wanted is not None else wanted
        compare: dict[str | None, Callable[[str], bool]] = {
            None: lambda value: True,
            "=": lambda value: value == wanted,
            "~=": lambda value: wanted in value.split(),
            "|=": lambda value: value == wanted or value.startswith(f"{wanted}-"),
            "^=": lambda value: bool(wanted) and value.startswith(wanted),
            "$=": lambda value: bool(wanted) and value.endswith(wanted),
            "*=": lambda value: bool(wanted) and wanted in value,
        }
        if operator not in compare:
            return None
        test = compare[operator]
        ending = f":{name}"

        def matches(node: Node) -> bool:
            value = node.attributes.get(name)
            if value is None and selector.namespace:
                value = next((value for key, value in node.attributes.items() if key.endswith(ending)), None)
            if value is None:
                return False
            self.budget.test(len(value) // 256)
            return test(value.lower() if fold else value)

        return matches

    def _pseudo_class(self, name: str) -> _Test | None:
        if name == "root":
            return lambda node: node.parent is None
        if name == "empty":
            return lambda node: not node.children
        first, last = "last" not in name, "first" not in name
        if name in ("first-child", "last-child", "only-child"):
            return lambda node: (not first or node.place == 0) and (not last or _from_end(node) == 0)
        if name in ("first-of-type", "last-of-type", "only-of-type"):
            return lambda node: (not first or self._of_type(node)[0] == 0) and (not last or self._of_type(node)[1] == 0)
        return None

    def _nth(self, name: str, arguments: Any) -> _Test | None:
        kinds: dict[str, Callable[[Node], int]] = {
            "nth-child": lambda node: node.place,
            "nth-last-child": _from_end,
            "nth-of-type": lambda node: self._of_type(node)[0],
            "nth-last-of-type": lambda node: self._of_type(node)[1],
        }
        found = tinycss2.nth.parse_nth(arguments) if name in kinds else None
        if found is None:
            return None
        step, offset = int(found[0]), int(found[1])
        place = kinds[name]

        def test(node: Node) -> bool:
            distance = place(node) + 1 - offset
            return distance == 0 if step == 0 else distance % step == 0 and distance // step >= 0

        return test

    def _of_type(self, node: Node) -> tuple[int, int]:
        """An element's place among its siblings of the same tag, from the first and from the last."""
        if node.parent is None:
            return 0, 0
        if node.parent not in self.types:
            seen: dict[str, int] = defaultdict(int)
            places = []
            for sibling in node.parent.children:
                places.append(seen[sibling.tag])
                seen[sibling.tag] += 1
            self.types[node.parent] = [
                (place, seen[sibling.tag] - 1 - place)
                for place, sibling in zip(places, node.parent.children, strict=True)
            ]
        return self.types[node.parent][node.place]


def _key(compound: Any) -> str:
    """What an element must have for this compound selector to match: the most telling of id, class and tag."""
    best = "*"
    for simple in compound.simple_selectors:
        if isinstance(simple, selectors.IDSelector):
            return f"#{simple.ident}"
        if isinstance(simple, selectors.ClassSelector):
            best = f".{simple.class_name}"
        elif isinstance(simple, selectors.LocalNameSelector) and best == "*":
            best = simple.local_name
    return best


def _from_end(node: Node) -> int:
    return 0 if node.parent is None else len(node.parent.children) - 1 - node.place


# -- media ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def matches_media(text: str) -> bool:
    """Whether a media query list holds on a screen with a window of `WINDOW` and light colours."""
    text = text.strip().lower()
    return not text or any(_matches_query(query) for query in text.split(","))


def _matches_query(query: str) -> bool:
    words = _FEATURE.sub(" ", query).split()
    negated = words[:1] == ["not"]
    named = [word for word in words if word not in ("not", "only", "and")]
    holds = named in ([], ["all"], ["screen"]) and all(_has(match[1], match[2]) for match in _FEATURE.finditer(query))
    return holds != negated


def _has(feature: str, value: str | None) -> bool:
    size = values.length(value, 0.0)
    bound, _, side = feature.partition("-")
    if bound in ("min", "max") and side in ("width", "height", "device-width", "device-height") and size is not None:
        return size <= WINDOW[0] if bound == "min" else size >= WINDOW[0]
    wanted = {"prefers-color-scheme": "light", "prefers-reduced-motion": "no-preference", "forced-colors": "none"}
    return (value or "").strip() == wanted.get(feature, "-")
