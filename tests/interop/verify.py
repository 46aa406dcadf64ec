"""Says of each call on standard input whether Python's `http-message-signatures` takes it: true, or why not."""

import json
import sys
from types import SimpleNamespace

from sign import public_key, verified

ANSWERS = [
    verified(
        public_key(call["public_key"]),
        call["key_id"],
        SimpleNamespace(method=call["method"], url=call["url"], headers=call["headers"]),
    )
    for call in json.load(sys.stdin)
]
print(json.dumps(ANSWERS))
