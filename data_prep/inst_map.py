"""Instance maps in MATLAB files, as HoVer-Net's authors distribute CoNSeP, CPM-17 and Kumar."""

import json
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from zoo.errors import DataError
from zoo.images.labels import as_labels

# What SciPy raises on files that are cut off, damaged or no MATLAB files.
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, zlib.error, MatReadError)


def read_inst_map(path: Path) -> NDArray[np.int32]:
    """Variable `inst_map` of a .mat file.

    Returns:
        (H, W) int32; 0 is background, ids are kept as they are.

    Raises:
        DataError: the file is missing, unreadable, of MATLAB 7.3, without `inst_map`, or that is no label map.
    """
    return as_labels(_read(path, "inst_map"), path)


def read_inst_types(path: Path) -> dict[str, str]:
    """Variable `inst_type` of a .mat file as an attribute of a group: `object_types`, JSON of id -> type.

    The file has one type for each object, in ascending order of the ids in its `inst_map`. Where their numbers
    differ nobody knows which type belongs to which object: a warning, and no attribute.

    Raises:
        DataError: as `read_inst_map`, for both variables.
    """
    ids = np.unique(read_inst_map(path))
    ids, types = ids[ids > 0], np.ravel(_read(path, "inst_type"))
    if len(ids) != len(types):
        warnings.warn(f"{path}: {len(types)} types for {len(ids)} objects; types are left out", stacklevel=2)
        return {}
    return {"object_types": json.dumps({int(i): int(t) for i, t in zip(ids, types, strict=True)})}


def _read(path: Path, name: str) -> NDArray[Any]:
    try:
        found = loadmat(path, variable_names=[name])
    except NotImplementedError as error:
        raise DataError(f"{path}: a MATLAB 7.3 file; save it again with `save -v7`") from error
    except _UNREADABLE as error:
        raise DataError(f"{path}: not a readable MATLAB file ({error}); download it again") from error
    if name not in found:
        raise DataError(f"{path}: holds no {name!r}; is this a file with labels of the data set?")
    return np.asarray(found[name])
