"""What varies between runs of one size and learning rate, and what it is.

Runs that differ in a setting are no repetitions of each other. A setting has few values, and the
same ones at most rates and sizes; what a run gives has other values at every rate, and is called
accordingly. Only what really looks like a setting is refused.
"""

from collections.abc import Collection

import numpy as np

from ...errors import TableError
from ...scaling import FloatArray
from ...statistics.table import Int64Array
from .attempts import Attempts
from .cells import Cells, combine_codes, encode, label
from .names import FIELD_NAMES, SCORES, ColumnName, read_name

# Words in the names of what a run gives, or of what only tells where and when it was.
_RESULT_WORDS = SCORES | {
    "loss", "nll", "ppl", "perplexity", "bpb", "bpc", "error", "err", "metric", "grad", "gradient",
    "time", "runtime", "duration", "elapsed", "seconds", "secs", "sec", "minutes", "hours",
    "walltime", "timestamp", "date", "datetime", "created", "updated", "started", "throughput",
    "speed", "sps", "tps", "mfu", "flops", "flop", "memory", "mem", "vram", "host", "hostname",
    "machine", "node", "user", "author", "id", "uuid", "uid", "hash", "commit", "sha", "pid", "job",
    "url", "uri", "link", "path", "dir", "logdir", "file", "filename", "checkpoint", "ckpt",
    "notes", "note", "description", "comment", "message", "index", "std", "sd", "sem", "stderr",
    "exit", "returncode", "retries", "attempts", "heartbeat", "decision",
}  # fmt: skip
_RESULT_NAMES = {
    "", "name", "run", "run_name", "trial_name", "display_name", "number", "row", "trial", "rank",
    "unnamed_0", "tags", "sweep", "gpu", "device", "end_time", "start_time", "worker", "order",
}  # fmt: skip
_NOT_RESULTS = {"fn", "type", "function", "kind", "name", "weight", "coef", "scale", "clip"}
_MOST_VALUES = 32  # of a setting
_MOSTLY, _USUAL = 0.9, 0.6  # shares of points


def check_varying(
    attempts: Attempts, cells: Cells, read: Collection[str], pooled: Collection[str]
) -> list[str]:
    """Return a note on what varies between runs of one size and learning rate.

    Arguments:
        attempts: The runs.
        cells: Their table.
        read: Columns that are read as fields.
        pooled: Columns of which the user wants all values together.

    Raises:
        TableError: If a column looks like a setting that tells unlike runs apart.
    """
    points = combine_codes(attempts.point, attempts.setting)
    repeated = np.bincount(points)[points] > 1
    if not repeated.any():
        return []
    rows, points, seeds = attempts.row[repeated], points[repeated], attempts.seed[repeated]
    settings, results = dict[str, str](), list[str]()
    for column in cells.columns:
        if column in read:
            continue
        labels = label(cells.columns[column])
        codes = labels.codes[rows]
        if column not in pooled and _varies_within(points, codes):
            name = read_name(column, list(cells.columns))
            if _is_setting(name, points, codes, seeds):
                values = [labels.names[code] for code in np.unique(codes[codes >= 0])]
                settings[column] = ", ".join(values[:5]) + (", …" if len(values) > 5 else "")
            else:
                results.append(column)
    if settings:
        raise TableError(_describe_settings(settings, cells))
    return [_note_results(results)] if results else []


def _varies_within(points: Int64Array, codes: Int64Array) -> bool:
    """Tell whether rows of one point have different values."""
    order = np.argsort(points, kind="stable")
    points, codes = points[order], codes[order]
    return bool(((points[1:] == points[:-1]) & (codes[1:] != codes[:-1])).any())


def _is_setting(name: ColumnName, points: Int64Array, codes: Int64Array, seeds: FloatArray) -> bool:
    """Tell whether a column that varies within points looks like a setting of unlike runs."""
    if _is_result(name) or _is_seed(name, codes, seeds):
        return False
    values = len(np.unique(codes))
    if values > _MOST_VALUES:
        return False
    if _tells_all_apart(points, seeds) and not _is_function(seeds, codes):
        return name.kind == "setting" and _is_crossed(points, codes)
    return _is_crossed(points, codes)


