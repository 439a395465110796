"""captum: integrated gradients and layer activations of the network."""
# requires: captum

import captum
import torch
from captum.attr import IntegratedGradients, LayerActivation

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)
clf.fit(X, y)
network = clf.module_.eval()
images = next(iter(clf.get_iterator(clf.get_dataset(X[:8]))))[0]
images = torch.as_tensor(images, dtype=torch.float32)
labels = torch.as_tensor(clf.predict(X[:8]))
attributions = IntegratedGradients(network).attribute(images, target=labels, n_steps=100)
assert attributions.shape == images.shape
logits = [network(x).gather(1, labels[:, None])[:, 0] for x in (images, torch.zeros_like(images))]
# They add up to the difference between the logits of the image and those of a blank one.
torch.testing.assert_close(
    attributions.sum(dim=(1, 2, 3)), (logits[0] - logits[1]).to(attributions), atol=0.2, rtol=0.1
)
activations = LayerActivation(network, network.output)
assert activations.attribute(images, attribute_to_layer_input=True).shape == (
    8,
    clf.transform(X[:8]).shape[1],
)
print("captum", captum.__version__)
