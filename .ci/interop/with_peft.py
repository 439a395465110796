"""peft: LoRA on the linear layers."""
# requires: peft

import peft
from peft import LoraConfig, get_peft_model

from skorch_mnist import MNISTCNN, MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0)


def adapted(image_shape, n_classes):
    """Return a network of which only the adapters are trained."""
    config = LoraConfig(r=4, target_modules=["hidden"], modules_to_save=["output"])
    return get_peft_model(MNISTCNN(image_shape=image_shape, n_classes=n_classes), config)


clf.set_params(module=adapted, features_before="base_model.model.output").fit(X, y)
trained = [name for name, weight in clf.module_.named_parameters() if weight.requires_grad]
assert trained and all("lora" in name or "output" in name for name in trained), trained
clf.save("model.safetensors")
again = MNISTCNNClassifier.load("model.safetensors", module=adapted)
assert (again.predict_proba(X) == clf.predict_proba(X)).all()
print("peft", peft.__version__)
