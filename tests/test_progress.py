"""What training shows: the bar, the table, and nothing if nobody is watching."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import re
import sys
from functools import partial
from types import SimpleNamespace

import helpers
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from skorch.callbacks import Callback, PrintLog
from torch.utils.data import IterableDataset

from skorch_mnist import _progress as progress
from skorch_mnist._progress import Bar, TrainingBar
from skorch_mnist.checkpoint import ResumeCheckpoint


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """A function that opens a terminal for both streams, on which every batch moves the bar."""

    def open_terminal():
        screen = Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr(progress, "Bar", EagerBar)
        return screen

    return open_terminal


class EagerBar(Bar):
    def __init__(self, **kwargs):
        super().__init__(**kwargs, mininterval=0.0)


def shown(text):
    """The lines that a terminal shows after ``text``, and those that were drawn over."""
    lines, column, drawn = [""], 0, []
    for part in re.split(r"([\r\n])", re.sub(r"\x1b\[[0-9;]*m", "", text)):
        if part == "\n":
            lines.append("")
            column = 0
        elif part == "\r":
            drawn.append(lines[-1].rstrip())
            column = 0
        else:
            lines[-1] = lines[-1][:column] + part + lines[-1][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines], drawn


quick = partial(helpers.quick, verbose=2)
toy = partial(helpers.toy, n=200, classes=(0, 1))


def test_bar_shows_epoch_loss_rate_and_time_left(terminal):
    screen = terminal()
    quick().fit(*toy())
    bars = [line for line in shown(screen.getvalue())[1] if "left" in line]
    form = r"epoch ([12])/2: +(\d+)%\|.{20}\| +[\d:?]+ left, +[\d.?]+k? images/s(, loss \d\.\d{4})?"
    found = [re.match(form, line) for line in bars]
    assert len(bars) > 20
    assert [line for line, match in zip(bars, found, strict=True) if not match] == []
    assert any(match[3] for match in found)
    percents = [int(match[2]) for match in found]
    assert percents == sorted(percents) and percents[0] == 0 and percents[-1] == 100
    assert {match[1] for match in found} == {"1", "2"}


def test_loss_in_the_bar_is_that_of_the_table(terminal):
    screen = terminal()
    clf = quick(train_split=None).fit(*toy())
    losses = re.findall(r"loss (\d\.\d{4})", screen.getvalue())
    assert float(losses[-1]) == pytest.approx(clf.history_[-1, "train_loss"], abs=0.05)


def test_table_stays_readable_and_the_bar_goes(terminal):
    screen = terminal()
    quick().fit(*toy())
    lines = [line for line in shown(screen.getvalue())[0] if line]
    assert len(lines) == 4
    assert lines[0].split() == ["epoch", "train_loss", "valid_acc", "valid_loss", "dur"]
    assert [line.split()[0] for line in lines[2:]] == ["1", "2"]
    assert all(len(line.split()) == 5 for line in lines)


def test_a_low_learning_rate_is_not_rounded_to_0(terminal):
    screen = terminal()
    quick(max_epochs=1, lr_schedule="one_cycle").fit(*toy())
    lines = [line.split() for line in shown(screen.getvalue())[0] if line]
    assert lines[0][-2:] == ["lr", "dur"]
    assert lines[2][-2] == "<1e-04"


class Toys(IterableDataset):
    def __iter__(self):
        return zip(*toy(n=900), strict=True)


@pytest.mark.parametrize("batch_size", [16, -1])
@pytest.mark.parametrize("data", [toy(n=900), (Toys(),)], ids=["arrays", "stream"])
def test_bar_counts_the_images_of_training_and_validation(batch_size, data, terminal):
    terminal()

    class Counts(TrainingBar):
        def on_train_end(self, net, **kwargs):
            self.n, self.total = self.bar_.n, self.bar_.total
            super().on_train_end(net, **kwargs)

    bar = Counts()
    clf = quick(batch_size=batch_size, callbacks=[bar], iterator_valid__batch_size=100, verbose=0)
    clf.fit(*data)
    assert bar.n == bar.total == 2 * 900


def test_first_pass_over_a_stream_counts_its_images(terminal):
    screen = terminal()
    quick().fit(Toys())
    lines, drawn = shown(screen.getvalue())
    counted = [line for line in drawn if line.startswith("first pass:")]
    assert re.match(r"first pass: [89]\d\d images \[\d\d:\d\d, [\d.?]+k? images/s\]", counted[-1])
    assert not any("first pass" in line for line in lines)
    screen = terminal()
    quick(verbose=1).fit(Toys())
    assert "first pass" not in screen.getvalue()


def test_bar_of_a_resumed_run_starts_at_its_checkpoint(terminal, tmp_path):
    class Stop(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 2 and stop:
                raise RuntimeError("stop")

    stop = True
    clf = quick(max_epochs=3, callbacks=[ResumeCheckpoint(tmp_path), Stop()])
    with pytest.raises(RuntimeError, match="stop"):
        clone(clf).fit(*toy())
    stop = False
    screen = terminal()
    clf.fit(*toy())
    bars = [line for line in shown(screen.getvalue())[1] if "left" in line]
    assert re.match("epoch 2/3: +33%", bars[0])


def test_a_row_with_other_columns_gets_a_new_header(capsys):
    X, y = toy()
    clf = quick(verbose=1).fit(X, y).partial_fit(X, y).partial_fit(X, y)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    headers = [line for line in lines if line[0] == "epoch"]
    assert headers == [
        ["epoch", "train_loss", "valid_acc", "valid_loss", "dur"],
        ["epoch", "train_loss", "dur"],
    ]
    assert len(lines) == 2 * 2 + len(clf.history)


def test_bar_and_partial_fit(terminal):
    screen = terminal()
    clf = quick()
    for _ in range(2):
        clf.partial_fit(*toy(), classes=[0, 1])
    assert re.findall(r"epoch (\d/\d)", screen.getvalue())[-1] == "1/1"


def test_an_error_removes_the_bar(terminal):
    screen = terminal()
    with pytest.raises(ValueError, match="diverged"):
        quick(lr=1e30).fit(*toy())
    lines, drawn = shown(screen.getvalue())
    assert lines == [""] and any("images/s" in line for line in drawn)


def test_a_classifier_with_a_bar_can_be_fitted_again_and_pickled(terminal):
    terminal()
    clf = quick().fit(*toy()).fit(*toy())
    assert pickle.loads(pickle.dumps(clf)).n_iter_ == 2


def test_no_bar_if_standard_error_is_not_a_terminal(capsys):
    quick().fit(*toy())
    out, err = capsys.readouterr()
    assert err == "" and len(out.splitlines()) == 4


def test_colors_on_a_terminal_only_and_not_with_no_color(terminal, monkeypatch, capsys):
    screen = terminal()
    quick(verbose=1).fit(*toy())
    assert "\x1b[" in screen.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", plain := Terminal())
    quick(verbose=1).fit(*toy())
    assert "epoch" in plain.getvalue() and "\x1b[" not in plain.getvalue()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(sys, "stdout", file := io.StringIO())
    quick(verbose=1).fit(*toy())
    assert "epoch" in file.getvalue() and "\x1b[" not in file.getvalue()


def test_a_custom_sink_gets_the_lines_with_colors():
    lines = []
    helpers.quick(callbacks__print_log__sink=lines.append).fit(*toy())
    assert len(lines) == 4 and "\x1b[" in lines[2]


def test_nothing_is_shown_in_a_worker_process(terminal, monkeypatch):
    screen = terminal()
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: "the main process")
    quick().fit(*toy())
    assert screen.getvalue() == ""


@pytest.mark.slow
def test_nothing_is_shown_in_workers_of_joblib(capfd):
    cross_val_score(quick(), *toy(), cv=2, n_jobs=2)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_shown_without_standard_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert quick().fit(*toy()).n_iter_ == 2


def test_a_notebook_shows_bar_and_colors(monkeypatch, capsys):
    kernel = SimpleNamespace(config={"IPKernelApp": {}})
    ipython = SimpleNamespace(get_ipython=lambda: kernel)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    quick().fit(*toy())
    out, err = capsys.readouterr()
    assert "\x1b[" in out and "images/s" in out
    assert err == ""


def test_the_table_is_a_print_log_of_skorch_and_comes_last():
    clf = helpers.quick().fit(*toy())
    [(_, table)] = [pair for pair in clf.callbacks_ if pair[0] == "print_log"]
    assert isinstance(table, PrintLog)
    assert clf.callbacks_[-1][0] == "print_log"


def test_early_stopping_is_silent_unless_verbose(digits, capsys):
    X, _, y, _ = digits
    helpers.quick(early_stopping=True, n_iter_no_change=1, max_epochs=3).fit(X[:200], y[:200])
    assert capsys.readouterr().out == ""
