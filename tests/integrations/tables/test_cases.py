"""Tables as people have them: each once misled, and comes out right or is refused by name."""

import math
from pathlib import Path

import pytest

from lrtransfer.errors import TableError

from .synthetic import is_right, judge_text, loss_at, notes, points, write

DIVERGING = 2.0**-6  # above this rate the runs of these tables diverge


def diverging(blank: str) -> list[tuple[int, float, str, str]]:
    return [
        (w, lr, "diverged", blank) if lr > DIVERGING else (w, lr, "completed", str(loss))
        for w, lr, loss in points()
    ]


READ = {
    "the setting goes before the metric": (
        write("metrics.lr,metrics.val_loss,params.lr,params.width",
              ((lr / 10, loss, lr, w) for w, lr, loss in points())),
        "read lr from column 'params.lr'",
    ),
    "summary before config": (
        write("summary.learning_rate,config.learning_rate,config.d_model,summary.loss",
              ((lr / 10, lr, w, loss) for w, lr, loss in points())),
        "read lr from column 'config.learning_rate'",
    ),
    "a rate that a schedule brought to nothing": (
        write("width,lr,learning_rate,loss", ((w, 0, lr, loss) for w, lr, loss in points())),
        "read lr from column 'learning_rate'",
    ),
    "a history": (
        write("width,lr,iter,loss",
              ((w, lr, t, loss + 400 / t) for w, lr, loss in points() for t in (400, 800, 1600))),
        "42 earlier rows are left out: where 'iter' goes on, the last row of a run counts",
    ),
    "a status of divergence": (
        write("width,lr,status,loss", diverging("")),
        "6 runs are said to have diverged",
    ),
    "a flag of divergence": (
        write("width,lr,diverged,loss",
              ((w, lr, lr > DIVERGING, 11.0 if lr > DIVERGING else x) for w, lr, x in points())),
        "6 runs are said to have diverged",
    ),
    "an infinity of MLflow": (
        write("width,lr,loss",
              ((w, lr, 1.7976931348623157e308 if lr > DIVERGING else x) for w, lr, x in points())),
        "6 losses are beyond 3.4e+38",
    ),
    "lengths that jitter": (
        write("width,lr,_step,loss",
              ((w, lr, 2000 + i % 3, x) for i, (w, lr, x) in enumerate(points()))),
        "steps within 1 % of each other",
    ),
    "sizes as words": (
        write("model,lr,eval loss",
              (({64: "70M", 128: "160m", 256: "0.41B"}[w], lr, x) for w, lr, x in points())),
        "read width from column 'model', as the size that grows",
    ),
    "sizes in names": (
        write("model,lr,loss",
              (({64: "pythia-70m", 128: "pythia-160m", 256: "b-1.3b"}[w], lr, x)
               for w, lr, x in points())),
        "read width from column 'model', as the size that grows",
    ),
    "a dashboard of Optuna": (
        write("Number,State,Value,Param lr,Param width,UserAttribute seed",
              ((i, "Complete", x, lr, w, 0) for i, (w, lr, x) in enumerate(points()))),
        "read lr from column 'Param lr'",
    ),
    "decimal commas": (
        "width;lr;loss\n" + "".join(f"{w};{lr};{x}\n".replace(".", ",") for w, lr, x in points()),
        "numbers are read with a decimal comma",
    ),
    "quoted decimal commas": (
        "width,lr,loss\n"
        + "".join(f'{w},"{lr}","{x}"\n'.replace(".", ",") for w, lr, x in points()),
        "numbers are read with a decimal comma",
    ),
    "means with their spread": (
        write("width,lr,loss,loss_std", ((w, lr, x, 0.004) for w, lr, x in points())),
        "read the noise of the losses from column 'loss_std'",
    ),
    "rates as logarithms": (
        write("width,log10_lr,loss",
              ((w, f"{math.log10(lr):.12f}", x) for w, lr, x in points())),
        "read lr from column 'log10_lr', as powers of 10",
    ),
    "names of a configuration": (
        write("model.d_model,optim.lr,eval/loss,bs", ((w, lr, x, 64) for w, lr, x in points())),
        "read batch from column 'bs'",
    ),
    "powers": (
        write("n_params,lr,loss",
              ((f"2^{w.bit_length() + 20}", f"2**{x}", loss_at(w, x))
               for w in (64, 128, 256) for x in range(-10, -3))),
        "read width from column 'n_params', as the size that grows",
    ),
    "a state that is none": (
        write("width,lr,state,loss",
              ((w, lr, "NY" if i % 2 else "CA", x) for i, (w, lr, x) in enumerate(points()))),
        "",
    ),
    "an empty line and a comment": (
        "# made by hand\n" + write("width,lr,loss", points()).replace("\n128,", "\n\n128,", 1),
        "1 comment lines are skipped",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_is_read_rightly(name: str, tmp_path: Path) -> None:
    text, note = READ[name]
    answer = judge_text(tmp_path, text)
    assert is_right(answer)
    assert note in notes(answer)


def test_only_finished_states_count(tmp_path: Path) -> None:
    states = {-10: "ERROR", -7: "TIMEOUT", -4: "who knows"}
    rows = (
        (states.get(x, "TERMINATED") if w == 64 else "TERMINATED", w, 2.0**x,
         1.0 if w == 64 and x in states else loss_at(w, x))
        for w in (64, 128, 256) for x in range(-10, -3)
    )  # fmt: skip
    answer = judge_text(tmp_path, write("status,width,lr,loss", rows))
    assert len(answer.table) == 18
    for state in ("error", "timeout", "who knows"):
        assert f"1 rows are called {state}, and count as not made" in answer.warnings


REFUSED = {
    "a scheduled rate beside the one set": (
        write("learning_rate,n_embd,lr,val/loss", ((lr, w, lr / 10, x) for w, lr, x in points())),
        r"may be the lr and differ: 'lr' \(9.76.*'learning_rate' .* --columns lr=learning_rate",
    ),
    "only a logged rate": (
        write("metrics.lr,params.width,metrics.loss", ((lr, w, x) for w, lr, x in points())),
        "'metrics.lr' as the only learning rate, a logged one",
    ),
    "a logged rate of every step": (
        write("width,learning_rate,step,loss",
              ((w, lr * (1 - t / 97), t, x) for w, lr, x in points() for t in range(1, 97, 8))),
        "a learning rate that changes from row to row where 'step' goes on",
    ),
    "a name twice": (
        write("width,lr,loss,lr", ((w, lr, x, lr / 10) for w, lr, x in points())),
        "2 columns named 'lr' in runs.csv",
    ),
    "a name twice, as pandas writes it": (
        write("width,lr,loss,lr.1", ((w, lr, x, lr / 10) for w, lr, x in points())),
        r"may be the lr and differ: 'lr' .* and 'lr.1'",
    ),
    "two settings": (
        write("width,lr,use_mup,loss", ((w, lr, m, x) for m in (1, 0) for w, lr, x in points())),
        r"use_mup \(1, 0\).*--where use_mup=1.*--group-by use_mup",
    ),
    "a score": (
        write("width,lr,val_accuracy", ((w, lr, 1 / x) for w, lr, x in points())),
        "no loss but 'val_accuracy', which looks like a score.*--maximize",
    ),
    "a word for divergence": (
        write("width,lr,loss", ((w, lr, "diverged" if lr > DIVERGING else x)
                                for w, lr, x in points())),
        "got loss in runs.csv, row 6: 'diverged', wanted a number. If the run diverged, write nan",
    ),
    "a loss of 0 of the Trainer": (
        write("width,lr,loss", ((w, lr, 0.0 if lr > DIVERGING else x) for w, lr, x in points())),
        r"got a loss of 0 in runs.csv, row 6, .*Trainer logs 0.0 for a loss of NaN. Write nan",
    ),
    "a comma that may be anything": (
        write("width,lr,loss", ((f'"{w // 64},024"', lr, x) for w, lr, x in points())),
        "'1,024' in column 'width' .* a decimal comma or a group of thousands",
    ),
    "logarithms to no base": (
        write("width,log_lr,loss", points()), "wanted to know the base of these logarithms",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_by_name(name: str, tmp_path: Path) -> None:
    text, message = REFUSED[name]
    with pytest.raises(TableError, match=message):
        judge_text(tmp_path, text)
