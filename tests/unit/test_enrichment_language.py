"""The language of a text is named only if it is certain."""

import pytest

from enrichment.language import language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Asynchronous web framework with routing and middleware.", "en"),
        ("一个快速的 JSON 解析器，用于服务器。", "zh"),
        ("サーバー向けの高速なJSONパーサーです。", "ja"),
        ("빠른 JSON 파서 라이브러리입니다.", "ko"),
        ("Быстрый парсер JSON для серверов.", "ru"),
        ("Eine kleine Bibliothek zum Lesen von Dateien.", "de"),
        ("Bibliothèque pour lire des fichiers de configuration.", "fr"),
        ("Una biblioteca para leer y escribir archivos de configuración.", "es"),
        ("Uma biblioteca para ler e escrever arquivos de configuração.", "pt"),
        ("foo", None),
        ("TLS HTTP2 QUIC RPC gRPC I2C SPI CAN", None),
        ("", None),
    ],
)
def test_language_is_named_or_none(text: str, code: str | None) -> None:
    assert language(text) == code
