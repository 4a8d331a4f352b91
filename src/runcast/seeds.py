"""One seed for every source of chance, and an honest word about what stays to chance."""

from __future__ import annotations

import os
import random
import sys
from importlib.util import find_spec
from typing import Any

import msgspec

from runcast.errors import UsageError
from runcast.starting import current_run

LARGEST = 2**32 - 1
"""NumPy takes no larger seed."""
_CUBLAS = ":4096:8"
"""The larger of the two workspaces with which cuBLAS is deterministic (docs.nvidia.com/cuda/cublas)."""

_last: Seeds | None = None


class Seeds(msgspec.Struct, frozen=True):
    """What `seed_everything` did.

    Attributes:
        seed: as it was given.
        seeded: such as ``python``, ``numpy``, ``torch``, ``tensorflow``, ``hash``.
        deterministic: whether deterministic algorithms were asked for.
        left_to_chance: what could not be made deterministic, and the mend.
    """

    seed: int
    seeded: list[str]
    deterministic: bool
    left_to_chance: list[str]


def seed_everything(seed: int, deterministic: bool = True) -> Seeds:
    """Seed Python, NumPy, and PyTorch and TensorFlow where they are imported; the run records it.

    Args:
        seed: 0 to 2**32 - 1.
        deterministic: also ask PyTorch, cuDNN and TensorFlow for deterministic algorithms, which may be
            slower; one that has none warns when it is used.

    Returns:
        What was seeded, and what is still left to chance.

    Raises:
        UsageError: not a seed.
    """
    global _last
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= int(seed) <= LARGEST:
        raise UsageError(f"a seed is a whole number from 0 to {LARGEST}, not {seed!r:.100}")
    seed = _as_recorded(int(seed))
    random.seed(seed)
    seeded, chance = ["python"], _seed_hashes(seed)
    for package, seed_it in (
        ("numpy", _seed_numpy),
        ("torch", _seed_torch),
        ("tensorflow", _seed_tensorflow),
    ):
        module = sys.modules.get(package)
        if module is None and package == "numpy" and find_spec("numpy") is not None:
            import numpy as module  # quick, and nearly every training uses it
        if module is not None:
            chance += seed_it(module, seed, deterministic)
            seeded.append(package)
        elif find_spec(package) is not None:
            chance.append(f"{package}, where it is imported later: import it before seed_everything")
    if not deterministic:
        chance.append("algorithms of PyTorch, cuDNN and TensorFlow: deterministic=False")
    _last = Seeds(seed, seeded, deterministic, chance)
    run = current_run()
    if run is not None:
        run._describe({"seeds": msgspec.to_builtins(_last)})
    return _last


def _as_recorded(seed: int) -> int:
    """A script that draws its seed gets the recorded one when ``runcast reproduce`` runs it again."""
    if "RUNCAST_REPRODUCE" not in os.environ:
        return seed
    from runcast.reproduce.hook import reproduction

    again = reproduction()
    return seed if again is None else again.seed(seed)


def last() -> Seeds | None:
    """What `seed_everything` did last in this process."""
    return _last


def _seed_numpy(numpy: Any, seed: int, deterministic: bool) -> list[str]:
    numpy.random.seed(seed)
    return ["numpy.random.default_rng() without a seed: give it one"]


def _seed_torch(torch: Any, seed: int, deterministic: bool) -> list[str]:
    torch.manual_seed(seed)  # of every device, also of those that are not initialised yet
    chance = ["workers of a DataLoader that draw from NumPy or Python: give it worker_init_fn"]
    if not deterministic:
        return chance
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.use_deterministic_algorithms(True, warn_only=True)
    if torch.cuda.is_available():
        chance.append("kernels of CUDA without a deterministic form: PyTorch warns when one is used")
        if torch.cuda.is_initialized() and "CUBLAS_WORKSPACE_CONFIG" not in os.environ:
            chance.append(f"cuBLAS, which has started already: set CUBLAS_WORKSPACE_CONFIG={_CUBLAS} before")
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", _CUBLAS)
    return chance


def _seed_tensorflow(tensorflow: Any, seed: int, deterministic: bool) -> list[str]:
    tensorflow.random.set_seed(seed)
    if not deterministic:
        return []
    try:
        tensorflow.config.experimental.enable_op_determinism()
    except (AttributeError, RuntimeError) as error:
        return [f"operations of TensorFlow: {error}"]
    return []


def _seed_hashes(seed: int) -> list[str]:
    """Python's hashes of text: settled when a process starts, so this is for its children."""
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = str(seed)
    if before == str(seed):
        return []
    return [f"hashes of text in this process, and so the order of sets: start it with PYTHONHASHSEED={seed}"]
