"""One network on several processes: each learns from its share of every batch."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import numpy as np
import torch
from torch import nn

from skorch_mnist._batches import Share

__all__ = ["Processes", "is_first_process"]

WORLD_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
KINDS = ("NO", "MULTI_CPU", "MULTI_GPU")  # of Accelerate's DistributedType


def is_first_process() -> bool:
    """Whether this process is the only one of its training, or the one that prints and writes."""
    distributed = torch.distributed
    there_are = distributed.is_available() and distributed.is_initialized()
    return not there_are or distributed.get_rank() == 0


def number_of_processes() -> int:
    """Return how many processes torchrun, Accelerate or MPI has started."""
    return max(int(os.environ.get(name, "1")) for name in WORLD_SIZES)


class Processes:
    """The processes that train one network together, seen from one of them.

    All of them go through the same images in the same order, and each puts its share of a batch
    through the network. Their outputs are brought together before the loss is taken, so that the
    loss is that of the whole batch, whatever the criterion, the weights and the sizes of the shares
    are; the gradients of the shares add up to its gradient.

    Parameters
    ----------
    accelerator : accelerate.Accelerator

    Raises
    ------
    ValueError
        If ``accelerator`` is to do what the classifier does itself, or splits the network.
    """

    def __init__(self, accelerator: Any) -> None:
        kind = accelerator.distributed_type.value
        if kind not in KINDS:
            raise ValueError(
                f"accelerator has the distributed type {kind}. Use several processes on CPUs or on "
                "NVIDIA's GPUs, each with the whole network."
            )
        if accelerator.mixed_precision != "no":
            raise ValueError(
                f"accelerator has mixed_precision={accelerator.mixed_precision!r}. Leave it 'no', "
                "and set precision='bfloat16'."
            )
        if accelerator.gradient_accumulation_steps != 1:
            raise ValueError(
                "accelerator accumulates the gradients of several batches. Set a larger batch_size."
            )
        n_started = number_of_processes()
        if accelerator.num_processes != n_started:
            raise ValueError(
                f"{n_started} processes were started, of which accelerator sees "
                f"{accelerator.num_processes}. Use accelerator='auto', or Accelerator(cpu=True) on "
                "CPUs."
            )
        self.accelerator = accelerator
        self.device: torch.device = accelerator.device
        if self.device.type == "cpu":
            self.device = torch.device("cpu")
        several = accelerator.num_processes > 1
        self.share = (
            Share(accelerator.process_index, accelerator.num_processes) if several else None
        )
        self._replica: Any = None
        self._replicated: Any = None

    @classmethod
    def of(cls, accelerator: Any, device: Any) -> Processes | None:
        """Return the processes that parameters stand for; None where there is only this one.

        Raises
        ------
        ImportError
            If Accelerate is not installed.
        ValueError
            If a device is chosen as well.
        """
        if accelerator is None:
            return None
        if device != "auto":
            raise ValueError(
                f"device={device!r} and accelerator: Accelerate chooses the device of each "
                "process. Leave device='auto'."
            )
        if isinstance(accelerator, str):
            if importlib.util.find_spec("accelerate") is None:
                raise ImportError(
                    f"accelerator={accelerator!r} needs Hugging Face's Accelerate: "
                    'pip install "skorch_mnist[accelerate]"'
                )
            from accelerate import Accelerator

            # Without cpu=True, Accelerate sees a single process where there is no GPU.
            on_cpus = number_of_processes() > 1 and not torch.cuda.is_available()
            accelerator = Accelerator(cpu=on_cpus)
        return cls(accelerator)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.share is None or self.share.rank == 0

    # --- before a training ------------------------------------------------------------------

    def same(self, value: Any) -> Any:
        """Return what the first process gives."""
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def same_random_state(self, state: np.random.RandomState) -> np.random.RandomState:
        """Return the state that the first process has."""
        same = np.random.RandomState()
        same.set_state(self.same(state.get_state()))
        return same

    def check_agreement(self, facts: Any, message: str) -> None:
        """Raise a ValueError in all processes, if ``facts`` are not the same in all."""
        from accelerate.utils import gather_object

        everyone = gather_object([facts])
        if any(one != everyone[0] for one in everyone):
            raise ValueError(message)

    def stop_together(self, stop: BaseException | None) -> None:
        """End the training in all processes, where one of them has been asked to."""
        from accelerate.utils import gather_object

        if any(gather_object([stop is not None])):
            raise stop or KeyboardInterrupt("another process has ended the training")

    def seed(self, seed: int, epoch: int) -> None:
        """Give each process but the first draws of its own, for dropout and augmentation."""
        if self.share is not None and self.share.rank:
            entropy = np.random.SeedSequence([seed, epoch, self.share.rank])
            own = int(entropy.generate_state(1)[0])
            torch.default_generator.manual_seed(own)
            if self.device.type == "cuda":
                torch.cuda.manual_seed(own)

    # --- steps ------------------------------------------------------------------------------

    def replica_of(self, module: nn.Module) -> Any:
        """Return ``module`` in the form that averages gradients over all processes."""
        trained = [name for name, weight in module.named_parameters() if weight.requires_grad]
        if self._replicated != (module, trained):  # a callback may freeze layers, and thaw them
            self.release()
            self._replicated = module, trained
            self._replica = self.accelerator.prepare_model(module)
        return self._replica

    def release(self) -> None:
        """Let go of the network, which Accelerate would keep."""
        if self._replicated is not None:
            ours, kept = (self._replica, self._replicated[0]), self.accelerator._models
            kept[:] = [model for model in kept if not any(model is one for one in ours)]
        self._replica = self._replicated = None

    def bring_together(self, own: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the outputs of a whole batch; gradients reach those of this process.

        Parameters
        ----------
        own : tensor of shape (n_own, n_classes)
            Outputs for the rows that ``share`` gives.
        codes : tensor of shape (n_samples,)
            Those of the whole batch, with which other processes' are compared.

        Raises
        ------
        ValueError
            If the processes do not have the same batch.
        """
        assert self.share is not None
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
                "The processes that train together take other images into a batch: what draws "
                "them, a sampler or train_split, needs a seed or generator of its own."
            )
        parts = list(whole[:, :-1].split(sizes))
        if own.requires_grad:
            own.register_hook(
                lambda gradient: gradient * len(sizes)
            )  # they are averaged, not added
            parts[rank] = own
        return torch.cat(parts)

    def share_buffers(self, module: nn.Module) -> None:
        """Give all processes the statistics of the first, as those of batch normalization."""
        if self.share is not None:
            for buffer in module.buffers():
                torch.distributed.broadcast(buffer, 0)
