"""The checks and settings of torch that commands need before they train."""

from sidlive.errors import ModelError


def require_torch(purpose: str) -> None:
    """Raise ModelError with advice if torch cannot be imported; ``purpose`` begins the message ("training")."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError(f"{purpose} needs torch, which is not installed: pip install 'sidlive[train]'") from error


def use_threads(count: int) -> None:
    """Let torch use ``count`` threads of the CPU."""
    import torch

    torch.set_num_threads(count)
