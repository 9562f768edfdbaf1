"""PLC-2, filter and dosing: an S7 server (python-snap7, pure Python). DB1 process values, DB10 recipe, DB20 free."""

import math
import struct
import time

from snap7.server import Server
from snap7.type import SrvArea

process, recipe, spare = bytearray(64), bytearray(128), bytearray(128)
struct.pack_into(">fffH", recipe, 0, 7.2, 1.4, 35.0, 3)

server = Server(log=False)
for number, area in ((1, process), (10, recipe), (20, spare)):
    server.register_area(SrvArea.DB, number, area)
server.register_area(SrvArea.MK, 0, bytearray(64))
server.register_area(SrvArea.PE, 0, bytearray(16))
server.register_area(SrvArea.PA, 0, bytearray(16))
server.start(tcp_port=102)
print("ready", flush=True)

while True:
    t = time.time()
    struct.pack_into(">ffff", process, 0, 7.2 + 0.1 * math.sin(t / 7), 1.4 + 0.02 * math.sin(t / 3), 35.0, 0.8)
    time.sleep(0.5)
