# SPDX-License-Identifier: Apache-2.0
"""Which metrics and labels a PromQL expression names. Whether it parses is promtool's to say."""
import collections
import re

TOKEN = re.compile(r"""
    (?P<space>\s+|\#[^\n]*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
  | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+(?:ms|[smhdwy]))+|\d*\.?\d+(?:[eE][+-]?\d+)?)
  | (?P<word>[a-zA-Z_:][\w:]*)
  | (?P<sign>=~|!~|!=|==|>=|<=|.)
""", re.VERBOSE | re.DOTALL)
AGGREGATIONS = {"sum", "min", "max", "avg", "count", "group", "stddev", "stdvar", "topk", "bottomk",
                "quantile", "count_values"}
GROUPINGS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
WORDS = {"and", "or", "unless", "offset", "bool", "atan2", "inf", "nan", "start", "end"}

# metric: its name. matchers: (label, operator, value) of one selector.
Selector = collections.namedtuple("Selector", "metric matchers")


def tokens(expr):
    return [(match.lastgroup, match.group()) for match in TOKEN.finditer(expr)
            if match.lastgroup != "space"]


def unquote(text):
    return text[1:-1] if text[0] == "`" else re.sub(r"\\(.)", r"\1", text[1:-1])


def parse_matchers(found, at):
    """From behind a '{': the matchers, and where the '}' is."""
    matchers = []
    while found[at][1] != "}":
        if found[at][1] == ",":
            at += 1
            continue
        (_, label), (_, operator), (kind, value) = found[at:at + 3]
        if kind != "string":
            raise ValueError(f"label {label} is compared with {value}")
        matchers.append((label, operator, unquote(value)))
        at += 3
    return matchers, at


def parse(expr):
    """([Selector], {label of a grouping}, {label that label_replace or label_join makes})."""
    found = tokens(expr)
    selectors, grouping, made = [], set(), set()
    at = 0
    while at < len(found):
        kind, text = found[at]
        following = found[at + 1][1] if at + 1 < len(found) else ""
        lower = text.lower()
        if kind != "word" or lower in WORDS:
            pass
        elif lower in GROUPINGS:
            if following == "(":
                at += 2
                while found[at][1] != ")":
                    if found[at][0] == "word":
                        grouping.add(found[at][1])
                    at += 1
        elif following == "(" or (lower in AGGREGATIONS and following.lower() in GROUPINGS):
            if text in ("label_replace", "label_join"):
                made.add(first_string(found, at + 1))
        elif following == "{":
            matchers, at = parse_matchers(found, at + 2)
            selectors.append(Selector(text, matchers))
        else:
            selectors.append(Selector(text, []))
        at += 1
    return selectors, grouping, made


def first_string(found, at):
    """The first string that is an argument of the call whose '(' is at that place."""
    depth = 0
    for kind, text in found[at:]:
        depth += (text in "({[") - (text in ")}]") if kind == "sign" else 0
        if kind == "string" and depth == 1:
            return unquote(text)
    raise ValueError("label_replace without a label")


def alternatives(operator, value):
    """The values that a matcher names one by one; None for a pattern."""
    if operator in ("=", "!="):
        return [value]
    names = value.split("|")
    return names if all(re.fullmatch(r"[\w:-]*", name) for name in names) else None
