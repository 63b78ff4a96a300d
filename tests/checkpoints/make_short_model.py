"""Copies a GGUF model with its first layers only: make_short_model.py MODEL LAYERS OUTPUT.

Its texts make no sense, but scenarios compare texts with texts: an instrumented engine answers them
in a fraction of the time. TANDEM_TEST_MODEL names it to the tests.
"""

import re
import sys

import gguf


def main():
    source, layers, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    reader = gguf.GGUFReader(source)
    architecture = reader.get_field("general.architecture").contents()
    writer = gguf.GGUFWriter(output, architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        value = layers if field.name == f"{architecture}.block_count" else field.contents()
        element_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, field.types[0], element_type)
    for tensor in reader.tensors:
        layer = re.match(r"blk\.(\d+)\.", tensor.name)
        if layer is None or int(layer[1]) < layers:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
