"""A profile of one epoch of the defaults: milliseconds of each kind of work, for a batch."""

from __future__ import annotations

import time

from torch.profiler import ProfilerActivity, profile

from skorch_mnist import MNISTCNNClassifier, fetch_mnist

OUTSIDE = "Python, autograd, skorch callbacks"
KINDS = {
    "convolutions, backward": ("convolution_backward",),
    "convolutions, forward": ("mkldnn_convolution", "cudnn_convolution", "_conv2d"),
    "pooling, both ways": ("max_pool2d", "fill_", "zero_"),
    "linear layers, both ways": ("addmm", "aten::mm"),
    "dropout": ("random_", "aten::ge", "aten::mul"),
    "ReLU, both ways": ("clamp_min", "relu", "threshold_backward"),
    "Adam, in one kernel": ("_fused_adam", "_foreach_add"),
    OUTSIDE: ("Optimizer.",),  # around the closure that makes the step
}
OTHER = "scaling, loss, layout and all other operations"


def measure() -> dict[str, float]:
    """Return milliseconds of each kind, for each of the 750 batches of training, and in all.

    The validation of the epoch is in them.
    """
    X, y = fetch_mnist(return_X_y=True)
    clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0, warm_start=True)
    clf.fit(X, y)
    start = time.perf_counter()
    clf.fit(X, y)
    total = time.perf_counter() - start
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        clf.fit(X, y)
    seconds = dict.fromkeys([*KINDS, OTHER], 0.0)
    for event in recorded.key_averages():
        kind = next((k for k, names in KINDS.items() if any(n in event.key for n in names)), OTHER)
        seconds[kind] += event.self_cpu_time_total / 1e6
    seconds[OUTSIDE] += max(0.0, total - sum(seconds.values()))
    n_batches = clf.history_[-1, "train_batch_count"]
    return {kind: value / n_batches * 1e3 for kind, value in {**seconds, "all": total}.items()}
