"""Images in every form that users have, checked and brought into one."""

from ._layouts import PIXEL_DTYPES, InputFormat, check_image_shape, infer_layout, known_layout
from ._pixels import PixelStatistics, pixel_statistics
from ._streams import (
    IMAGES_PER_CHUNK,
    Chunk,
    LabelKeepingStream,
    StreamedImages,
    StreamSurvey,
    is_stream,
)
from ._torch_data import is_torch_data, labels_of, to_array
from ._validation import (
    check_images,
    check_images_and_labels,
    check_pixel_range,
    check_stream,
    check_weights,
    weights_of_labels,
)

__all__ = [
    "IMAGES_PER_CHUNK",
    "PIXEL_DTYPES",
    "Chunk",
    "InputFormat",
    "LabelKeepingStream",
    "PixelStatistics",
    "StreamSurvey",
    "StreamedImages",
    "check_image_shape",
    "check_images",
    "check_images_and_labels",
    "check_pixel_range",
    "check_stream",
    "check_weights",
    "infer_layout",
    "is_stream",
    "is_torch_data",
    "known_layout",
    "labels_of",
    "pixel_statistics",
    "to_array",
    "weights_of_labels",
]
