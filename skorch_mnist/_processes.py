"""Train one network in several processes, each with its share of every batch."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from skorch.dataset import unpack_data
from torch import nn
from torch.utils.hooks import RemovableHandle

from skorch_mnist._batches._batch import shared_batches
from skorch_mnist._batches._image_dataset import fingerprint
from skorch_mnist._batches._share import Share
from skorch_mnist._listeners import Listener

if TYPE_CHECKING:
    from skorch_mnist._training import TrainingRun


WORLD_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
KINDS = ("NO", "MULTI_CPU", "MULTI_GPU")  # supported values of accelerate.DistributedType


def number_of_processes() -> int:
    """Return the number of processes that torchrun, Accelerate or MPI has started."""
    return max(int(os.environ.get(name, "1")) for name in WORLD_SIZES)


class Processes(Listener):
    """The processes that train one network together, from the view of one of them.

    All processes read the same images in the same order. Their loaders give each process its share
    of a batch. During a step, a hook on the network gathers the outputs of all shares, so the loss
    is that of the whole batch, for any criterion, any weights and shares of any size. The gradients
    of the shares add up to the gradient of this loss. Outside of steps, for example in a callback
    that predicts, each process works on its own.

    Parameters
    ----------
    accelerator : accelerate.Accelerator

    Raises
    ------
    ValueError
        If ``accelerator`` is set up for tasks of the classifier, or splits the network.
    """

    def __init__(self, accelerator: Any) -> None:
        kind = accelerator.distributed_type.value
        if kind not in KINDS:
            raise ValueError(
                f"accelerator has the distributed type {kind}, which is not supported. Use several "
                "processes on CPUs or NVIDIA GPUs, each with the whole network."
            )
        if accelerator.mixed_precision != "no":
            raise ValueError(
                f"accelerator has mixed_precision={accelerator.mixed_precision!r}, which is not "
                "supported. Set it to 'no', and set precision='bfloat16' instead."
            )
        if accelerator.gradient_accumulation_steps != 1:
            raise ValueError(
                "accelerator accumulates the gradients of several batches, which is not supported. "
                "Set a larger batch_size instead."
            )
        n_started = number_of_processes()
        if accelerator.num_processes != n_started:
            raise ValueError(
                f"{n_started} processes were started, but accelerator has "
                f"{accelerator.num_processes}. Use accelerator='auto', or Accelerator(cpu=True) on "
                "CPUs."
            )
        self.accelerator = accelerator
        self.device: torch.device = accelerator.device
        if self.device.type == "cpu":
            self.device = torch.device("cpu")
        self.share = Share(accelerator.process_index, accelerator.num_processes)
        self._hook: RemovableHandle | None = None

    @classmethod
    def of(cls, accelerator: Any, device: Any) -> Processes:
        """Return the processes for the parameters ``accelerator`` and ``device``.

        Raises
        ------
        ImportError
            If Accelerate is not installed.
        ValueError
            If ``device`` is not "auto".
        """
        if device != "auto":
            raise ValueError(
                f"device={device!r} cannot be combined with accelerator, which selects the device "
                "of each process. Set device='auto'."
            )
        if isinstance(accelerator, str):
            if importlib.util.find_spec("accelerate") is None:
                raise ImportError(
                    f"accelerator={accelerator!r} requires Accelerate: "
                    'pip install "skorch_mnist[accelerate]"'
                )
            from accelerate import Accelerator

            # Without cpu=True, Accelerate finds only one process if there is no GPU.
            on_cpus = number_of_processes() > 1 and not torch.cuda.is_available()
            accelerator = Accelerator(cpu=on_cpus)
        return cls(accelerator)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.share.rank == 0

    # --- agreement ----------------------------------------------------------------------------

    def same(self, value: Any) -> Any:
        """Return the value of the first process."""
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def same_random_state(self, state: np.random.RandomState) -> np.random.RandomState:
        """Return a generator in the state of the first process."""
        same = np.random.RandomState()
        same.set_state(self.same(state.get_state()))
        return same

    def check_agreement(self, facts: Any, message: str) -> None:
        """Raise a ValueError in all processes if ``facts`` differ among them."""
        from accelerate.utils import gather_object

        everyone = gather_object([facts])
        if any(one != everyone[0] for one in everyone):
            raise ValueError(message)

    def check_same_run(self, training: TrainingRun) -> None:
        """Raise a ValueError in all processes if their training runs differ."""
        net = training.net
        facts = net.pixel_statistics_.rounded(), net.classes_.tolist()
        self.check_agreement(
            (training.seed, fingerprint(training.data, *facts)),
            "The processes that train together have different images, labels, random_state or "
            "validation splits. Call fit with the same arguments and parameters in all of them. If "
            "you set a sampler or train_split, give it a fixed seed or its own generator.",
        )

    # --- events -------------------------------------------------------------------------------

    def run_begins(self, training: TrainingRun) -> None:
        """Begin with the weights of the first process."""
        module = training.net.module_
        self._broadcast([*module.parameters(), *module.buffers()])

    def epoch_begins(self, training: TrainingRun) -> None:
        """Seed each process except the first differently, for dropout and augmentation."""
        if not self.is_first:
            facts = [training.seed, len(training.net.history), self.share.rank]
            own = int(np.random.SeedSequence(facts).generate_state(1)[0])
            torch.default_generator.manual_seed(own)
            if self.device.type == "cuda":
                torch.cuda.manual_seed(own)

    def batches(self, loader: Any) -> Any:
        """Return the batches of a loader, with only the images of this process."""
        return loader if self.share.n_processes == 1 else shared_batches(loader, self.share)

    def batch_begins(self, training: TrainingRun) -> None:
        """Make the network return the outputs of the whole batch."""
        codes = torch.as_tensor(unpack_data(training.batch)[1], device=self.device)

        def complete(module: nn.Module, arguments: Any, outputs: Any) -> torch.Tensor:
            own = outputs[0] if isinstance(outputs, tuple) else outputs
            return self.bring_together(own.float(), codes)

        self._hook = training.net.module_.register_forward_hook(complete)

    def gradients_computed(self, training: TrainingRun) -> None:
        """Add up the gradients of all shares."""
        weights = [p for p in training.net.module_.parameters() if p.requires_grad]
        if not weights:
            return
        gradients = [p.new_zeros(p.shape) if p.grad is None else p.grad for p in weights]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        torch.distributed.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for weight, part in zip(weights, parts, strict=True):
            if weight.grad is not None:
                weight.grad.copy_(part.view(weight.shape))
            elif part.any():  # only another process has used this weight
                weight.grad = part.view(weight.shape).clone()

    def batch_ends(self, training: TrainingRun) -> None:
        """Make the network return only its own outputs again."""
        self.release()

    def weights_updated(self, training: TrainingRun) -> None:
        """Copy the buffers of the first process, such as statistics of batch normalization."""
        self._broadcast(list(training.net.module_.buffers()))

    def epoch_ends(self, training: TrainingRun) -> None:
        """Stop all processes if a callback in one of them has requested it."""
        from accelerate.utils import gather_object

        training.stopping = any(gather_object([training.stopping]))

    def release(self) -> None:
        """Remove the hook."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    # --- tensors ------------------------------------------------------------------------------

    def bring_together(self, own: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the outputs of a whole batch; gradients flow only to those of this process.

        Parameters
        ----------
        own : tensor of shape (n_own, n_classes)
            Outputs for the rows of ``share``.
        codes : tensor of shape (n_samples,)
            Codes of the whole batch, to compare with other processes.

        Raises
        ------
        ValueError
            If the processes do not have the same batch.
        """
        sizes, rank = self.share.sizes(len(codes)), self.share.rank
        own = own[: sizes[rank]]
        start = sum(sizes[:rank])
        sent = own.new_zeros((max(sizes), own.shape[1] + 1))
        sent[: len(own), :-1] = own.detach()
        sent[: len(own), -1] = codes[start : start + len(own)]
        received = self.accelerator.gather(sent).split(max(sizes))
        whole = torch.cat([part[:size] for part, size in zip(received, sizes, strict=True)])
        if not torch.equal(whole[:, -1], codes.to(whole.dtype)):
            raise ValueError(
                "The processes that train together have different images in a batch. If you set a "
                "sampler or train_split, give it a fixed seed or its own generator."
            )
        parts = list(whole[:, :-1].split(sizes))
        if own.requires_grad:
            parts[rank] = own
        return torch.cat(parts)

    @staticmethod
    def _broadcast(tensors: list[torch.Tensor]) -> None:
        """Copy the tensors of the first process to all others."""
        with torch.no_grad():
            for tensor in tensors:
                torch.distributed.broadcast(tensor, 0)
