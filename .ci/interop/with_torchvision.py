"""torchvision: its networks as module, which expect large color images."""
# requires: torchvision

import numpy as np
import torchvision
from sklearn.model_selection import GridSearchCV
from torch import nn

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)


class OnSmallImages(nn.Module):
    """A residual network for color images, which gets enlarged images with three channels."""

    def __init__(self, image_shape, n_classes, name="resnet18", weights=None, side=64):
        super().__init__()
        self.side = side
        self.network = torchvision.models.get_model(name, weights=weights)
        self.network.fc = nn.Linear(self.network.fc.in_features, n_classes)

    def forward(self, images):
        images = nn.functional.interpolate(images, (self.side, self.side), mode="bilinear")
        return self.network(images.expand(-1, 3, -1, -1))  # three views of the gray channel


clf = MNISTCNNClassifier(OnSmallImages, module__side=48, max_epochs=1, random_state=0)
clf.fit(X[:600], y[:600]).save("model.safetensors")
again = MNISTCNNClassifier.load("model.safetensors", module=OnSmallImages)
np.testing.assert_array_equal(again.predict_proba(X[600:700]), clf.predict_proba(X[600:700]))

search = GridSearchCV(clf, {"module__side": [32, 64]}, cv=2).fit(X[:200], y[:200])
assert search.best_estimator_.module_.side in (32, 64)
print("torchvision", torchvision.__version__)
