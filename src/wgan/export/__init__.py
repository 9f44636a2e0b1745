"""A trained generator taken elsewhere: a folder for the hub, one HTML page, an ONNX file."""
