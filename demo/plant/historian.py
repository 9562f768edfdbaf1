"""The historian 10.20.1.11: reads tank 1 each 10 s over a connection of its own."""

from pymodbus.client import ModbusTcpClient

import story

T0 = story.t0()
for n in range(23):
    story.at(T0, 5.3 + n * 10)
    client = ModbusTcpClient("10.20.1.31", timeout=1, retries=1)
    story.attempt("connect", client.connect)
    story.attempt("read", lambda: client.read_input_registers(0, count=4, device_id=1).registers)
    client.close()
