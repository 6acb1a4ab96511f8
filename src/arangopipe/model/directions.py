"""Whether a lower or a higher value of a metric is better: a written table, else the question."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from arangopipe.errors import InvalidInput
from arangopipe.model.vocabulary import near

Better: TypeAlias = Literal["lower", "higher"]

LOWER = (
    "rmse", "mse", "mae", "mape", "smape", "wmape", "medae", "rmsle", "msle", "rae", "rse", "sse", "rss",
    "error", "error_rate", "loss", "log_loss", "logloss", "cross_entropy", "bce", "nll", "hinge_loss",
    "root_mean_squared_error", "mean_squared_error", "mean_absolute_error", "median_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_log_error", "max_error", "pinball_loss", "crps",
    "brier", "brier_score", "ece", "perplexity", "ppl", "bits_per_byte", "wer", "cer", "ter", "fid", "aic",
    "bic", "deviance", "mean_poisson_deviance", "kl_divergence", "fpr", "fnr", "false_positive_rate",
    "false_negative_rate", "hamming_loss", "zero_one_loss", "davies_bouldin", "inertia",
)  # fmt: skip
HIGHER = (
    "accuracy", "acc", "balanced_accuracy", "top_5_accuracy", "precision", "recall", "sensitivity",
    "specificity", "f1", "f1_score", "f1_macro", "f1_micro", "f1_weighted", "fbeta", "auc", "roc_auc",
    "pr_auc", "auroc", "auprc", "average_precision", "ap", "map", "mean_average_precision", "ndcg", "mrr",
    "hit_rate", "r2", "r2_score", "r_squared", "adjusted_r2", "explained_variance", "d2", "mcc",
    "matthews_corrcoef", "cohen_kappa", "kappa", "jaccard", "iou", "miou", "dice", "gini", "ks", "lift",
    "bleu", "rouge", "rouge1", "rouge2", "rougel", "meteor", "exact_match", "psnr", "ssim", "silhouette",
    "silhouette_score", "log_likelihood", "likelihood", "elbo", "correlation", "pearson", "spearman",
    "kendall_tau", "concordance", "c_index", "tpr", "tnr", "true_positive_rate", "true_negative_rate",
)  # fmt: skip

_AROUND = {
    "train", "training", "val", "valid", "validation", "test", "eval", "evaluation", "dev", "holdout", "cv",
    "oof", "mean", "median", "avg", "average", "best", "final", "last", "min", "max", "epoch", "weighted",
    "macro", "micro", "score",
}  # fmt: skip
"""Words around a name that do not change what is better."""


def direction(metric: str, better: str | None = None) -> Better:
    """Return whether a lower or a higher value is better: as said, else from the table.

    Raises `InvalidInput` where neither says. ``val_rmse``, ``test.f1`` and ``rmse.min`` are read as
    ``rmse`` and ``f1``; a name that starts with ``neg_`` as the opposite of what follows.
    """
    if better is not None:
        if better not in ("lower", "higher"):
            hint = near(str(better), ("lower", "higher"))
            raise InvalidInput(f"better is 'lower' or 'higher', not {better!r}{hint}")
        return "lower" if better == "lower" else "higher"
    words = [word for word in re.split(r"[^a-z0-9]+", _separated(metric)) if word]
    negative = words[:1] == ["neg"]
    found = _known(words[negative:])
    if found is None:
        raise InvalidInput(
            f"is a lower or a higher {metric!r} better? Say better='lower' or better='higher': "
            "the name is not in the table of metrics"
        )
    return ("higher" if found == "lower" else "lower") if negative else found


def known_direction(metric: str) -> Better | None:
    """Return what the table says, None where it is silent."""
    try:
        return direction(metric)
    except InvalidInput:
        return None


def _separated(metric: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", metric).lower()


def _known(words: list[str]) -> Better | None:
    """Return what the table says of a name, or of what is left of it without the words around it."""
    left = list(words)
    while left:
        name = "_".join(left)
        if name in LOWER:
            return "lower"
        if name in HIGHER:
            return "higher"
        if left[0] in _AROUND:
            left = left[1:]
        elif left[-1] in _AROUND:
            left = left[:-1]
        else:
            return None
    return None
