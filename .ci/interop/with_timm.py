"""timm: its networks as module, which get the images that they expect."""
# requires: timm

from functools import partial

import numpy as np
import timm
from sklearn.model_selection import GridSearchCV
from torch import nn
from torchvision.transforms import v2

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)


def timm_network(image_shape, n_classes, name="resnet18", pretrained=False, side=64):
    """Return a network of timm that gets color images of ``side`` times ``side`` pixels."""
    network = timm.create_model(name, pretrained, num_classes=n_classes)
    return nn.Sequential(v2.RGB(), v2.Resize((side, side)), network)


network = partial(timm_network, pretrained=False)  # True: pretrained weights
clf = MNISTCNNClassifier(network, module__side=48, max_epochs=1, random_state=0)
clf.fit(X[:600], y[:600]).save("model.safetensors")
again = MNISTCNNClassifier.load("model.safetensors", module=timm_network)
np.testing.assert_array_equal(again.predict_proba(X[600:700]), clf.predict_proba(X[600:700]))

grid = {"module__name": ["resnet18", "mobilenetv3_small_050"], "module__side": [32, 64]}
search = GridSearchCV(clf, grid, cv=2).fit(X[:200], y[:200])
assert set(search.best_params_) == set(grid)
print("timm", timm.__version__)
