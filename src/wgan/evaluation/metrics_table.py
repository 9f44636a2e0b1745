"""METRICS: one row for each metric, read by `evaluate`, the report, the comparison and the table of docs/reference/evaluation.md.

Facts only: what a row names is imported when it is applied, so that a page is made without torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from wgan.evaluation.context import Measured, MetricValue


class Value(NamedTuple):
    """One number that a metric gives."""

    name: str
    title: str  # what it says, in words
    better: Literal["lower", "higher", "none"]  # none: a report, or a number that says nothing alone


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row: how a metric is applied, and what it gives."""

    function: str  # MODULE.NAME in wgan.evaluation: Measured -> one MetricValue for each of `values`
    needs: str  # name in wgan.evaluation.needs: Measured -> why it does not apply, '' where it does
    values: tuple[Value, ...]
    source: str  # paper, section or equation

    def missing(self, m: Measured) -> str:
        """Return why the metric does not apply to m, '' where it does."""
        why: Callable[[Measured], str] = _named(f"needs.{self.needs}")
        return why(m)

    def measure(self, m: Measured) -> list[MetricValue]:
        """Return its values of m, each with the direction in which it is better."""
        function: Callable[[Measured], Iterator[MetricValue]] = _named(self.function)
        return [replace(value, better=VALUES[value.name].better) for value in function(m)]


def _named(where: str) -> Any:
    module, _, name = where.partition(".")
    return getattr(importlib.import_module(f"wgan.evaluation.{module}"), name)


