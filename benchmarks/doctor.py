"""How well does the doctor find what is wrong? Run by `make bench-doctor`.

All whole programs of the zoo, sick and mended, and the well ones that look odd, with fresh seeds,
other sizes and other learning rates than those that thresholds were chosen on.

sick        found: any finding above a remark; named first, named in three: the right one; wrong
            proof: the first finding is a proof and not a right one
left out    the same with the examinations of the right finding's family left out: is anything
            found by others, and is it named otherwise, by a finding that neither says that the
            cause is not recognised nor follows from the right one
well        mended twins and odd ones: any finding above a remark is a false alarm
forum       the same for the programs of tests/corpora/forum, which were written without a look at
            the zoo
folklore    what one is told to try first, on the same programs: can it fit one batch, is the loss
            at the start that of a guess, are gradients of all parameters of one order

It takes long. ``--part 0/3`` makes one of three parts of it, ``--join`` puts files of parts
together; ``--keep FOLDER --seconds 600`` stores the rows of each run, and goes on from them at the
next call.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from lstm_ref.zoo.programs import Case, SickProgram, WellProgram, programs, well
from lstm_ref.zoo.programs.registry import kept_random_state

ROOT = Path(__file__).parents[1]
FIRST_SEED = 1000  # thresholds and tests use seeds below it
SIZES: tuple[dict[str, Any], ...] = (
    {},
    {"N": 5, "T": 9},
    {"N": 24, "H": 24},
    {"T": 20, "H": 8, "depth": 2},
    {"dtype": "float64", "N": 7},
    {"D": 8, "T": 15, "E": 12},
)
RATES = (1.0, 0.1, 10.0)
# Where the size of a step is the fault, another rate would mend it: these keep the one they have.
OF_THE_RATE = {"update-too-large", "update-too-small", "diverges", "loss-sums"}
# Sick in one setting and harmless in another: its finding is a remark while Adam hides it.
REMARKED = {"out_sum"}
# Findings that name no cause.
KNOW_NO_CAUSE = ("relations", "swaps")
NOT_RECOGNISED = {"cannot-fit-one-batch", "does-not-generalise", "diverges"}
FIT_STEPS = 100
FITTED = 0.1  # of the loss at the start
GUESS = 0.3  # by which the loss at the start may be off that of a guess
RATIO = 1e-4  # between the smallest and the largest gradient of a parameter, by root mean square

Program = SickProgram | WellProgram


def settings(program: Program, count: int, first: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Seeds and sizes for a program, of those sizes that it has; programs begin at different ones,
    so that few runs have all.
    """
    known, begin = program.sizes, sum(map(ord, program.id))
    for k in range(first, first + count):
        sizes = {name: v for name, v in SIZES[(begin + k) % len(SIZES)].items() if name in known}
        if "rate" in known and not OF_THE_RATE & set(getattr(program, "finding", ())):
            sizes["rate"] = known["rate"] * RATES[(begin + k) % len(RATES)]
        yield FIRST_SEED + k, sizes


def examine(case: Case, skip: tuple[str, ...] = ()) -> tuple[list[tuple[str, str]], float]:
    """What the doctor finds, as ids and certainties, and the processor time that it takes."""
    began = time.process_time()
    report = case.examine(skip=skip) if skip else case.examine()
    found = [(finding.id, finding.certainty) for finding in report]
    return found, time.process_time() - began


def judge(
    found: list[tuple[str, str]], right: tuple[str, ...], remarks: bool = False
) -> dict[str, bool]:
    """What a list of findings is worth where these are right; with remarks or without."""
    counted = [(id, certainty) for id, certainty in found if certainty != "remark" or remarks]
    ids = [id for id, _ in counted]
    return {
        "found": bool(ids),
        "first": bool(ids) and ids[0] in right,
        "in three": any(id in right for id in ids[:3]),
        "wrong proof": bool(ids) and ids[0] not in right and counted[0][1] == "proof",
    }


