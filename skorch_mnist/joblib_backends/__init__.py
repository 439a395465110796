"""Clusters as backends of joblib: data are sent once, and a process that dies loses nothing."""

from ._dask import register_dask
from ._ray import register_ray

__all__ = ["register_dask", "register_ray"]
