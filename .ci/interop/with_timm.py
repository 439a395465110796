"""timm: its networks as module, for small grayscale images."""
# requires: timm

import numpy as np
import timm

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)


def network_of_timm(image_shape, n_classes, name="resnet18", pretrained=False):
    """Return a network for images with any number of channels, with or without trained weights."""
    channels, *_ = image_shape
    return timm.create_model(name, pretrained, in_chans=channels, num_classes=n_classes)


for name in ("resnet18", "mobilenetv3_small_050"):
    clf = MNISTCNNClassifier(network_of_timm, module__name=name, max_epochs=1, random_state=0)
    clf.fit(X[:600], y[:600]).save("model.safetensors")
    again = MNISTCNNClassifier.load("model.safetensors", module=network_of_timm)
    np.testing.assert_array_equal(again.predict_proba(X[600:700]), clf.predict_proba(X[600:700]))
print("timm", timm.__version__)
