"""Tables of runs that are wrong in one or two ways, drawn at random."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from .case import ODD_NUMBERS, WrongInput

Row = dict[str, str]

ODD_CELLS = (
    *ODD_NUMBERS, "diverged", "NaN", "N/A", "null", "-", "70M", "1.2e9", "2^18", "0,0078",
    "1.000,5", "3.2 ", "3.2 nats", "#REF!", "=1+1", "TRUE", "2026-11-30", '"', "'", '"3.2', "a,b",
    "\ufeff3.2",
)  # fmt: skip
ODD_HEADERS = (
    "lr", "loss", "width", "seed", "", " ", "learning_rate", "val_loss", "train/lr", "metrics.lr",
    "params.lr", "config.lr", "epoch", "step", "iter", "state", "status", "diverged", "log2_lr",
    "loss_std", "accuracy", "name", "bs", "weight_decay", "created_at", "runtime", "x" * 2000,
    "\x1b[31m", "trial_id", "run_id", "d_model", "n_params", "#", "loss,",
)  # fmt: skip
STATES = (
    "finished", "FINISHED", "crashed", "Failed", "running", "ERROR", "TIMEOUT", "diverged", "nan",
    "TrialState.PRUNED", "OUT_OF_MEMORY", "COMPLETED", "ok", "done", "0", "1", "", "InProgress",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table on its way to a file.

    Attributes:
        columns: Names, in order.
        rows: Cells by column.
        delimiter: Between the cells of a text file.
        header: Whether names stand in the first line.
        rows_known: Whether the number of rows in the file is that of `rows`.
        edit: What happens to the bytes of the file.
        arguments: Options that go with it.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    delimiter: str = ","
    header: bool = True
    rows_known: bool = True
    edit: Callable[[bytes], bytes] = bytes
    arguments: tuple[str, ...] = ()


def make_tables(random: Random, count: int) -> Iterator[WrongInput]:
    """Draw tables, each wrong in one or two ways."""
    for _ in range(count):
        chosen = random.sample(CHANGES, random.choice((1, 1, 2)))
        table = make_sound_table(random)
        for change in chosen:
            table = change(table, random)
        name, content = random.choice(WRITERS)(table)
        yield WrongInput(
            kind=" and ".join(change.__name__.strip("_") for change in chosen) + f" in {name}",
            arguments=("verdict", name, "--json", *table.arguments),
            files={name: table.edit(content)},
            rows=len(table.rows) if table.rows_known else None,
        )


def make_sound_table(random: Random) -> Table:
    """Return runs on parabolas of three widths, seven rates and three seeds."""
    rows = tuple(
        {
            "width": str(width),
            "lr": repr(2.0**x),
            "seed": str(seed),
            "loss": repr(round(3 + 0.03 * (x + 7) ** 2 + random.gauss(0, 0.003), 5)),
        }
        for width in (64, 128, 256)
        for x in range(-10, -3)
        for seed in range(3)
    )
    return Table(columns=tuple(rows[0]), rows=rows)


def _odd_cells(table: Table, random: Random) -> Table:
    column, cell = random.choice(table.columns), random.choice(ODD_CELLS)
    share = random.choice((0.02, 0.3, 1.0))
    rows = tuple(row | {column: cell} if random.random() < share else row for row in table.rows)
    # A lone quotation mark may swallow lines, of which the reader cannot know.
    return replace(table, rows=rows, rows_known=table.rows_known and '"' not in cell)


def _odd_headers(table: Table, random: Random) -> Table:
    old, new = random.choice(table.columns), random.choice(ODD_HEADERS)
    columns = tuple(new if column == old else column for column in table.columns)
    return replace(table, columns=columns, rows=_rename(table.rows, old, new))


def _further_column(table: Table, random: Random) -> Table:
    name = random.choice(ODD_HEADERS)
    pool = random.choice((STATES, ODD_CELLS, tuple("0123"), ("0.001",), ("true", "false", "")))
    rows = tuple(row | {name: random.choice(pool)} for row in table.rows)
    return replace(table, columns=(*table.columns, name), rows=rows)


def _missing_column(table: Table, random: Random) -> Table:
    gone = random.choice(table.columns)
    return replace(table, columns=tuple(name for name in table.columns if name != gone))


def _states(table: Table, random: Random) -> Table:
    name = random.choice(("state", "status", "State", "Status", "_wandb_state"))
    rows = tuple(row | {name: random.choice(STATES)} for row in table.rows)
    return replace(table, columns=(*table.columns, name), rows=rows)


def _histories(table: Table, random: Random) -> Table:
    name = random.choice(("iter", "iteration", "step", "_step", "epoch", "training_iteration"))
    rows = tuple(row | {name: str(k)} for row in table.rows for k in (100, 200))
    return replace(table, columns=(*table.columns, name), rows=rows)


def _repeated_rows(table: Table, random: Random) -> Table:
    return replace(table, rows=(*table.rows, *random.choices(table.rows, k=10)))


def _few_rows(table: Table, random: Random) -> Table:
    return replace(table, rows=tuple(random.sample(table.rows, random.randrange(12))))


def _other_delimiter(table: Table, random: Random) -> Table:
    return replace(table, delimiter=random.choice(";\t|: ~"))


def _no_header(table: Table, random: Random) -> Table:
    return replace(table, header=False, rows_known=False)


def _extra_cells(table: Table, random: Random) -> Table:
    bad = random.randrange(len(table.rows) or 1)
    edit = _edit_line(bad + 1, lambda line: line.rstrip(b"\n") + b",1,2\n")
    return replace(table, edit=edit, rows_known=False)


def _short_rows(table: Table, random: Random) -> Table:
    bad = random.randrange(len(table.rows) or 1)
    edit = _edit_line(bad + 1, lambda line: line.partition(b",")[0] + b"\n")
    return replace(table, edit=edit, rows_known=False)


def _open_quotation(table: Table, random: Random) -> Table:
    bad = random.randrange(len(table.rows) or 1)
    edit = _edit_line(bad + 1, lambda line: b'"' + line)
    return replace(table, edit=edit, rows_known=False)


def _damaged_bytes(table: Table, random: Random) -> Table:
    seed = random.random()
    return replace(table, edit=lambda content: _damage(content, Random(seed)), rows_known=False)


def _other_encoding(table: Table, random: Random) -> Table:
    encoding = random.choice(("utf-16", "utf-16-le", "utf-8-sig", "utf-32", "cp037"))
    return replace(
        table, edit=lambda content: content.decode(errors="replace").encode(encoding, "replace"),
        rows_known=False,
    )  # fmt: skip


def _compressed(table: Table, random: Random) -> Table:
    return replace(table, edit=gzip.compress, rows_known=False)


def _comments(table: Table, random: Random) -> Table:
    line = random.choice((b"# made by hand\n", b"sep=,\n", b"\n\n", b"Results of Monday\n"))
    return replace(table, edit=lambda content: line + content, rows_known=False)


def _odd_options(table: Table, random: Random) -> Table:
    name = random.choice(("--target", "--base", "--tolerance-regret", "--tolerance-regret-abs"))
    return replace(table, arguments=(name, random.choice(ODD_NUMBERS)))


def _odd_columns(table: Table, random: Random) -> Table:
    value = random.choice((
        "width=loss", "loss=width", "lr=seed", "width=width", "loss=", "=loss", "x=y",
        "lr=lr,lr=lr", "width", ",", "seed=loss", "scheme=lr", "loss=loss,lr=loss",
        "width=no_such",
    ))  # fmt: skip
    return replace(table, arguments=("--columns", value))


def _odd_selection(table: Table, random: Random) -> Table:
    option = random.choice(("--where", "--group-by", "--along"))
    value = random.choice((
        "seed=0",
        "seed=9",
        "lr",
        "loss",
        "width=64",
        "",
        "=",
        "no=1",
        "seed,lr",
    ))
    return replace(table, arguments=(option, value), rows_known=option != "--where")


CHANGES = (
    _odd_cells, _odd_cells, _odd_cells, _odd_headers, _further_column, _further_column,
    _missing_column, _states, _histories, _repeated_rows, _few_rows, _other_delimiter, _no_header,
    _extra_cells, _short_rows, _open_quotation, _damaged_bytes, _other_encoding, _compressed,
    _comments, _odd_options, _odd_columns, _odd_selection,
)  # fmt: skip


def _write_text(table: Table) -> tuple[str, bytes]:
    lines = [table.columns] if table.header else []
    lines += [tuple(row.get(name, "") for name in table.columns) for row in table.rows]
    text = "".join(table.delimiter.join(_quote(cell, table.delimiter) for cell in line) + "\n"
                   for line in lines)  # fmt: skip
    return "runs.csv", text.encode()


def _write_json_lines(table: Table) -> tuple[str, bytes]:
    return "runs.jsonl", "".join(json.dumps(row) + "\n" for row in _objects(table)).encode()


def _write_json(table: Table) -> tuple[str, bytes]:
    return "runs.json", json.dumps(_objects(table)).encode()


WRITERS = (_write_text, _write_text, _write_text, _write_json_lines, _write_json)


def _objects(table: Table) -> list[dict[str, object]]:
    return [{name: _read(row.get(name, "")) for name in table.columns} for row in table.rows]


def _read(cell: str) -> object:
    """Return a cell as JSON would hold it: a number, true, an object, or the text."""
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _quote(cell: str, delimiter: str) -> str:
    return f'"{cell}"' if delimiter in cell and '"' not in cell else cell


def _rename(rows: tuple[Row, ...], old: str, new: str) -> tuple[Row, ...]:
    return tuple({new if key == old else key: cell for key, cell in row.items()} for row in rows)


def _edit_line(number: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return b"".join(change(line) if i == number else line for i, line in enumerate(lines))

    return edit


def _damage(content: bytes, random: Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(random.choice((1, 5, 50))):
        damaged[random.randrange(len(damaged))] = random.randrange(256)
    return bytes(damaged[: random.randrange(1, len(damaged) + 1)])
