"""The imports that the release of APPS puts before every program (testing_util.py). Belongs here: the names a program
may use without importing them. Does not belong here: how it is run."""

from __future__ import annotations

__all__ = ["PRELUDE"]

PRELUDE = """\
import sys, time, itertools, collections, math, fractions, random, heapq
import numpy as np
from itertools import accumulate, product, permutations, combinations
from collections import Counter, OrderedDict, deque, defaultdict, ChainMap
from functools import lru_cache
from math import sqrt, sin, cos, tan, ceil, fabs, floor, gcd, exp, log, log2
from typing import List, Tuple
from heapq import *
"""