# fmt: off
METRICS: dict[str, Metric] = {
    "fid-lenet": Metric(
        function="sample_metrics.fid_values", needs="digits", source="Heusel 2017, equation 6",
        values=(Value("fid-lenet", "distance to real digits in a digit classifier's features (Fréchet)", "lower"),
                Value("relative-fid", "fid-lenet for each feature", "lower")),
    ),
    "kid-lenet": Metric(
        function="sample_metrics.kid_values", needs="digits", source="Bińkowski 2018",
        values=(Value("kid-lenet", "distance in a digit classifier's features (kernel)", "lower"),),
    ),
    "fid-inception": Metric(
        function="sample_metrics.inception_values", needs="inception", source="Heusel 2017, equation 6",
        values=(Value("fid-inception", "distance to real images in Inception features (Fréchet)", "lower"),),
    ),
    "prdc": Metric(
        function="sample_metrics.prdc_values", needs="neighbours",
        source="Kynkäänniemi 2019, equations 1 and 2; Naeem 2020, section 3",
        values=(Value("precision", "fraction of generated samples near a real one", "higher"),
                Value("recall", "fraction of real samples near a generated one", "higher"),
                Value("density", "how many real neighbourhoods hold each generated sample", "higher"),
                Value("coverage", "fraction of real samples with a generated one among their neighbours", "higher")),
    ),
    "fid-random": Metric(
        function="sample_metrics.random_fid_values", needs="seen", source="Heusel 2017, equation 6; Naeem 2020, section 5",
        values=(Value("random-relative-fid", "distance to real samples in random features (Fréchet)", "lower"),),
    ),
    "prdc-random": Metric(
        function="sample_metrics.random_values", needs="seen", source="Naeem 2020, sections 3 and 5",
        values=(Value("random-precision", "precision in the features of a random network", "higher"),
                Value("random-recall", "recall in the features of a random network", "higher"),
                Value("random-density", "density in the features of a random network", "higher"),
                Value("random-coverage", "coverage in the features of a random network", "higher")),
    ),
    "spectrum": Metric(
        function="signal_metrics.spectrum_values", needs="signals", source="periodogram (Schuster 1898)",
        values=(Value("spectrum-distance", "fraction of the real power that is missing or too much at some frequency", "lower"),),
    ),
    "autocorrelation": Metric(
        function="signal_metrics.autocorrelation_values", needs="signals", source="Box & Jenkins 1970, chapter 2",
        values=(Value("autocorrelation-distance", "mean difference in the autocorrelation, over lags", "lower"),),
    ),
    "channels": Metric(
        function="signal_metrics.channel_values", needs="signals", source="Villani 2003, theorem 2.18",
        values=(Value("channel-w1", "distance between the values of a channel, on average over channels", "lower"),
                Value("worst-channel-w1", "the same of the worst channel", "lower")),
    ),
    "signal-detection": Metric(
        function="signal_metrics.detection_values", needs="recordings", source="Lopez-Paz & Oquab 2017, section 2",
        values=(Value("signal-detection", "how well a linear model tells signals from real ones (0.5 = not)", "lower"),),
    ),
    "volumes": Metric(
        function="volume_metrics.volume_values", needs="volumes", source="Villani 2003, theorem 2.18",
        values=(Value("voxel-w1", "distance between the values of voxels", "lower"),
                Value("volume-mean-w1", "distance between the means of volumes", "lower")),
    ),
    "certified-w1": Metric(
        function="sample_metrics.w1_values", needs="many",
        source="Villani 2003, theorem 1.14; Anil 2019, section 4; Waudby-Smith & Ramdas 2024",
        values=(Value("certified-w1", "a lower bound on the Wasserstein distance, proved on held-out samples", "lower"),
                Value("certified-w1-gap", "the gap that this bound is proved from", "lower")),
    ),
    "bracket": Metric(
        function="sample_metrics.bracket_values", needs="always", source="Villani 2003, theorem 1.3",
        values=(Value("w1-cross-slope", "a lower bound on exact-w1 by a critic's gradient norm", "none"),
                Value("w1-c-transform", "a tighter lower bound on exact-w1 by the same critic", "none"),
                Value("exact-w1", "exact Wasserstein distance between two samples", "lower")),
    ),
    "sliced-w1": Metric(
        function="sample_metrics.sliced_values", needs="always", source="Bonneel 2015",
        values=(Value("sliced-w1", "Wasserstein distance over random directions", "lower"),),
    ),
    "outside-range": Metric(
        function="sample_metrics.outside_values", needs="rows", source="counts",
        values=(Value("outside-range", "fraction of rows with a number outside the training range, before clipping", "lower"),),
    ),
    "columns": Metric(
        function="table_metrics.column_values", needs="table", source="Kolmogorov-Smirnov; total variation",
        values=(Value("column-shapes", "similarity of single columns, on average", "higher"),
                Value("worst-column", "similarity of the worst column", "higher"),
                Value("missing-gap", "largest difference in the fraction of missing cells of a column", "lower")),
    ),
    "pairs": Metric(
        function="table_metrics.pair_values", needs="table", source="Pearson; total variation",
        values=(Value("pair-trends", "similarity of the relations of two columns, on average", "higher"),),
    ),
    "trained-on-fakes": Metric(
        function="table_metrics.trained_values", needs="target", source="Esteban 2017, section 4 (TSTR)",
        values=(Value("trained-on-fakes", "what a linear model learns about real rows from generated ones", "higher"),
                Value("trees-on-fakes", "what boosted trees learn about real rows from generated ones", "higher")),
    ),
    "detection": Metric(
        function="table_metrics.detection_values", needs="table", source="Lopez-Paz & Oquab 2017, section 2",
        values=(Value("detection", "how well a linear model tells generated rows from real ones (0.5 = not at all)", "lower"),),
    ),
    "row-copies": Metric(
        function="table_metrics.copy_values", needs="table", source="counts",
        values=(Value("nearer-to-training", "fraction of rows nearer to training than to held-out rows (0.5 = none)", "lower"),
                Value("exact-copies", "fraction of rows that equal a training row", "lower")),
    ),
    "memorisation": Metric(
        function="sample_metrics.memorisation_values", needs="always",
        source="Lopez-Paz & Oquab 2017; Carlini 2023",
        values=(Value("nearest-train", "median distance to the nearest training sample", "none"),
                Value("copies", "copies of training samples, exact or nearly so", "lower")),
    ),
    "classes": Metric(
        function="class_metrics.class_values", needs="digits", source="counts",
        values=(Value("class-kl", "how far the digits' frequencies are from the data's", "lower"),
                Value("rarest-class", "fraction of the digit made least often", "higher")),
    ),
    "label-accuracy": Metric(
        function="class_metrics.label_values", needs="asked", source="Shmelkov 2018, section 3",
        values=(Value("label-accuracy", "fraction of samples in which a classifier sees the requested label", "higher"),),
    ),
    "condition-numbers": Metric(
        function="condition_metrics.number_values", needs="told_numbers", source="Ding 2021, section 4.1",
        values=(Value("condition-error", "distance of the numbers that samples show from those they were made for", "lower"),
                Value("condition-bias", "the same of means over tenths of the samples: 0 where they are kept", "lower")),
    ),
    "condition-categories": Metric(
        function="condition_metrics.category_values", needs="told_categories", source="Shmelkov 2018, section 3",
        values=(Value("condition-accuracy", "fraction of samples that show the category they were made for", "higher"),),
    ),
    "cas": Metric(
        function="class_metrics.cas_values", needs="classified", source="Ravuri & Vinyals 2019, section 3",
        values=(Value("cas", "fraction of real images that a classifier trained on the samples names right", "higher"),),
    ),
    "gan-test": Metric(
        function="class_metrics.gan_test_values", needs="classified", source="Shmelkov 2018, section 3",
        values=(Value("gan-test", "fraction of samples that a classifier trained on real images names as requested", "higher"),),
    ),
    "modes": Metric(
        function="class_metrics.mode_values", needs="modes", source="Srivastava 2017, section 4.1; Lin 2018, section 4.1",
        values=(Value("modes-reached", "modes that a sample reached", "higher"),
                Value("modes-covered", "modes that a tenth of their samples reached", "higher"),
                Value("modes-high-quality", "fraction of samples within 3 standard deviations of a mode", "higher"),
                Value("modes-reverse-kl", "how far the modes' frequencies are from equal", "lower")),
    ),
    "stacked-modes": Metric(
        function="class_metrics.stacked_values", needs="stacked", source="Metz 2017, section 3.3.1; Lin 2018, section 4.2",
        values=(Value("stacked-modes", "of 1000 modes reached", "higher"),
                Value("stacked-kl", "how far the modes' frequencies are from equal", "lower"),
                Value("stacked-kl-above-floor", "the same, above what a perfect sampler has", "lower")),
    ),
}
# fmt: on
VALUES: dict[str, Value] = {value.name: value for metric in METRICS.values() for value in metric.values}
HOME: dict[str, str] = {value.name: name for name, metric in METRICS.items() for value in metric.values}
# the order in which a page shows values large: what says most first
PROMINENT = (
    "fid-lenet",
    "certified-w1",
    "modes-reached",
    "modes-high-quality",
    "stacked-modes",
    "label-accuracy",
    "condition-bias",
    "condition-accuracy",
    "column-shapes",
    "pair-trends",
    "trained-on-fakes",
    "detection",
    "spectrum-distance",
    "autocorrelation-distance",
    "volume-mean-w1",
    "coverage",
    "copies",
    "precision",
    "recall",
    "density",
    "kid-lenet",
    "relative-fid",
    "exact-w1",
    "sliced-w1",
    "cas",
    "gan-test",
    "fid-inception",
    "class-kl",
    "rarest-class",
)