def named_otherwise(found: list[tuple[str, str]], right: tuple[str, ...]) -> bool:
    """Whether the first finding says another cause: it is not right, does not follow from what is
    right, and does not say that it is not recognised.
    """
    from lstm_ref.doctor.catalogue import CATALOGUE
    from lstm_ref.doctor.run import EXPLAINS

    unknown = {id for id, entry in CATALOGUE.items() if entry.family in KNOW_NO_CAUSE}
    ids = [id for id, certainty in found if certainty != "remark"]
    known = NOT_RECOGNISED.union(unknown, right, *(EXPLAINS[id] for id in right))
    return bool(ids) and ids[0] not in known


def sick_runs(
    entries: Iterable[SickProgram], count: int, left_out: bool = True, first: int = 0
) -> Iterator[dict[str, Any]]:
    """Each sick program with its settings, examined with and without the family of the right
    finding.
    """
    from lstm_ref.doctor.catalogue import CATALOGUE

    for entry in entries:
        families = tuple(sorted({CATALOGUE[id].family for id in entry.finding}))
        for k, (seed, sizes) in enumerate(settings(entry, count, first), first):
            found, seconds = examine(entry.make(True, seed, **sizes))
            row = {
                "id": entry.id,
                "seed": seed,
                "sizes": sizes,
                "seconds": seconds,
                "findings": found,
            }
            row |= judge(found, entry.finding, entry.id in REMARKED)
            if k == 0 and left_out:
                left, _ = examine(entry.make(True, seed, **sizes), families)
                row["left out"] = {
                    "findings": left,
                    **judge(left, entry.finding),
                    "named otherwise": named_otherwise(left, entry.finding),
                }
            yield row