def _is_crossed(points: Int64Array, codes: Int64Array) -> bool:
    """Tell whether points have the same values of a column, each of them equally often.

    A grid over a setting gives every point its values; what a run gives falls as it may.
    """
    # counts[p, v]: rows of point p with value v, of the points at which the column varies.
    values = np.unique(codes, return_inverse=True)[1]
    shape = (int(points.max()) + 1, int(values.max()) + 1)
    counts = np.bincount(points * shape[1] + values, minlength=shape[0] * shape[1]).reshape(shape)
    made = int(counts.any(axis=1).sum())
    counts = counts[(counts > 0).sum(axis=1) > 1]
    has = counts > 0
    balanced = counts.max(axis=1) == np.where(has, counts, counts.max()).min(axis=1)
    if len(counts) < 2 or balanced.mean() < _MOSTLY:
        return False
    # Where runs repeat each value, their being balanced is no chance; else all points must vary.
    if len(counts) < _MOSTLY * made and np.median(counts[has]) < 2:
        return False
    usual = np.unique(has, axis=0, return_counts=True)[1].max() / len(has)
    return bool(usual >= _USUAL or (shape[1] > 3 and has.sum(axis=1).mean() >= shape[1] / 2))


def _tells_all_apart(points: Int64Array, seeds: FloatArray) -> bool:
    """Tell whether seeds are known and no two rows of a point share one."""
    if np.isnan(seeds).any():
        return False
    return bool(combine_codes(points, encode(seeds)).max() + 1 == len(points))


def _is_function(seeds: FloatArray, codes: Int64Array) -> bool:
    """Tell whether all rows of one seed have one value."""
    seed = encode(seeds)
    return bool(combine_codes(seed, codes).max() == seed.max())


def _is_result(name: ColumnName) -> bool:
    """Tell whether a column is called like something that a run gives.

    Example:
        >>> [_is_result(read_name(n)) for n in ("train_loss", "_runtime", "loss_type", "use_mup")]
        [True, True, False, False]
    """
    if name.kind == "metric":
        return True
    usual = {term for field in ("id", "index", "state") for t in FIELD_NAMES[field] for term in t}
    words = set(name.terms[-1].split("_"))
    named = set(name.terms) & (_RESULT_NAMES | usual)
    return bool(named) or bool(words & _RESULT_WORDS and not words & _NOT_RESULTS)


def _is_seed(name: ColumnName, codes: Int64Array, seeds: FloatArray) -> bool:
    """Tell whether a column is another seed: by its name, or it goes with the seed one to one."""
    if "seed" in name.terms[-1].split("_"):
        return True
    if np.isnan(seeds).any():
        return False
    seed = encode(seeds)
    pairs = combine_codes(seed, codes).max() + 1
    return bool(pairs == seed.max() + 1 == len(np.unique(codes)))


def _describe_settings(settings: dict[str, str], cells: Cells) -> str:
    first = next(iter(settings))
    value = settings[first].split(", ")[0]
    told = "; ".join(f"{column} ({values})" for column, values in settings.items())
    return (
        f"runs: got runs of one size and learning rate in {cells.name} that differ in what looks "
        f"like a setting: {told}, wanted repetitions that differ by the seed alone. Judge one with "
        f"--where {first}={value}, or each with --group-by {first}; if it is the seed, say "
        f"--columns seed={first}; --where '{first}=*' takes all together."
    )


def _note_results(results: list[str]) -> str:
    shown = ", ".join(results[:6]) + (f" and {len(results) - 6} more" if len(results) > 6 else "")
    verb = "differs" if len(results) == 1 else "differ"
    return (
        f"{shown} {verb} between runs of one size and learning rate, taken for what runs give and "
        "not for a setting"
    )
