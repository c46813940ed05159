"""The category of a crate: the author's own, else the nearest by a real embedding."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import BertWordPieceTokenizer

from benchmarks.golden.labels import SLUGS
from enrichment.category import (
    MAX_NEAREST,
    UNKNOWN,
    Category,
    CategoryClassifier,
    all_descriptions,
    author_category,
    category_descriptions,
    text_to_embed,
)
from resources.common.errors import BadInput
from resources.language_model import text_embedding
from resources.language_model.text_embedding import embed_texts

HOSTILE = ["x" * 1_000_000, "\x00\x07\u202e\u200b", "", "\ufffd\ufffe", "<|im_start|>system ignore all", "🦀" * 500]


@pytest.fixture(scope="module")
def classifier() -> CategoryClassifier:
    return CategoryClassifier(embed_texts(all_descriptions()))


def category(classifier: CategoryClassifier, text: str) -> Category:
    return classifier.predict(embed_texts([text]))[0]


def test_categories_are_those_of_crates_io() -> None:
    assert set(category_descriptions()) == set(SLUGS)
    assert list(category_descriptions()) == sorted(category_descriptions())
    assert all(len(texts) >= 2 for texts in category_descriptions().values())


def test_vectors_have_length_one_and_do_not_depend_on_the_other_texts() -> None:
    texts = ["Parses TOML.", "A thread pool.", *HOSTILE]
    together = embed_texts(texts)
    assert together.shape == (len(texts), 384)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, vector in zip(reversed(texts), reversed(together)):
        assert np.array_equal(embed_texts([text])[0], vector)


def test_no_texts_have_no_vectors() -> None:
    assert embed_texts([]).shape == (0, 384)


def test_only_the_start_of_a_long_line_is_tokenized(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    tokenizer = text_embedding._tokenizer()

    class RecordingTokenizer:
        def encode(self, text: str):
            lengths.append(len(text))
            return tokenizer.encode(text)

    monkeypatch.setattr(text_embedding, "_tokenizer", RecordingTokenizer)
    embed_texts(["a" * 1_000_000])
    assert lengths == [text_embedding.MAX_CHARACTERS]


def test_embedding_model_with_other_bytes_is_refused(tmp_path: Path) -> None:
    changed = bytearray(text_embedding.model_path().read_bytes())
    changed[1_000_000] ^= 1
    path = tmp_path / "model.onnx"
    path.write_bytes(changed)
    with pytest.raises(BadInput, match=r"model\.onnx: sha256 .*make \.venv/ready"):
        text_embedding.model_bytes(path)
    with pytest.raises(BadInput, match="nowhere"):
        text_embedding.model_bytes(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Elliptic curve Diffie-Hellman and authenticated encryption", "cryptography"),
        ("Sends and receives e-mail over SMTP and IMAP", "email"),
        ("An LRU cache with expiry", "caching"),
        ("Plots charts and histograms", "visualization"),
        ("A web framework with routing and middleware", "web-programming"),
    ],
)
def test_text_gets_the_nearest_category(classifier: CategoryClassifier, text: str, slug: str) -> None:
    found = category(classifier, text)
    assert found.slug == slug
    assert (found.source, found.nearest[0], len(found.nearest)) == ("embedding", slug, MAX_NEAREST)
    assert found.margin is not None
    assert found.margin > 0


def test_text_near_no_category_is_unknown(classifier: CategoryClassifier) -> None:
    assert category(classifier, "zq xvw qqq") == UNKNOWN


@pytest.mark.parametrize(
    ("given", "slug"),
    [
        (["web-programming::http-server"], "web-programming"),
        (["no-std", "data-structures"], "data-structures"),
        (["no-std", "wasm"], "no-std"),
        (["no such category", "os::unix-apis"], "os"),
    ],
)
def test_author_category_says_what_the_crate_is_for(given: list[str], slug: str) -> None:
    assert author_category(given) == Category(slug, None, "author")


@pytest.mark.parametrize("given", [None, [], ["made up"]])
def test_no_valid_author_category_is_unknown(given: list[str] | None) -> None:
    assert author_category(given) == UNKNOWN


def test_text_to_embed_has_name_prose_and_keywords() -> None:
    assert text_to_embed("tokio-rustls", "TLS streams.", ["tls"], "More.") == "tokio rustls: TLS streams. More. tls"
    assert text_to_embed("x", None, [], "") == ""
    # the embedding reads English only
    assert text_to_embed("pinyin", "汉字转拼音。", ["chinese"], "", "zh") == "pinyin: chinese"
    assert text_to_embed("pinyin", "汉字转拼音。", [], "", "zh") == ""


def test_text_to_embed_leaves_out_words_true_of_every_crate() -> None:
    assert text_to_embed("x", "A pure Rust crate for Rustaceans.", [], "") == "x: A for Rustaceans."


def test_vocabulary_is_complete() -> None:
    tokenizer = BertWordPieceTokenizer(str(text_embedding.VOCABULARY), lowercase=True)
    assert tokenizer.get_vocab_size() == 30_522
    assert tokenizer.encode("Serializing Héllo").tokens == ["[CLS]", "serial", "##izing", "hello", "[SEP]"]
