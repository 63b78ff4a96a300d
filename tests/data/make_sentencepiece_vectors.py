#!/usr/bin/env python3
"""Writes sentencepiece_vectors.json: a small BPE model with byte fallback, as Llama 2's is trained,
and what the PyPI package sentencepiece (0.2.3) makes of texts with it.

pip install sentencepiece && python3 make_sentencepiece_vectors.py
"""
import io
import json
import pathlib

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = ["", " ", "   ", "Hello world", " hello  the world", "the and\n\n and", "it's 12345 and 123.",
         "é über ü 日本 😀 the", "tab\tthe\r\nend ", "\u2581the", "the\u00a0end", "x" * 60 + "the" * 10,
         "aaaaaaa", "ababababa", "the checkpoint's tokens, and the store", "Übermaß", "a\u0301b",
         "request_path = architecture + testing;", "<0x0A>", "\x00\x7f", "ing tion ment", "𝔘𝔫𝔦"]
# GGML's numbers of sentencepiece's types.
TYPES = {"NORMAL": 1, "UNKNOWN": 2, "CONTROL": 3, "USER_DEFINED": 4, "UNUSED": 5, "BYTE": 6}


def train():
    corpus = [line for path in sorted((ROOT / "docs").glob("*.md"))
              for line in path.read_text().splitlines()]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=model, model_type="bpe", vocab_size=700,
        byte_fallback=True, split_digits=True, allow_whitespace_only_pieces=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto


def processor(proto, space_prefix):
    proto.normalizer_spec.add_dummy_prefix = space_prefix
    return sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())


def main():
    proto = train()
    encode, encode_bare = (processor(proto, prefix).encode for prefix in (True, False))
    vectors = [{"text": text, "ids": encode(text), "ids_without_space_prefix": encode_bare(text)}
               for text in TEXTS]
    type_name = sentencepiece_model_pb2.ModelProto.SentencePiece.Type.Name
    document = {"tokens": [piece.piece for piece in proto.pieces],
                "scores": [piece.score for piece in proto.pieces],
                "types": [TYPES[type_name(piece.type)] for piece in proto.pieces],
                "vectors": vectors}
    path = pathlib.Path(__file__).with_name("sentencepiece_vectors.json")
    path.write_text(json.dumps(document, ensure_ascii=False, indent=None) + "\n")


if __name__ == "__main__":
    main()
