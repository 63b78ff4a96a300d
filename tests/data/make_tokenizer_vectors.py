#!/usr/bin/env python3
"""Writes tokenizer_vectors.json: small tokenizers of the kinds that checkpoints ship, and what the
PyPI package tokenizers (0.23.3) makes of texts with them.

The kinds: SentencePiece's BPE as Llama 2 and Mistral have it (a normalizer with Prepend and Replace,
or the pre-tokenizer Metaspace), and Llama 3's byte-level BPE.
"""
import json
import pathlib

from tokenizers import Tokenizer

SPACE = "\u2581"
LLAMA3_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                  r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
WORDS = ["the", "and", "ing", "hello", "world", "12", "123", "it", "'s", "\n\n", "é", "über", "  "]
TEXTS = ["", "Hello world", " hello  the world", "the and\n\n and", "it's 12345 and 123.", "<s>the</s> hello",
         "é über ü 日本 😀 the", "tab\tthe\r\nend ", "   ", "\u2581the", "<unk>hello", "IT'S THE'RE",
         "world</s>", "a<s> b", "the\u00a0end", "x" * 60 + "the" * 10]
SPECIALS = ["<unk>", "<s>", "</s>"]


def merges_of(words, vocab):
    """Merges that build the words from the left; what they make joins the vocabulary."""
    merges = []
    for word in words:
        for end in range(2, len(word) + 1):
            merge = [word[:end - 1], word[end - 1:end]]
            for part in (*merge, word[:end]):
                vocab.setdefault(part, len(vocab))
            if merge not in merges:
                merges.append(merge)
    return merges


def added_tokens(vocab):
    return [{"id": vocab[token], "content": token, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True} for token in SPECIALS]


def begin_with(token, token_id):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": token, "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {token: {"id": token, "ids": [token_id], "tokens": [token]}}}


def sentencepiece(normalizer, pre_tokenizer, decoder):
    vocab = {token: i for i, token in enumerate(SPECIALS)}
    vocab |= {f"<0x{byte:02X}>": len(SPECIALS) + byte for byte in range(256)}
    for character in SPACE + "abcdefghijklmnopqrstuvwxyzHWIT'12345.":
        vocab.setdefault(character, len(vocab))
    words = [word.replace(" ", SPACE) for word in WORDS if "\n" not in word]
    merges = merges_of([SPACE + word for word in words] + words, vocab)
    return {"version": "1.0", "added_tokens": added_tokens(vocab), "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer, "post_processor": begin_with("<s>", 1),
            "decoder": decoder,
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                      "vocab": vocab, "merges": merges}}


def byte_characters():
    """GPT-2's printable stand-ins for bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def llama3():
    characters = byte_characters()
    vocab = {token: i for i, token in enumerate(SPECIALS)}
    for character in characters:
        vocab.setdefault(character, len(vocab))
    words = ["".join(characters[byte] for byte in word.encode()) for word in WORDS]
    merges = merges_of(words + [characters[32] + word for word in words], vocab)
    vocab["whole"] = len(vocab)
    return {"version": "1.0", "added_tokens": added_tokens(vocab), "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": LLAMA3_PATTERN}, "behavior": "Isolated",
                 "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                 "use_regex": False}]},
            "post_processor": {"type": "Sequence", "processors": [
                {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False,
                 "use_regex": True}, begin_with("<s>", 1)]},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                        "use_regex": True},
            "model": {"type": "BPE", "ignore_merges": True, "vocab": vocab, "merges": merges}}


def main():
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    decoder = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}

    def metaspace(scheme):
        return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": False}

    prepend = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, replace]}
    kinds = {"prepend": sentencepiece(prepend, None, decoder),
             "metaspace_first": sentencepiece(None, metaspace("first"), decoder),
             "metaspace_always": sentencepiece(None, metaspace("always"), decoder),
             "llama3": llama3()}
    out = {}
    for name, definition in kinds.items():
        tokenizer = Tokenizer.from_str(json.dumps(definition))
        cases = []
        for text in TEXTS + ["whole whole"]:
            ids = tokenizer.encode(text).ids
            cases.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids)})
        out[name] = {"tokenizer": definition, "cases": cases}
    path = pathlib.Path(__file__).parent / "tokenizer_vectors.json"
    path.write_text(json.dumps(out).replace('}, "', '},\n"') + "\n")


if __name__ == "__main__":
    main()
