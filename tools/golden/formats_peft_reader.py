#!/usr/bin/env python3
"""Reads a PEFT adapter folder with nothing but the standard library and prints, per module in the order of its name,
`name r alpha inputs outputs sha256(A) sha256(B)`, the digests over the raw little-endian F32 bytes."""
import hashlib, json, struct, sys


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length].decode("utf-8"))
    assert length % 8 == 0 and header.pop("__metadata__") == {"format": "pt"}
    tensors, used = {}, 0
    for name, entry in header.items():
        assert entry["dtype"] == "F32"
        begin, end = entry["data_offsets"]
        rows, columns = entry["shape"]
        assert begin == used and end - begin == 4 * rows * columns
        tensors[name] = (rows, columns, data[8 + length + begin:8 + length + end])
        used = end
    assert 8 + length + used == len(data)
    return tensors


def main(folder):
    with open(folder + "/adapter_config.json", encoding="utf-8") as file:
        config = json.load(file)
    assert config["peft_type"] == "LORA" and config["task_type"] == "CAUSAL_LM" and config["bias"] == "none"
    assert config["inference_mode"] is True and not config["use_dora"] and not config["use_rslora"] and not config["fan_in_fan_out"]
    tensors = read_safetensors(folder + "/adapter_model.safetensors")
    names = {key[len("base_model.model."):-len(".lora_A.weight")] for key in tensors}
    assert len(tensors) == 2 * len(names)
    for name in sorted(names):
        assert name.split(".")[-1] in config["target_modules"]
        rank = config["rank_pattern"].get(name, config["r"])
        alpha = config["alpha_pattern"].get(name, config["lora_alpha"])
        a_rows, inputs, a = tensors["base_model.model." + name + ".lora_A.weight"]
        outputs, b_columns, b = tensors["base_model.model." + name + ".lora_B.weight"]
        assert a_rows == rank == b_columns
        print(name, rank, alpha, inputs, outputs, hashlib.sha256(a).hexdigest(), hashlib.sha256(b).hexdigest())


if __name__ == "__main__":
    main(sys.argv[1])
