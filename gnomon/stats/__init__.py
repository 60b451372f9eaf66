"""What may be claimed: intervals, paired tests, clusters, multiplicity, power, calibration.

Belongs here: pure functions from arrays to numbers and `Interval`s. They read no file, keep no state and touch no
global generator; whoever needs chance passes a seed. Does not belong here: which items were asked and how they were
graded (`grading/`, the six questions), or how a number is shown (`report/`).

==========================================  ==============================================================
a claim                                     what it owes its reader
==========================================  ==============================================================
an accuracy over independent items          `wilson`
a mean over items that share a group        `clustered_mean`, `cluster_bootstrap`
a macro average                             `mover`, `clustered_macro`
one system above another, same items        `mcnemar`, `paired_cluster_bootstrap`
... in many subsets at once                 `adjust`, `holm`, `select`
no difference was found                     `minimum_detectable_difference`, `detectable_with`
a confidence that can be trusted            `rms_calibration_error`, `reliability`
one of k programs is right                  `pass_at_k`, `mean_pass_at_k`
features moved onto another sample's        `align_features`, `mix_moments`
the same draws tomorrow                     `stream`
==========================================  ==============================================================

What cannot be claimed raises: `UsageError` for arguments out of range, `NotIdentifiedError` for what the data do not
identify.
"""

from __future__ import annotations

from gnomon.stats.alignment import FeatureAlignment, Moments, align_features, mix_moments
from gnomon.stats.calibration import (
    ReliabilityBin,
    reliability,
    rms_calibration_error,
    rms_calibration_error_official,
)
from gnomon.stats.clusters import cluster_bootstrap, clustered_macro, clustered_mean
from gnomon.stats.intervals import mover, wilson
from gnomon.stats.multiplicity import adjust, holm, select
from gnomon.stats.paired import McNemar, PairedDifference, mcnemar, paired_cluster_bootstrap
from gnomon.stats.pass_at_k import PassAtK, mean_pass_at_k, pass_at_k
from gnomon.stats.power import detectable_with, minimum_detectable_difference
from gnomon.stats.seeds import stream

__all__ = [
    "FeatureAlignment",
    "McNemar",
    "Moments",
    "PairedDifference",
    "PassAtK",
    "ReliabilityBin",
    "adjust",
    "align_features",
    "holm",
    "cluster_bootstrap",
    "clustered_macro",
    "clustered_mean",
    "detectable_with",
    "mcnemar",
    "mean_pass_at_k",
    "minimum_detectable_difference",
    "mix_moments",
    "mover",
    "paired_cluster_bootstrap",
    "pass_at_k",
    "reliability",
    "rms_calibration_error",
    "rms_calibration_error_official",
    "select",
    "stream",
    "wilson",
]
