"""Tables that count: how good a model of a text is that only looks up what came before. A baseline
for every network.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_ref.errors import ArgumentError

Smoothing = Literal["interpolation", "back-off"]

BACK_OFF = 0.4  # the factor of Brants et al. (2007)


class NgramTable:
    """Probabilities of the next character from counts of a text, for each length of context from 0
    to `longest`.

    With n(s) for how often the context s stands in the text, and s' for s without its first
    character:

    - "interpolation" (Witten and Bell): p(x | s) = (n(s x) + u(s) p(x | s')) / (n(s) + u(s)), where
      u(s) is the number of different characters that came after s.
    - "back-off" (Brants et al., divided by its sum): p(x | s) = S(x | s) / Z(s), where S(x | s) is
      n(s x) / n(s) if s x was seen and 0.4 S(x | s') if not, and Z(s) is the sum of S over all
      characters. Without the division it is no probability.

    Parameters
    ----------
    text : the text that is counted, the training part
    characters : all characters that can come; each of `text` is one of them
    longest : number of characters in the longest context

    Raises
    ------
    ArgumentError : the text is not longer than the context, or holds a character that `characters`
        lacks

    Examples
    --------
    >>> table = NgramTable("abracadabra", "abcdr", longest=1)
    >>> [
    ...     round(p, 3) for p in table.probabilities("a", "b", "back-off")
    ... ]  # without context, and after "a"
    [0.2, 0.403]
    >>> round(sum(table.probabilities("a", x, "back-off")[1] for x in "abcdr"), 12)
    1.0
    """

    def __init__(self, text: str, characters: str | list[str], longest: int = 6) -> None:
        if len(text) <= longest:
            raise ArgumentError(
                f"NgramTable: the text must be longer than the longest context, got {len(text)} "
                f"characters and longest = {longest}; count a longer text, or choose a shorter "
                "context"
            )
        self.characters = frozenset(characters)
        if missing := sorted(set(text) - self.characters):
            raise ArgumentError(
                "NgramTable: each character of the text must be one of `characters`, got also "
                f"{missing[:5]}; encode and decode the text with the vocabulary first"
            )
        self.longest = longest
        # The same places for all lengths, so that n(s) is the sum of n(s x) over x.
        places = range(len(text) - longest)
        self.runs = [Counter(text[j : j + k] for j in places) for k in range(longest + 2)]
        self._after: list[dict[str, list[str]]] = [defaultdict(list) for _ in range(longest + 1)]
        for k, after in enumerate(self._after):
            for run in self.runs[k + 1]:
                after[run[:-1]].append(run[-1])
        self._sum = lru_cache(maxsize=None)(self._sum_of_scores)

    def probabilities(
        self, context: str, x: str, smoothing: Smoothing = "interpolation"
    ) -> list[float]:
        """Probability of x after the last k characters of a context, for k = 0 ... longest.

        Parameters
        ----------
        context : the characters before x, at least `longest` of them
        x : the next character
        smoothing : "interpolation" or "back-off"

        Raises
        ------
        ArgumentError : the context is too short, x cannot come, or the smoothing has another name
        """
        if len(context) < self.longest or x not in self.characters:
            raise ArgumentError(
                f"NgramTable.probabilities: needs {self.longest} characters of context and a next "
                f"character that can come, got {context!r} and {x!r}"
            )
        ways: dict[str, Callable[[str, str], list[float]]] = {
            "interpolation": self._interpolated,
            "back-off": self._backed_off,
        }
        if smoothing not in ways:
            raise ArgumentError(
                f"NgramTable: smoothing must be one of {sorted(ways)}, got {smoothing!r}"
            )
        return ways[smoothing](context[len(context) - self.longest :], x)

    def losses(self, text: str, smoothing: Smoothing = "interpolation") -> NDArray[np.float64]:
        """Mean of -ln p over a text, in nats per character, for each length of context.

        The first `longest` characters are context only, so that all lengths are judged on the same
        places.

        Parameters
        ----------
        text : another text than the one that was counted
        smoothing : "interpolation" or "back-off"

        Returns
        -------
        (longest + 1,)

        Raises
        ------
        ArgumentError : the text is not longer than the context, or `probabilities` refuses it
        """
        k = self.longest
        if len(text) <= k:
            raise ArgumentError(
                f"NgramTable.losses: the text must be longer than the longest context, {k}, got "
                f"{len(text)} characters"
            )
        p = [self.probabilities(text[t - k : t], text[t], smoothing) for t in range(k, len(text))]
        return np.asarray(-np.log(p).mean(axis=0))

    def _interpolated(self, context: str, x: str) -> list[float]:
        p, found = 1 / len(self.characters), []
        for k in range(self.longest + 1):
            s = context[self.longest - k :]
            n, u = self.runs[k][s], len(self._after[k].get(s, ()))
            if n:
                p = (self.runs[k + 1][s + x] + u * p) / (n + u)
            found.append(p)
        return found

    def _backed_off(self, context: str, x: str) -> list[float]:
        contexts = [context[self.longest - k :] for k in range(self.longest + 1)]
        return [self._score(s, x) / self._sum(s) for s in contexts]

    def _score(self, s: str, x: str) -> float:
        """Back-off as given: no probability."""
        if not s:  # a character that was never seen counts as seen once
            return max(self.runs[1][x], 1) / self.runs[0][""]
        seen = self.runs[len(s) + 1][s + x]
        return seen / self.runs[len(s)][s] if seen else BACK_OFF * self._score(s[1:], x)

    def _sum_of_scores(self, s: str) -> float:
        """Sum of the scores over all characters: 1 for the seen ones, and 0.4 of the shorter
        context's for the others.
        """
        if not s:
            return sum(self._score("", x) for x in self.characters)
        seen = self._after[len(s)].get(s, [])
        rest = self._sum(s[1:]) - sum(self._score(s[1:], x) for x in seen)
        return (1.0 if seen else 0.0) + BACK_OFF * rest
