"""Translations whose answers are exact: numbers in words, and dates. As many pairs as one likes,
and nothing to download.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from lstm_ref.data.packages import need
from lstm_ref.data.tasks import Pairs
from lstm_ref.errors import ArgumentError


def number_pairs(
    numbers: Iterable[int] = range(10_000), source: str = "en", target: str = "fr"
) -> Pairs:
    """Numbers in the words of two languages.

    Parameters
    ----------
    numbers : which ones
    source, target : languages as num2words names them ("en", "fr", "de", ...), or "digits" for 4271
        itself

    Raises
    ------
    ArgumentError : a language that num2words does not know
    MissingPackageError : num2words is not installed

    Examples
    --------
    >>> pairs = number_pairs([71, 280])
    >>> list(zip(pairs.source, pairs.target))
    [('seventy-one', 'soixante et onze'), ('two hundred and eighty', 'deux cent quatre-vingts')]
    """
    words = need("number_pairs", "num2words").num2words

    def say(number: int, language: str) -> str:
        if language == "digits":
            return str(number)
        try:
            return str(words(number, lang=language))
        except NotImplementedError as error:
            raise ArgumentError(
                f'number_pairs: num2words knows no language {language!r}; use one like "en" or '
                '"fr", or "digits"'
            ) from error

    listed = list(numbers)
    return Pairs(
        tuple(say(n, source) for n in listed), tuple(say(n, target) for n in listed), source, target
    )


def date_pairs(
    first: str = "2000-01-01",
    days: int = 7305,
    source: str = "en",
    target: str = "fr",
    style: str = "full",
) -> Pairs:
    """Consecutive days as two languages write them, by the rules of Unicode's CLDR.

    Parameters
    ----------
    first : the first day, as year-month-day
    days : how many; the default is twenty years
    source, target : languages as Babel names them ("en", "en_GB", "fr", ...), or "iso" for
        2024-02-29
    style : "full" with the day of the week, "long", "medium" or "short"; "short" may leave out the
        century, and then the same text stands for two days

    Raises
    ------
    ArgumentError : a language, style, first day or number of days that cannot be used
    MissingPackageError : Babel is not installed

    Examples
    --------
    >>> pairs = date_pairs("2024-02-29", days=1)
    >>> pairs.source, pairs.target
    (('Thursday, February 29, 2024',), ('jeudi 29 février 2024',))
    """
    babel = need("date_pairs", "babel")
    if days < 1:
        raise ArgumentError(f"date_pairs: days must be 1 or more, got {days}")
    if style not in ("full", "long", "medium", "short"):
        raise ArgumentError(
            f'date_pairs: style must be "full", "long", "medium" or "short", got {style!r}'
        )
    try:
        calendar = (np.datetime64(first, "D") + np.arange(days)).tolist()
    except ValueError as error:
        raise ArgumentError(
            f"date_pairs: first must be a day such as '2000-01-01', got {first!r}"
        ) from error

    def write(language: str) -> tuple[str, ...]:
        if language == "iso":
            return tuple(day.isoformat() for day in calendar)
        try:
            locale: Any = babel.Locale.parse(language)
        except (babel.UnknownLocaleError, ValueError) as error:
            raise ArgumentError(
                f'date_pairs: Babel knows no language {language!r}; use one like "en" or "fr", or '
                '"iso"'
            ) from error
        dates = need("date_pairs", "babel.dates")
        return tuple(dates.format_date(day, style, locale=locale) for day in calendar)

    return Pairs(write(source), write(target), source, target)
