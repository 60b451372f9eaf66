"""The imports that the release of APPS puts before every program (testing_util.py). Belongs here: the names a program
may use without importing them. Does not belong here: how it is run."""

from __future__ import annotations

import math

__all__ = ["PRELUDE"]

_MATH = "sqrt sin cos tan ceil fabs floor gcd exp log log2".split()
assert all(hasattr(math, name) for name in _MATH)
PRELUDE = f"""\
import sys, time, itertools, collections, math, fractions, random, heapq
import numpy as np
from itertools import accumulate, product, permutations, combinations
from collections import Counter, OrderedDict, deque, defaultdict, ChainMap
from functools import lru_cache
from math import {", ".join(_MATH)}
from typing import List, Tuple
from heapq import *
"""
