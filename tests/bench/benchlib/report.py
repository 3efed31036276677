# SPDX-License-Identifier: Apache-2.0
"""The one form in which every benchmark answers."""

import json
import statistics

from . import procfs


def quantile(values, fraction):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * fraction), len(ordered) - 1)]


def median(values):
    return statistics.median(values)


def result(bench, passed, figure, bar, values):
    return {
        "bench": bench,
        "pass": bool(passed),
        "figure": figure,
        "bar": bar,
        "values": values,
        "machine": procfs.machine(),
    }


def emit(answer):
    print(json.dumps(answer), flush=True)
