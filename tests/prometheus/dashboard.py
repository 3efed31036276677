# SPDX-License-Identifier: Apache-2.0
"""The queries of a Grafana dashboard, as Prometheus would be asked them."""
import re

# What Grafana puts in place of its variables, for a dashboard with everything chosen.
GLOBALS = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h"}


def panels(dashboard):
    """All panels, those in collapsed rows too."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(dashboard):
    """(where it is, expression as it is written) of each target and annotation."""
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            yield f"panel '{panel['title']}' {target['refId']}", target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            yield f"annotation '{annotation['name']}'", annotation["expr"]


def variables_of(expr):
    return set(re.findall(r"\$\{?(\w+)", expr))


def expand(expr, chosen=None):
    """An expression with its variables replaced; chosen: {variable: pattern}, '.*' for the others."""
    chosen = {**GLOBALS, **(chosen or {})}
    return re.sub(r"\$\{?(\w+)\}?", lambda match: chosen.get(match.group(1), ".*"), expr)
