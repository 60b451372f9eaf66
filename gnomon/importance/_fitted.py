"""`fit/...`: small models that are fitted on the data's own training part, for those who have no model at hand.

Belongs here: which, and how they are fitted. Does not belong here: models that are loaded (`gnomon/models/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gnomon.errors import UsageError
from gnomon.importance._subject import Estimator
from gnomon.registry import unknown

__all__ = ["FITTED", "fitted"]

FITTED = {
    "fit/words": "texts: logistic regression on tf-idf of words and pairs of words",
    "fit/logistic": "tables: logistic regression on standardised columns",
    "fit/boosting": "tables: gradient-boosted trees",
    "fit/forest": "tables: a random forest of 200 trees",
}


def fitted(name: str, X: Any, y: Sequence[Any], kind: str) -> Estimator:
    """The model called `name`, fitted; raises UsageError for another name or another kind of data."""
    if name not in FITTED:
        raise unknown("fitted model", name, FITTED)
    wanted = "text" if name == "fit/words" else "table"
    if kind != wanted:
        raise UsageError(f"'{name}' is for {wanted}s, and these data are {kind}s.", hint="See  gnomon explain --help .")
    if len(set(y)) < 2:
        raise UsageError(f"the training part has one class only, so '{name}' cannot be fitted.")
    model = _made(name)
    model.fit(X, y)
    return Estimator(model, name)


def _made(name: str) -> Any:
    from sklearn.pipeline import make_pipeline

    if name == "fit/words":
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\w+(?:['’\-]\w+)*")
        return make_pipeline(words, LogisticRegression(C=10, max_iter=1000))
    if name == "fit/logistic":
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    if name == "fit/boosting":
        from sklearn.ensemble import GradientBoostingClassifier

        return GradientBoostingClassifier(random_state=0)
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(200, random_state=0)
