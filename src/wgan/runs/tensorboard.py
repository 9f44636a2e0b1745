"""TensorBoard's event files, written without TensorFlow."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wgan.files import Appender, write_error


class Events:
    """TensorBoard's event file, written record by record.

    Not torch's SummaryWriter: that one writes from a thread, which on a full disk prints a traceback of its own,
    and loses the last two minutes when the process is killed. The records are the same.
    """

    def __init__(self, folder: Path, purge_step: int) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.proto, self.summary, self.tensor, self.shape = event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from None
        # TensorBoard reads a folder's files in the order of their names; nanoseconds keep two quick starts apart
        self.file = Appender(folder / f"events.out.tfevents.{time.time_ns():020d}", "xb")
        self.records = RecordWriter(self.file)
        self.write(purge_step, file_version="brain.Event:2")
        # this makes TensorBoard forget what an interrupted process had written from purge_step on
        self.write(purge_step, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))

    def write(self, step: int, **content: Any) -> None:
        self.records.write(self.proto.Event(wall_time=time.time(), step=step, **content).SerializeToString())

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        value = self.summary.Summary.Value
        self.write(step, summary=self.summary.Summary(value=[value(tag=k, simple_value=v) for k, v in values.items()]))

    def image(self, step: int, tag: str, pixels: np.ndarray) -> None:
        from PIL import Image

        png = io.BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        height, width = pixels.shape[:2]
        image = self.summary.Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=png.getvalue()
        )
        self.write(step, summary=self.summary.Summary(value=[self.summary.Summary.Value(tag=tag, image=image)]))

    def text(self, step: int, tag: str, text: str) -> None:
        plugin = self.summary.SummaryMetadata(plugin_data=self.summary.SummaryMetadata.PluginData(plugin_name="text"))
        size = self.shape.TensorShapeProto(dim=[self.shape.TensorShapeProto.Dim(size=1)])
        tensor = self.tensor.TensorProto(dtype="DT_STRING", string_val=[text.encode()], tensor_shape=size)
        value = self.summary.Summary.Value(tag=tag, metadata=plugin, tensor=tensor)
        self.write(step, summary=self.summary.Summary(value=[value]))
