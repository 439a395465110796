"""TensorBoard: the callback of skorch, in a fit and in a cross-validation with two processes."""
# requires: tensorboard

import pathlib

import tensorboard
from sklearn.model_selection import cross_val_score
from skorch.callbacks import TensorBoard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)


class InOwnFolder(TensorBoard):
    """Opens its writer when training begins, so that it can be sent to other processes."""

    def on_train_begin(self, net, **kwargs):
        self.writer = SummaryWriter()
        super().on_train_begin(net, **kwargs)


with SummaryWriter("one") as writer:
    clf.set_params(callbacks=[("board", TensorBoard(writer))]).fit(X, y)
events = EventAccumulator("one").Reload()
assert len(events.Scalars("Loss/valid_loss")) == 3, events.Tags()

several = clf.set_params(callbacks=[("board", InOwnFolder(None))])
assert cross_val_score(several, X, y, cv=2, n_jobs=2).min() > 0.5
runs = list(pathlib.Path("runs").rglob("events.*"))
assert len(runs) == 2, runs
print("tensorboard", tensorboard.__version__)
