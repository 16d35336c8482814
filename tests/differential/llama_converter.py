"""Makes GGUF files of Hugging Face folders with llama.cpp's own converter, of llama-cpp-python's source distribution."""

import contextlib
import json
import logging
import os
import sys
from pathlib import Path

import llama_sources


def load(folder):
    """The converter's package, unpacked into `folder`."""
    llama_sources.unpack(folder, ["conversion/", "gguf-py/gguf/"])
    sys.path[:0] = [str(Path(folder) / "gguf-py"), str(folder)]
    import conversion

    logging.disable(logging.WARNING)
    return conversion


def convert(conversion, model, target):
    """Writes `model`, a folder without a tokenizer, to `target` as float32; the folder gets a stub of one."""
    import gguf
    import torch

    # Gemma 3's class counts the tokens.
    config = json.loads((Path(model) / "config.json").read_text())
    size = config.get("text_config", config)["vocab_size"]
    stub = {"model": {"vocab": {f"t{i}": i for i in range(size)}}, "added_tokens": []}
    (Path(model) / "tokenizer.json").write_text(json.dumps(stub))
    hparams = conversion.ModelBase.load_hparams(Path(model), False)
    base = conversion.get_model_class(conversion.get_model_architecture(hparams, conversion.ModelType.TEXT))

    def set_vocab(self):
        self._set_vocab_none()
        with contextlib.suppress(ValueError):  # some architectures write it themselves
            self.gguf_writer.add_vocab_size(self.hparams["vocab_size"])

    # The registry finds architectures by the attribute, not by the name of the class.
    made = type(base.__name__, (base,), {"set_vocab": set_vocab, "model_arch": base.model_arch})
    with torch.inference_mode(), open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        made(Path(model), gguf.LlamaFileType.ALL_F32, Path(target)).write()
    return target
