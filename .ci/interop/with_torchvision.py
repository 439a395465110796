"""torchvision: its networks as module, which get the images that they expect."""
# requires: torchvision

from functools import partial

import numpy as np
import torchvision
from sklearn.model_selection import GridSearchCV
from torch import nn
from torchvision.transforms import v2

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)


def torchvision_network(image_shape, n_classes, name="resnet18", weights=None, side=64):
    """Return a network of torchvision that gets color images of ``side`` times ``side`` pixels."""
    network = torchvision.models.get_model(name, weights=weights)
    linear = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    last = network.get_submodule(linear[-1])
    network.set_submodule(linear[-1], nn.Linear(last.in_features, n_classes))
    return nn.Sequential(v2.RGB(), v2.Resize((side, side)), network)


network = partial(torchvision_network, weights=None)  # "DEFAULT": pretrained weights
clf = MNISTCNNClassifier(network, module__side=48, max_epochs=1, random_state=0)
clf.fit(X[:600], y[:600]).save("model.safetensors")
again = MNISTCNNClassifier.load("model.safetensors", module=torchvision_network)
np.testing.assert_array_equal(again.predict_proba(X[600:700]), clf.predict_proba(X[600:700]))

grid = {"module__name": ["resnet18", "mobilenet_v3_small"], "module__side": [32, 64]}
search = GridSearchCV(clf, grid, cv=2).fit(X[:200], y[:200])
assert set(search.best_params_) == set(grid)
print("torchvision", torchvision.__version__)