def well_runs(entries: Iterable[Program], count: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """Each well program with its settings."""
    for entry in entries:
        for seed, sizes in settings(entry, count, first):
            case = (
                entry.make(False, seed, **sizes)
                if isinstance(entry, SickProgram)
                else entry.make(seed, **sizes)
            )
            found, seconds = examine(case)
            alarm = [id for id, certainty in found if certainty != "remark"]
            yield {"id": entry.id, "seed": seed, "sizes": sizes, "seconds": seconds, "alarm": alarm}


def forum_entries(framework: str) -> list[tuple[Any, str]]:
    """The collections of the forum and the names of their programs, sick and well."""
    folder = ROOT / "tests" / "corpora" / "forum"
    names = sorted(path.stem for path in folder.glob(f"programs_{framework}*.py"))
    collections = [importlib.import_module(f"tests.corpora.forum.{name}") for name in names]
    return [(one, name) for one in collections for name in (*one.SICK, *one.WELL)]


def forum_runs(collection: Any, name: str, seeds: Iterable[int]) -> Iterator[dict[str, Any]]:
    """A program of the forum with these seeds; sizes follow the seed."""
    from lstm_ref.doctor import examine as examine_program

    for seed in seeds:
        arguments, right = collection.make(name, seed)
        report = examine_program(**arguments)
        found = [(finding.id, finding.certainty) for finding in report]
        row = {"id": name, "seed": seed, "seconds": report.seconds, "findings": found}
        alarm = [id for id, certainty in found if certainty != "remark"]
        yield row | (judge(found, right) if right else {"alarm": alarm})


def mended(framework: str) -> list[SickProgram]:
    """One entry for each source: all entries of a source have the same mended twin."""
    return list({entry.plain: entry for entry in programs(framework)}.values())


def folklore(case: Case) -> dict[str, bool]:
    """Which of the usual first tests raise an alarm, for a program in PyTorch."""
    import torch

    x, y = case.batch
    inputs = x if isinstance(x, tuple) else (x,)
    losses = []
    parameters = [p for p in case.model.parameters() if p.requires_grad]
    for k in range(FIT_STEPS):
        case.model.zero_grad()
        loss = case.loss(case.model(*inputs), y)
        losses.append(float(loss))
        loss.backward()
        if k == 0:
            sizes = [float(p.grad.square().mean().sqrt()) for p in parameters if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        case.optimizer.step()
    start, end = losses[0], losses[-1]
    labels = y if hasattr(y, "dtype") and not y.is_floating_point() else None
    guess = math.log(int(labels.max()) + 1) if labels is not None and labels.max() > 0 else None
    return {
        "one batch": not end < FITTED * start,
        "loss at start": guess is not None and not abs(start - guess) < GUESS * guess,
        "gradient ratios": not sizes
        or not min(sizes) > RATIO * max(sizes)
        or len(sizes) < len(parameters),
    }


def try_folklore(make: Callable[[], Case], seed: int) -> dict[str, bool] | None:
    """As `folklore`; an error is an alarm of all, where the test does not apply at all it is
    None.
    """
    with kept_random_state("torch", seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return folklore(make())
        except (RuntimeError, ValueError):
            return dict.fromkeys(("one batch", "loss at start", "gradient ratios"), True)
        except (AttributeError, TypeError):
            return None  # dicts go in or come out: nobody's recipe covers that


def folklore_table() -> dict[str, dict[str, float]]:
    """Share of sick and of well programs in PyTorch for which each test raises an alarm."""
    kinds = {
        "sick": [lambda e=e: e.make(True, FIRST_SEED) for e in programs("torch")],
        "well": [lambda e=e: e.make(False, FIRST_SEED) for e in mended("torch")]
        + [lambda e=e: e.make(FIRST_SEED) for e in well("torch")],
    }
    table: dict[str, dict[str, float]] = {}
    for kind, makes in kinds.items():
        rows = [row for make in makes if (row := try_folklore(make, FIRST_SEED)) is not None]
        table[kind] = {name: share(rows, name) for name in rows[0]} | {"programs": len(rows)}
    return table


def share(rows: list[dict[str, Any]], name: str) -> float:
    """Share of the rows in which ``name`` holds."""
    return float(np.mean([row[name] for row in rows])) if rows else math.nan


def summary(sick: list[dict[str, Any]], healthy: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares over all runs, and times."""
    left = [row["left out"] for row in sick if "left out" in row]
    seconds = [row["seconds"] for row in (*sick, *healthy)]
    return {
        "programs": len({row["id"] for row in sick}),
        "runs": len(sick),
        **{name: share(sick, name) for name in ("found", "first", "in three", "wrong proof")},
        **(
            {
                f"family left out: {name}": share(left, name)
                for name in ("found", "named otherwise", "wrong proof")
            }
            if left
            else {}
        ),
        "well runs": len(healthy),
        "false alarms": float(np.mean([bool(row["alarm"]) for row in healthy]))
        if healthy
        else math.nan,
        "median seconds": float(np.median(seconds)),
        "longest seconds": float(np.max(seconds)),
    }


def by_family(sick: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Shares for each family of faults."""
    family = {entry.id: entry.family for entry in programs()}
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sick:
        groups[family[row["id"]]].append(row)
    names = ("found", "first", "in three", "wrong proof")
    return {
        name: {"runs": len(rows)}
        | {each: share(rows, each) for each in names}
        | left_out_shares([row["left out"] for row in rows if "left out" in row])
        for name, rows in sorted(groups.items())
    }


def left_out_shares(rows: list[dict[str, Any]]) -> dict[str, float]:
    """What is found of a family by the examinations of others, and how much by another name."""
    names = ("found", "named otherwise")
    shares: dict[str, float] = {f"left out: {each}": share(rows, each) for each in names}
    return shares | {"left out: programs": len(rows)} if rows else {}


def symptoms(entries: Iterable[SickProgram], seeds: range) -> dict[str, Any]:
    """Each symptom over some seeds, for programs whose tests run one seed only."""
    found = {}
    for entry in entries:
        sick = [entry.measure(True, seed) for seed in seeds]
        right = [entry.measure(False, seed) for seed in seeds]
        holds = max(right) < entry.limit < min(sick)
        found[entry.id] = {"sick": sick, "mended": right, "limit": entry.limit, "holds": holds}
    return found


Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Store:
    """Rows of the runs that were made, in a folder, so that a long bench may be cut in two.

    Parameters
    ----------
    folder : where to keep them; None keeps nothing
    until : time.monotonic() after which no further run is begun
    left : how many were not begun
    """

    folder: Path | None = None
    until: float = math.inf
    left: int = 0

    def rows(self, key: str, make: Callable[[], Iterable[dict[str, Any]]]) -> list[dict[str, Any]]:
        """The rows of one run, kept or made now; none where time is over."""
        path = self.folder / f"{key}.json" if self.folder is not None else None
        if path is not None and path.exists():
            kept: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
            return kept
        if time.monotonic() > self.until:
            self.left += 1
            return []
        made = list(make())
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(made, default=str), encoding="utf-8")
        return made


def measure(
    framework: str, count: int, well_count: int, part: slice, left_out: bool, store: Store
) -> Rows:
    """All rows of one framework, or of a part of its programs."""
    odd: list[Program] = [*mended(framework), *well(framework)]
    rows: Rows = {"sick": [], "well": []}
    for k in range(count):
        for entry in programs(framework)[part]:
            make = partial(sick_runs, [entry], 1, left_out, k)
            rows["sick"] += store.rows(f"sick-{entry.id}-{k}", make)
    for k in range(well_count):
        for one in odd[part]:
            rows["well"] += store.rows(f"well-{one.id}-{k}", partial(well_runs, [one], 1, k))
    return rows


def measure_forum(framework: str, seeds: range, part: slice, store: Store) -> Rows:
    """All rows of the programs of the forum."""
    rows = []
    for seed, (collection, name) in product(seeds, forum_entries(framework)[part]):
        make = partial(forum_runs, collection, name, [seed])
        rows += store.rows(f"forum-{framework}-{name}-{seed}", make)
    return {
        "sick": [r for r in rows if "alarm" not in r],
        "well": [r for r in rows if "alarm" in r],
    }


def table(rows: Rows, families: bool) -> dict[str, Any]:
    """The whole table of one framework."""
    sick, healthy = rows["sick"], rows["well"]
    return {
        "summary": summary(sick, healthy),
        "families": by_family(sick) if families else {},
        "not named first": [row for row in sick if not row["first"]],
        "family left out": {r["id"]: r["left out"]["findings"] for r in sick if "left out" in r},
        "false alarms": [row for row in healthy if row["alarm"]],
    }


def well_together(rows: dict[str, Rows]) -> dict[str, float]:
    """Runs of well programs and false alarms over all frameworks."""
    alarms = [bool(row["alarm"]) for one in rows.values() for row in one["well"]]
    return {"runs": len(alarms), "false alarms": float(np.mean(alarms)) if alarms else math.nan}


def show(framework: str, table: dict[str, Any]) -> None:
    """Print the summary and the families."""
    print(f"\n{framework}")
    for name, value in table["summary"].items():
        print(f"  {name:30} {value:.3f}" if isinstance(value, float) else f"  {name:30} {value}")
    for family, row in table["families"].items():
        shares = "  ".join(
            f"{name} {value:.0%}" for name, value in row.items() if isinstance(value, float)
        )
        print(f"  {family:10} {row['runs']:4} runs  {shares}", flush=True)


def arguments() -> argparse.Namespace:
    """What the command is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=int, default=6, help="settings for each sick program in NumPy and PyTorch"
    )
    parser.add_argument(
        "--well-runs", type=int, default=12, help="settings for each well program there"
    )
    parser.add_argument(
        "--keras-runs", type=int, default=2, help="settings for each program in Keras; 0: none"
    )
    parser.add_argument(
        "--forum-runs", type=int, default=5, help="seeds for the programs of the forum in PyTorch"
    )
    parser.add_argument("--keras-forum-runs", type=int, default=2, help="the same in Keras")
    parser.add_argument(
        "--symptom-seeds", type=int, default=3, help="for the symptoms of the programs"
    )
    parser.add_argument(
        "--folklore", action=argparse.BooleanOptionalAction, default=True, help="usual first tests"
    )
    parser.add_argument(
        "--frameworks", nargs="*", default=["numpy", "torch", "keras"], help="whose zoo is examined"
    )
    in_pieces(parser)
    return parser.parse_args()


def in_pieces(parser: argparse.ArgumentParser) -> None:
    """Where it is written, and how it is cut."""
    parser.add_argument(
        "--part",
        default="0/1",
        help="K/N: every N-th program, from the K-th on; N files for --join",
    )
    parser.add_argument(
        "--join", type=Path, nargs="*", default=(), help="files of parts, instead of measuring"
    )
    parser.add_argument("--keep", type=Path, help="folder for the rows of each run")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="after which no further run is begun"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "doctor.json")


def part_of(options: argparse.Namespace) -> dict[str, Any]:
    """What is measured, as rows."""
    first, step = (int(number) for number in options.part.split("/"))
    store = Store(options.keep, time.monotonic() + options.seconds)
    part = slice(first, None, step)
    usual = (options.runs, options.well_runs)
    counts = {"numpy": usual, "torch": usual, "keras": (options.keras_runs, options.keras_runs)}
    rows, found = {}, {}
    for framework, (count, well_count) in counts.items():
        if count and framework in options.frameworks:
            left_out = framework != "keras"
            rows[framework] = measure(framework, count, well_count, part, left_out, store)
            if options.symptom_seeds:
                found[framework] = symptoms(programs(framework)[part], range(options.symptom_seeds))
    for framework, count in (("torch", options.forum_runs), ("keras", options.keras_forum_runs)):
        if count:
            seeds = range(FIRST_SEED, FIRST_SEED + count)
            rows[f"forum, {framework}"] = measure_forum(framework, seeds, part, store)
    if store.left:
        print(f"{store.left} runs left to measure")
    lore = folklore_table() if options.folklore and first == 0 else {}
    settings = {
        name: value for name, value in vars(options).items() if isinstance(value, int | str | list)
    }
    return {"settings": settings, "rows": rows, "symptoms": found, "folklore": lore}


def joined(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One record of several parts."""
    whole: dict[str, Any] = {"settings": [], "rows": {}, "symptoms": {}, "folklore": {}}
    for part in parts:
        whole["settings"].append(part["settings"])
        whole["folklore"] |= part["folklore"]
        for framework, found in part["symptoms"].items():
            whole["symptoms"].setdefault(framework, {}).update(found)
        for framework, rows in part["rows"].items():
            mine = whole["rows"].setdefault(framework, {"sick": [], "well": []})
            for kind, some in rows.items():
                mine[kind].extend(some)
    return whole


def main() -> None:
    """Measure, print, write."""
    options = arguments()
    warnings.simplefilter("ignore")
    if not options.join and options.part != "0/1":
        options.out.write_text(json.dumps(part_of(options), default=str) + "\n", encoding="utf-8")
        return
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in options.join] or [
        part_of(options)
    ]
    record = joined(parts)
    report: dict[str, Any] = {"machine": machine("numpy", "torch", "keras", "tensorflow-cpu")}
    report["settings"] = record["settings"]
    for framework, rows in record["rows"].items():
        report[framework] = table(rows, not framework.startswith("forum"))
        show(framework, report[framework])
    report["all well runs"] = well_together(record["rows"])
    print("\nall well runs", report["all well runs"])
    if record["folklore"]:
        report["folklore, PyTorch"] = record["folklore"]
    for framework, found in record["symptoms"].items():
        report[f"symptoms, {framework}"] = found
    options.out.write_text(json.dumps(report, indent=1, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
