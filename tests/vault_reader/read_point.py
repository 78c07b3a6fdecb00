#!/usr/bin/env python3
"""A second reader of Holdfast vaults, written from docs/vault-format.md alone.

    read_point.py VAULT_DIRECTORY KEY_FILE                      lists the recovery points
    read_point.py VAULT_DIRECTORY KEY_FILE POINT DISK OUTPUT    restores one disk as a sparse file

Needs Python 3.9 and the PyPI packages blake3, cryptography and zstandard. It reads no index: packs describe themselves.
"""

import json
import os
import struct
import sys
from pathlib import Path

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
import zstandard

LEAF_SPAN = 4 << 20
CONFIG, MANIFEST, DATA_PACK, MAP_PACK = 1, 2, 3, 4


def derive(key, purpose):
    return blake3(key, derive_key_context="holdfast-vault 1 " + purpose).digest()


def read_key(path):
    text = Path(path).read_text().strip().lower()
    if not text.startswith("hfkey1-"):
        sys.exit(f"{path} holds no vault key")
    digits = bytes.fromhex("".join(text[len("hfkey1-"):].replace("-", " ").split()))
    key, check = digits[:32], digits[32:]
    if len(digits) != 36 or derive(key, "key text check")[:4] != check:
        sys.exit(f"the key in {path} is mistyped")
    return key


def unseal(purpose_key, salt, number, aad, sealed):
    key = blake3(salt, key=purpose_key).digest()
    return AESGCM(key).decrypt(struct.pack("<QI", number, 0), bytes(sealed), bytes(aad))


def check_header(name, data, kind):
    magic, found, version, zero = struct.unpack_from("<8sHHI", data)
    if magic != b"HOLDFAST" or found != kind or zero != 0:
        sys.exit(f"{name} is not what its name says")
    if version != 1:
        sys.exit(f"{name} has format {version}; this reader knows 1")


def open_object(path, kind, purpose_key, clear=0):
    data = path.read_bytes()
    check_header(path, data, kind)
    start = 16 + clear + 32
    return data[16:16 + clear], unseal(purpose_key, data[16 + clear:start], 0, data[:start], data[start:])


class Vault:
    def __init__(self, directory, key):
        self.directory = Path(directory)
        self.key = key
        clear, config = open_object(self.directory / "config", CONFIG, derive(key, "config"), clear=32)
        assert clear[16:] == derive(key, "key id")[:16]
        self.settings = json.loads(config)["settings"]
        self.ids = {"data": derive(key, "block id"), "map": derive(key, "page id")}
        self.frame_key, self.footer_key = derive(key, "frame"), derive(key, "pack footer")
        self.where = {"data": {}, "map": {}}
        for kind, number in (("data", DATA_PACK), ("map", MAP_PACK)):
            for path in sorted((self.directory / kind).glob("??/*")):
                if "#" not in path.name:
                    self.read_footer(path, kind, number)
        self.last = None

    def points(self):
        for path in sorted((self.directory / "points").iterdir()):
            if "#" not in path.name:
                manifest = json.loads(open_object(path, MANIFEST, derive(self.key, "manifest"))[1])
                assert manifest["point"] == path.name
                yield manifest

    def read_footer(self, path, kind, number):
        data = path.read_bytes()
        assert blake3(data).hexdigest() == path.name, f"{path} is damaged"
        check_header(path, data, number)
        length, zero, magic = struct.unpack("<II8s", data[-16:])
        assert zero == 0 and magic == b"PACKEND1"
        end = len(data) - 16 - length
        footer = data[end:-16]
        plain = unseal(self.footer_key, footer[:32], 0, data[:16], footer[32:])
        (frames,), at, offset = struct.unpack_from("<I", plain), 4, 16
        for _ in range(frames):
            frame_length, slots = struct.unpack_from("<II", plain, at)
            at += 8
            for slot in range(slots):
                self.where[kind][plain[at:at + 16]] = (path, offset, frame_length, slot)
                at += 16
            offset += frame_length
        assert at == len(plain) and offset == end

    def content(self, kind, identity):
        """The block or page of an id, checked against it."""
        path, offset, length, slot = self.where[kind][identity[:16]]
        if self.last is None or self.last[0] != (path, offset):
            with open(path, "rb") as pack:
                pack.seek(offset)
                self.last = ((path, offset), self.open_frame(pack.read(length), kind))
        slot_length, plain = self.last[1]
        found = plain[slot * slot_length:(slot + 1) * slot_length]
        assert blake3(found, key=self.ids[kind]).digest() == identity, "a block is not what its id says"
        return found

    def open_frame(self, frame, kind):
        magic, codec, found, slots, slot_length, sealed, number = struct.unpack_from("<4sBBHIIQ", frame)
        assert magic == b"HFF1" and found == {"data": 0, "map": 1}[kind] and 48 + sealed == len(frame)
        plain = unseal(self.frame_key, frame[24:48], number, frame[:48], frame[48:])
        if codec == 1:
            plain = zstandard.ZstdDecompressor().decompress(plain, max_output_size=256 << 10)
        assert len(plain) == slots * slot_length
        return slot_length, plain

    def blocks(self, disk):
        """(offset, block) for every block that is not zeroes."""
        fanout = LEAF_SPAN // disk["block_size"]
        leaves, height = -(-disk["size"] // LEAF_SPAN), 1
        while leaves > 1:
            leaves, height = -(-leaves // fanout), height + 1
        yield from self.walk(bytes.fromhex(disk["root"]), height - 1, 0, fanout, disk["block_size"])

    def walk(self, identity, level, offset, fanout, block_size):
        if identity == bytes(32):
            return
        page = self.content("map", identity)
        step = LEAF_SPAN * fanout ** (level - 1) if level else block_size
        for n in range(fanout):
            below = page[n * 32:n * 32 + 32]
            if level:
                yield from self.walk(below, level - 1, offset + n * step, fanout, block_size)
            elif below != bytes(32):
                yield offset + n * step, self.content("data", below)


def main():
    if len(sys.argv) not in (3, 6):
        sys.exit(__doc__)
    vault = Vault(sys.argv[1], read_key(sys.argv[2]))
    if len(sys.argv) == 3:
        for point in vault.points():
            disks = ", ".join(f"{disk['name']} ({disk['size']} bytes)" for disk in point["disks"])
            print(point["point"], point["created"], point["server"]["name"], disks)
        return
    point_id, name, output = sys.argv[3:]
    point = next(point for point in vault.points() if point["point"] == point_id)
    disk = next(disk for disk in point["disks"] if disk["name"] == name)
    with open(output, "wb") as target:
        for offset, block in vault.blocks(disk):
            os.pwrite(target.fileno(), block[:disk["size"] - offset], offset)
        target.truncate(disk["size"])


if __name__ == "__main__":
    main()
