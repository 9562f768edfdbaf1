"""PLC-1, tank 1: a Modbus server (pymodbus). Holding registers: 100 level setpoint in %, 101 pump speed, 102 mode;
input registers: 0 level in 0.1 %, 1 inflow, 2 outflow, 3 pump current; coils: 0 pump 1, 1 pump 2, 2 drain valve."""

import asyncio
import math
import sys
import time

from pymodbus import ModbusDeviceIdentification
from pymodbus.server import StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

IDENTITY = ModbusDeviceIdentification(
    info_name={
        "VendorName": "Example Controls",
        "ProductCode": "TC-200",
        "MajorMinorRevision": "2.14",
        "ProductName": "Tank controller",
        "ModelName": "TC-200/8",
        "UserApplicationName": "Tank 1",
    }
)


async def process(function_code, start_address, address, count, current_registers, set_values):
    """Moves the level a little whenever the input registers are read."""
    if function_code == 4:
        t = time.time()
        values = [550 + int(12 * math.sin(t / 9)), 312 + int(t) % 5, 309 + int(t * 2) % 7, 148 + int(t) % 3]
        for offset, value in enumerate(values):
            index = offset - start_address
            if 0 <= index < len(current_registers):
                current_registers[index] = value
    return None


def device() -> SimDevice:
    """The controller's memory."""
    coils = [SimData(0, values=[True, False, False, True] + [False] * 12, datatype=DataType.BITS)]
    inputs = [SimData(0, values=[True] * 16, datatype=DataType.BITS)]
    holding = [0] * 128
    holding[100:104] = [55, 1450, 2, 0]
    return SimDevice(
        id=1,
        simdata=(
            coils,
            inputs,
            [SimData(0, values=holding, datatype=DataType.REGISTERS)],
            [SimData(0, values=[550, 312, 309, 148, 0, 0, 0, 0], datatype=DataType.REGISTERS)],
        ),
        identity=IDENTITY,
        action=process,
    )


asyncio.run(StartAsyncTcpServer(context=[device()], identity=IDENTITY, address=(sys.argv[1], 502)))
