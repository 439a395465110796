"""timm and torchvision: their classifiers as module, for small grayscale images."""
# requires: timm

import timm
import torchvision
from torch import nn

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)


def of_timm(image_shape, n_classes):
    """Return a network that takes images with one channel."""
    channels, *_ = image_shape
    return timm.create_model("resnet18", in_chans=channels, num_classes=n_classes)


def of_torchvision(image_shape, n_classes):
    """Return a network whose first layer suits small images with any number of channels."""
    network = torchvision.models.resnet18(num_classes=n_classes)
    network.conv1 = nn.Conv2d(image_shape[0], 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return network


for module in (of_timm, of_torchvision):
    clf = MNISTCNNClassifier(module, max_epochs=1, random_state=0, verbose=0).fit(X[:600], y[:600])
    clf.save("model.safetensors")
    again = MNISTCNNClassifier.load("model.safetensors", module=module)
    assert (again.predict_proba(X[600:700]) == clf.predict_proba(X[600:700])).all()
print("timm", timm.__version__, "torchvision", torchvision.__version__)
