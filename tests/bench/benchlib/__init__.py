# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks and the demo share."""


class Unable(Exception):
    """This machine lacks what a measurement needs; the text says what."""
