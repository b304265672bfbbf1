"""The attention map: where a decoder looked while it wrote each word, once one has guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from traitlets import Dict, Int, List, TraitError, validate

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect.widget import Widget, module, style

LIMIT = 6000  # weights that a page carries, each with four digits


class AttentionMap(Widget):
    """Attention weights of one or more texts, a row for each written word.

    The reader first says for one written word of the text which word of the source the decoder
    looked at most; then the map is told, and a slider goes over the written words.

    Parameters
    ----------
    texts : a list of {"name": str, "source": T words, "written": S words, "weights": (S, T)}, each
        row of the weights not negative with sum 1; if you have it, "right": the right words, and
        "ask": the place of the written word that is asked, else the one whose weights are most
        alike
    guesses : place of a text, as a string -> place of a word of its source; a text without a guess
        asks first
    text : which text is shown
    step : which of its written words

    Raises
    ------
    ArgumentError : no text, one without its parts, weights that are no shares, or more of them than
        a page should carry
    ShapeError : weights that do not fit the words
    TraitError : a text, step or guess that does not exist

    Examples
    --------
    >>> one = {
    ...     "name": "short",
    ...     "source": ["good", "day"],
    ...     "written": ["bonjour"],
    ...     "weights": [[0.3, 0.7]],
    ... }
    >>> AttentionMap([one]).at(0, 0)
    {'written': 'bonjour', 'looked at': 'day', 'weight': 0.7}
    """

    name = "attention_map"
    fallback = (
        "The attention map shows where a decoder looked while it wrote each word. It needs "
        "JavaScript. The same numbers come from AttentionMap(texts).at(text, step)."
    )
    _esm = module(name)
    _css = style(name)

    texts = List(Dict()).tag(sync=True)
    guesses = Dict().tag(sync=True)
    text = Int(0).tag(sync=True)
    step = Int(0).tag(sync=True)

    def __init__(
        self,
        texts: Sequence[Mapping[str, Any]],
        *,
        guesses: Mapping[str, int] | None = None,
        text: int = 0,
        step: int | None = None,
    ) -> None:
        checked = [_checked(one) for one in texts]
        n = sum(len(one["source"]) * len(one["written"]) for one in checked)
        if not checked or n > LIMIT:
            raise ArgumentError(
                f"AttentionMap: needs 1 to {LIMIT} weights, got {n} in {len(checked)} texts; leave "
                "out texts"
            )
        super().__init__(texts=checked, guesses=dict(guesses or {}), text=text)
        self.step = self.texts[text]["ask"] if step is None else step

    @validate("text")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _known(self, proposal: dict[str, Any]) -> int:
        text: int = proposal["value"]
        if not 0 <= text < len(self.texts):
            raise TraitError(
                f"AttentionMap: text must be from 0 to {len(self.texts) - 1}, got {text}"
            )
        return text

    @validate("step")  # type: ignore[untyped-decorator]
    def _inside(self, proposal: dict[str, Any]) -> int:
        step: int = proposal["value"]
        last = len(self.texts[self.text]["written"]) - 1
        if not 0 <= step <= last:
            raise TraitError(f"AttentionMap: step must be from 0 to {last}, got {step}")
        return step

    @validate("guesses")  # type: ignore[untyped-decorator]
    def _words(self, proposal: dict[str, Any]) -> dict[str, int]:
        guesses: dict[str, int] = proposal["value"]
        sizes = {str(k): len(one["source"]) for k, one in enumerate(self.texts)}
        for key, place in guesses.items():
            if not 0 <= place < sizes.get(key, 0):
                raise TraitError(
                    "AttentionMap: guesses must be places of source words by the number of their "
                    f"text; got {key}: {place}"
                )
        return guesses

    def at(self, text: int, step: int) -> dict[str, Any]:
        """The written word at a step of a text, the source word with the largest weight, and that
        weight.
        """
        one = self.texts[self._known({"value": text})]
        row = one["weights"][step]
        best = int(np.argmax(row))
        return {
            "written": one["written"][step],
            "looked at": one["source"][best],
            "weight": row[best],
        }


def _checked(one: Mapping[str, Any]) -> dict[str, Any]:
    """A text as the page carries it."""
    lacking = [key for key in ("name", "source", "written", "weights") if key not in one]
    if lacking:
        raise ArgumentError(
            f"AttentionMap: each text needs name, source, written and weights; this one has no "
            f"{', '.join(lacking)}"
        )
    name, (source, written) = str(one["name"]), (list(map(str, one[key])) for key in _SIDES)
    weights = np.asarray(one["weights"], float)
    if weights.shape != (len(written), len(source)) or not weights.size:
        raise ShapeError(
            f"AttentionMap: weights of {name} must be (S, T) = ({len(written)}, {len(source)}), "
            f"written words by source words, got {weights.shape}"
        )
    if not np.all(weights >= 0) or not np.allclose(weights.sum(axis=1), 1, atol=1e-3):
        raise ArgumentError(
            f"AttentionMap: each row of the weights of {name} must be shares with sum 1; sums go "
            f"from {weights.sum(axis=1).min():.3g} to {weights.sum(axis=1).max():.3g}"
        )
    ask = int(one.get("ask", np.argmin(weights.max(axis=1))))
    if not 0 <= ask < len(written):
        raise ArgumentError(
            f"AttentionMap: ask of {name} must be from 0 to S-1 = {len(written) - 1}, got {ask}"
        )
    return {
        "name": name,
        "source": source,
        "written": written,
        "right": list(map(str, one.get("right", ()))),
        "ask": ask,
        "weights": [[round(float(value), 4) for value in row] for row in weights],
    }


_SIDES = ("source", "written")
