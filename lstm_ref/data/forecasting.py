"""Series of measurements that lie inside installed packages: no download, no network."""

from __future__ import annotations

import numpy as np

from lstm_ref.data.packages import need
from lstm_ref.data.tasks import Series


def co2() -> Series:
    """Weekly CO2 over Mauna Loa, 1958 to 2001: a trend and a season. NaN in 59 weeks."""
    table = need("load", "statsmodels.datasets").co2.load_pandas().data
    return Series(_days(table.index), _numbers(table), ("co2",), "parts per million by volume", 52)


def sunspots() -> Series:
    """Yearly number of sunspots, 1700 to 2008: a cycle of about eleven years, and no fixed
    period.
    """
    table = need("load", "statsmodels.datasets").sunspots.load_pandas().data
    years = table["YEAR"].to_numpy().astype(int)
    time = np.array([f"{year}-01-01" for year in years], "datetime64[D]")
    return Series(
        time, _numbers(table[["SUNACTIVITY"]]), ("sunspots",), "mean number in the year", 1
    )


def el_nino() -> Series:
    """Monthly temperature of the sea off Peru (region Nino 1+2), 1950 to 2010: a season, and years
    that break it.
    """
    table = need("load", "statsmodels.datasets").elnino.load_pandas().data
    first = int(table["YEAR"].iloc[0])
    values = _numbers(table.drop(columns="YEAR")).reshape(-1, 1)  # a year is a row: read row by row
    months = np.datetime64(f"{first}-01", "M") + np.arange(len(values))
    return Series(months.astype("datetime64[D]"), values, ("temperature",), "degrees Celsius", 12)


def seattle_weather() -> Series:
    """Daily rain, temperatures and wind in Seattle, 2012 to 2015. One of the four years has 366
    days.
    """
    table = need("load", "vega_datasets").data.seattle_weather()
    columns = ("precipitation", "temp_max", "temp_min", "wind")
    return Series(
        _days(table["date"]),
        _numbers(table[list(columns)]),
        columns,
        "mm, degrees Celsius, m/s",
        365,
    )


def stocks() -> Series:
    """Monthly prices of five shares, 2000 to 2010. NaN before a share was sold in public (GOOG:
    until August 2004).
    """
    table = (
        need("load", "vega_datasets")
        .data.stocks()
        .pivot(index="date", columns="symbol", values="price")
    )
    return Series(
        _days(table.index), _numbers(table), tuple(map(str, table.columns)), "US dollars", 1
    )


def _days(index: object) -> np.ndarray:
    return np.asarray(index).astype("datetime64[D]")


def _numbers(table: object) -> np.ndarray:
    """Values (L, D) float64, a copy: the table belongs to another package."""
    return np.array(table, np.float64)
