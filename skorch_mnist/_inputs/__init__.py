"""Images in every form that users have, checked and brought into one."""

from ._layouts import (
    PIXEL_DTYPES,
    ImageShape,
    InputFormat,
    check_image_shape,
    infer_layout,
    known_layout,
)
from ._pixels import PixelStatistics, pixel_statistics, to_array
from ._streams import (
    IMAGES_PER_CHUNK,
    Chunk,
    LabelKeepingStream,
    StreamedImages,
    StreamSurvey,
)
from ._torch_data import TORCH_DATA, labels_of
from ._validation import (
    CheckedImages,
    Given,
    all_classes,
    check_images,
    check_images_and_labels,
    check_known,
    check_lazy_images,
    check_two_classes,
    check_weights,
    encode,
    weights_of_labels,
)

__all__ = [
    "IMAGES_PER_CHUNK",
    "PIXEL_DTYPES",
    "TORCH_DATA",
    "CheckedImages",
    "Chunk",
    "Given",
    "ImageShape",
    "InputFormat",
    "LabelKeepingStream",
    "PixelStatistics",
    "StreamSurvey",
    "StreamedImages",
    "all_classes",
    "check_image_shape",
    "check_images",
    "check_images_and_labels",
    "check_known",
    "check_lazy_images",
    "check_two_classes",
    "check_weights",
    "encode",
    "infer_layout",
    "known_layout",
    "labels_of",
    "pixel_statistics",
    "to_array",
    "weights_of_labels",
]
