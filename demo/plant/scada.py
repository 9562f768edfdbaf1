"""The SCADA server 10.20.1.10: polls all four devices, and twice does what an operator does."""

import asyncio
import sys
import threading

import snap7
from dnp3.master import LinkResetPolicy, Master, MasterConfig, MasterTcpRunner
from pycomm3 import REAL, LogixDriver
from pymodbus.client import ModbusTcpClient

import story

T0, END = story.t0(), 230


def modbus() -> None:
    """Every 2 s; at 31 s the operator moves the level setpoint from 55 to 60 %."""
    client = ModbusTcpClient("10.20.1.31", timeout=2)
    client.connect()
    for n in range(END // 2):
        story.at(T0, n * 2)
        client.read_holding_registers(100, count=4, device_id=1)
        client.read_input_registers(0, count=4, device_id=1)
        if n % 2 == 0:
            client.read_coils(0, count=8, device_id=1)
        if n == 15:
            story.at(T0, 31, "operator: level setpoint 60 %")
            client.write_register(100, 60, device_id=1)
    client.close()


def s7() -> None:
    """Every 2.5 s; sees the CPU in STOP when it is."""
    client = snap7.Client()
    client.connect("10.20.1.32", 0, 2)
    for n in range(int(END / 2.5)):
        story.at(T0, 0.4 + n * 2.5)
        story.attempt("db1", lambda: client.db_read(1, 0, 16))
        if n % 4 == 0:
            story.attempt("db10", lambda: client.db_read(10, 0, 14))
    client.disconnect()


def tag(name: str, size: int) -> dict:
    """What pycomm3 wants to know of a REAL tag."""
    return {"tag_name": name, "dim": 1 if size else 0, "dimensions": [size, 0, 0], "instance_id": None, "alias": False,
            "external_access": "Read/Write", "tag_type": "atomic", "data_type": "REAL", "data_type_name": "REAL",
            "type_class": REAL}


def cip() -> None:
    """Every 3 s."""
    driver = LogixDriver("10.20.1.33", init_tags=False, init_program_tags=False)
    driver.open()
    # this server has no list of its tags to upload, so the driver is told
    driver._cfg["use_instance_ids"] = False
    driver._tags = {name: tag(name, size) for name, size in (("Pump_Speed_SP", 0), ("Pump_Speed", 0), ("Flow", 4))}
    for n in range(END // 3):
        story.at(T0, 0.8 + n * 3)
        story.attempt("cip", lambda: driver.read("Pump_Speed_SP", "Pump_Speed", "Flow{4}"))
    driver.close()


async def dnp3() -> None:
    """Integrity poll each 60 s, events each 5 s; at 46 s the operator opens a valve: select, then operate."""
    master = Master(config=MasterConfig(address=1, outstation_address=10))
    link = MasterTcpRunner(master=master, host="10.20.1.41", response_timeout=4.0, link_reset=LinkResetPolicy.ON_OPEN)
    for n in range(END // 5):
        await asyncio.to_thread(story.at, T0, 1.2 + n * 5)
        try:
            if not link.is_open:
                await link.open()
            if n % 12 == 0:
                await link.integrity_poll()
            else:
                await link.class_poll()
            if n == 9:
                print("operator: intake valve open", flush=True)
                command = master.command_builder()
                command.latch_on(2)
                await link.request(master.build_select(command.build_select()))
                await asyncio.sleep(0.2)
                await link.request(master.build_operate(command.build_operate()))
        except Exception as error:  # the outstation serves one master at a time, and restarts in the story
            print(f"dnp3 poll {n}: {type(error).__name__}: {error}", flush=True)
            await link.close()
    await link.close()


threads = [threading.Thread(target=f) for f in (modbus, s7, cip)]
for thread in threads:
    thread.start()
asyncio.run(dnp3())
for thread in threads:
    thread.join()
sys.exit(0)
