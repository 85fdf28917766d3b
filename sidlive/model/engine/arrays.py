"""Array types of the kernels' NamedTuples: element type and number of axes (``Floats2`` is ``float32[a, b]``)."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

Bytes1 = Annotated[NDArray[np.uint8], 1]
Bytes2 = Annotated[NDArray[np.uint8], 2]
Bytes3 = Annotated[NDArray[np.uint8], 3]
Bytes4 = Annotated[NDArray[np.uint8], 4]
Bytes5 = Annotated[NDArray[np.uint8], 5]
Bytes7 = Annotated[NDArray[np.uint8], 7]
Signed2 = Annotated[NDArray[np.int8], 2]
Signed4 = Annotated[NDArray[np.int8], 4]
Shorts1 = Annotated[NDArray[np.int16], 1]
Shorts2 = Annotated[NDArray[np.int16], 2]
Shorts3 = Annotated[NDArray[np.int16], 3]
UnsignedShorts1 = Annotated[NDArray[np.uint16], 1]
UnsignedShorts3 = Annotated[NDArray[np.uint16], 3]
UnsignedShorts4 = Annotated[NDArray[np.uint16], 4]
Ints1 = Annotated[NDArray[np.int32], 1]
Ints2 = Annotated[NDArray[np.int32], 2]
Ints3 = Annotated[NDArray[np.int32], 3]
Words2 = Annotated[NDArray[np.uint32], 2]
Words3 = Annotated[NDArray[np.uint32], 3]
Longs1 = Annotated[NDArray[np.int64], 1]
Longs2 = Annotated[NDArray[np.int64], 2]
Longs3 = Annotated[NDArray[np.int64], 3]
Flags1 = Annotated[NDArray[np.bool_], 1]
Flags2 = Annotated[NDArray[np.bool_], 2]
Floats1 = Annotated[NDArray[np.float32], 1]
Floats2 = Annotated[NDArray[np.float32], 2]
Floats3 = Annotated[NDArray[np.float32], 3]
Floats4 = Annotated[NDArray[np.float32], 4]
Doubles1 = Annotated[NDArray[np.float64], 1]
Doubles2 = Annotated[NDArray[np.float64], 2]
