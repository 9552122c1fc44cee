"""Networks of PyTorch as networks of this package, and their parameters there and back.

PyTorch (extra ``torch``) is imported in this room alone, which nothing of the package imports
before it is asked for.
"""

from wlnn.base.errors import UserError

try:
    import torch  # noqa: F401
except ImportError as error:
    raise UserError(
        "PyTorch cannot be imported: pip install 'wlnn[torch]', or give weights as an npz file."
    ) from error

from wlnn.torch.turned import from_torch
from wlnn.torch.weights import (
    read_state_dict,
    save_state_dict,
    state_dict_from_theta,
    theta_from_state_dict,
)

__all__ = [
    "from_torch",
    "read_state_dict",
    "save_state_dict",
    "state_dict_from_theta",
    "theta_from_state_dict",
]
