"""Models whose code does what no model should, where they are told to, and runs of them."""

from typing import Any

from lrtransfer.runs.run import RunSpec
from lrtransfer.study.load import load
from tests.studies import run_of

MODELS = '''
import os, pathlib, re, signal, subprocess, sys, time
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent


def build(width):
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 3, bias=False))


def does(deed):
    def build_and_do(width, bad):
        if bad:
            deed()
        return build(width)
    return build_and_do


class Training(nn.Module):
    """Does its deed in the first step of training, not while roles are read."""

    def __init__(self, width, deed):
        super().__init__()
        self.net, self.deed = build(width), deed

    def forward(self, x):
        if self.training and torch.is_grad_enabled() and x.shape[0] == 8 and self.deed:
            deed, self.deed = self.deed, None
            deed()
        return self.net(x)


def in_training(deed):
    return lambda width, bad: Training(width, deed if bad else None)


def only(times, deed):
    """Do a deed so often, in whatever processes, and nothing from then on."""
    def do():
        tries = len(list(HERE.glob(f"{deed.__name__}-{times}-*")))
        (HERE / f"{deed.__name__}-{times}-{tries}").touch()
        if tries < times:
            deed()
    return do


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def run_out_of_memory():
    raise MemoryError("no room")


killed_once, killed_twice = (in_training(only(times, kill)) for times in (1, 2))
crashed_once, crashed_twice = (in_training(only(times, crash)) for times in (1, 2))
memory_once, memory_twice = (in_training(only(times, run_out_of_memory)) for times in (1, 2))


class Stop(BaseException):
    pass


def stop():
    raise Stop("enough")


def interrupt():
    raise KeyboardInterrupt("from the code")


exits_0 = does(lambda: os._exit(0))
exits_3 = does(lambda: os._exit(3))
interrupts = does(interrupt)
interrupts_in_training = in_training(interrupt)
stops = does(stop)
quits = does(lambda: sys.exit(0))


def fork(then):
    def deed():
        if os.fork() == 0:
            then()
    return deed


def fail():
    raise RuntimeError("in the child")


plain = in_training(None)
forks_and_raises = in_training(fork(fail))
forks_and_returns = in_training(fork(lambda: None))
forks_and_exits = in_training(fork(lambda: sys.exit("in the child")))


def returns_late():
    if os.fork() == 0:
        time.sleep(0.2)


forks_and_returns_late = in_training(returns_late)


def close_all():
    os.closerange(0, 256)


def close_and_open():
    close_all()
    for name in range(40):
        os.open(HERE / f"taken-{name}", os.O_RDWR | os.O_CREAT)


closes = does(close_all)
closes_in_training = in_training(close_all)
closes_and_opens = in_training(close_and_open)


def close_streams():
    sys.stdout.close()
    sys.stderr.close()


closes_streams = does(close_streams)


def hold_the_interpreter():
    re.match(r"(a+)+$", "a" * 60 + "b")


hangs = in_training(lambda: time.sleep(600))
hangs_hard = in_training(hold_the_interpreter)


@in_training
def says_and_crashes():
    print("a last word")
    os.kill(os.getpid(), signal.SIGSEGV)


@does
def floods():
    for _ in range(2000):
        print("step", "x" * 200)
        print("warning", "y" * 200, file=sys.stderr)


def start_others():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep = [sys.executable, "-S", "-c",
             "import os, signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
    others = [subprocess.Popen(sleep), subprocess.Popen(sleep, start_new_session=True)]
    child = os.fork()
    if child == 0:
        os.setsid()
        time.sleep(600)
        os._exit(0)
    pids = [os.getpid(), child, *(other.pid for other in others)]
    (HERE / f"pids-{os.getpid()}").write_text(" ".join(map(str, pids)))
    time.sleep(600)


starts_others = in_training(start_others)


def batches(split, *, seed, batch):
    generator = torch.Generator().manual_seed(seed if split == "train" else 10**6)
    for _ in range(20):
        inputs = torch.randn(batch, 6, generator=generator)
        yield inputs, (inputs[:, :3] + inputs[:, 3:]).argmax(1)
'''


def bad_settings(own: str, build: str, *, bad: bool = True, **changes: Any) -> dict[str, Any]:
    """Return the settings of a study of one of the models, in the module of this name."""
    settings: dict[str, Any] = {
        "widths": (8, 16),
        "base_width": 8,
        "target": 32,
        "schemes": ("mup",),
        "seeds": 1,
        "grid": {"low": 2.0**-7, "high": 2.0**-3},
        "model": {"build": f"{own}:{build}", "arguments": {"bad": bad}},
        "data": {"batches": f"{own}:batches", "held_out_batches": 2},
        "training": {"steps": 4, "batch": 8},
    }
    return settings | changes


def run_of_model(own: str, build: str, *, bad: bool) -> RunSpec:
    """Return a run of one of the models, whose code does its deed or not."""
    return run_of(load(None, bad_settings(own, build, bad=bad)), 16)
