#!/usr/bin/env python3
"""Says whether a file is a QPKG that QTS would read. Shares no code with the packer: offsets are typed from the
published layout. Standard library only. Exit code 0: accepted. 1: refused, the reason on standard output."""

import gzip
import io
import re
import sys
import tarfile


class Refused(Exception):
    """Why a file is no package."""


def need(good, why):
    if not good:
        raise Refused(why)


def field(tail, start, width):
    raw = tail[start:start + width]
    need(all(0x20 <= byte < 0x7F for byte in raw), f"tail field at {start} is no text")
    return raw.decode("ascii")


def check_tail(blob):
    need(len(blob) > 100, "no room for a tail")
    tail = blob[-100:]
    need(tail[90:100] == b"QNAPQPKG  ", "flag at end-10")
    need(field(tail, 0, 10) == " " * 10, "model at end-100 is not blank")
    need(field(tail, 10, 30) == " " * 30, "spaces at end-90")
    need(field(tail, 50, 10) == " " * 10, "firmware version at end-50 is not blank")
    want = str(len(blob) * 3589 + 1000000000)[:10]
    need(blob[-60:-50] == want.encode(), "checksum at end-60")
    name, version = field(tail, 60, 20).rstrip(), field(tail, 80, 10).rstrip()
    need(re.fullmatch(r"[A-Za-z0-9_.-]+", name), "name at end-40")
    need(re.fullmatch(r"[0-9A-Za-z.+-]+", version), "version at end-20")
    return name, version


def number(text, key):
    found = re.findall(rf"^{key}=([1-9][0-9]*)$", text, re.M)
    need(len(found) == 1, f"{key} is not there exactly once")
    return int(found[0])


def check_script(body):
    need(body[:10] == b"#!/bin/sh\n", "first line")
    head = body[:65536].decode("latin-1")
    size = int((re.search(r"^script_len=([0-9]+)$", head, re.M) or [0, "0"])[1])
    need(0 < size <= len(body), "script_len")
    script = body[:size]
    need(script.endswith(b"\n"), "script_len is not at the end of a line")
    need(b"\0" not in script and b"\r" not in script, "script holds NUL or CR")
    text = script.decode("latin-1")
    number(text, "script_len")
    need(re.search(r"^exit (10|0)$", text, re.M), "script does not end with exit 10 or 0")
    return size, number(text, "ctrl_len"), number(text, "data_len")


def members(raw, what):
    need(len(raw) % 512 == 0 and raw[-1024:] == bytes(1024), f"{what}: end mark of the tar")
    need(raw[257:263] == b"ustar\0", f"{what}: not ustar")
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
        items = tar.getmembers()
        need(items and all(item.isfile() for item in items), f"{what}: something that is no file")
        names = [item.name for item in items]
        need(names == sorted(set(names)), f"{what}: names are not sorted and single")
        for item in items:
            need(not item.name.startswith("/") and ".." not in item.name.split("/"), f"{what}: {item.name} leaves")
            need(item.uid == 0 and item.gid == 0, f"{what}: {item.name} is not root's")
        need(len({item.mtime for item in items}) == 1, f"{what}: more than one time")
        end = items[-1].offset_data + (items[-1].size + 511) // 512 * 512
        need(not any(raw[end:]), f"{what}: bytes after the last file")
        return {item.name: (item.mode, tar.extractfile(item).read()) for item in items}


def unpacked(raw, what):
    need(raw[:2] == b"\x1f\x8b", f"{what}: not gzip")
    need(raw[4:8] == bytes(4), f"{what}: gzip carries a time")
    return gzip.decompress(raw)


def check_area(area):
    if not area:
        return
    need(area[:3] == b"QDK", "bytes between data and tail are no QDK area")
    at, kinds = 3, []
    while at < len(area):
        need(at + 5 <= len(area), "cut record in the QDK area")
        kind, size = area[at], int.from_bytes(area[at + 1:at + 5], "big")
        at += 5 + size
        need(at <= len(area), "record reaches beyond the QDK area")
        kinds.append(kind)
        need(kind != 254 or size > 0, "empty signature")
    need(kinds == [254, 255], f"records of the QDK area are {kinds}")


def check(blob):
    name, version = check_tail(blob)
    body = blob[:-100]
    script, control, data = check_script(body)
    need(script + control + data <= len(body), "lengths reach beyond the file")
    outer = members(body[script:script + control], "control.tar")
    need(list(outer) == ["control.tar.gz"], "control.tar holds something else")
    inner = members(unpacked(outer["control.tar.gz"][1], "control.tar.gz"), "control")
    for wanted in ("built_info", "package_routines", "qinstall.sh", "qpkg.cfg"):
        need(wanted in inner, f"control has no {wanted}")
    need(re.fullmatch(rb"time = [0-9]{8}\n", inner["built_info"][1]), "built_info")
    config = inner["qpkg.cfg"][1].decode()
    for key, value in (("QPKG_NAME", name), ("QPKG_VER", version)):
        found = re.search(rf'^{key}="?([^"\n]*)"?$', config, re.M)
        need(found and found[1] == value, f"{key} differs between qpkg.cfg and the tail")
    files = members(unpacked(body[script + control:script + control + data], "data.tar.gz"), "data")
    for wanted in ("assay", "smartctl"):
        need(wanted in files and files[wanted][0] & 0o111, f"data has no {wanted} that runs")
    check_area(body[script + control + data:])


def main():
    try:
        with open(sys.argv[1], "rb") as file:
            check(file.read())
    except (Refused, tarfile.TarError, OSError, EOFError, ValueError, gzip.zlib.error) as error:
        print(f"refused: {error}")
        return 1
    print("accepted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
