"""The laptop 10.20.1.66 that nobody announced: looks around, reads, writes a setpoint, stops a PLC, restarts an
outstation."""

import asyncio
import socket

import snap7
from dnp3.application.builder import build_cold_restart_request, build_read_request
from dnp3.master import LinkResetPolicy, Master, MasterConfig, MasterTcpRunner
from pycomm3 import CIPDriver
from pymodbus.client import ModbusTcpClient

import story

T0 = story.t0()


def knock() -> None:
    """Which address answers, and on which port of the trade."""
    for last in (*range(29, 35), 40, 41, 42):
        for port in (502, 102, 44818, 20000):
            try:
                with socket.create_connection((f"10.20.1.{last}", port), 0.15):
                    print(f"        10.20.1.{last}:{port} open", flush=True)
            except OSError:
                pass


async def outstation(steps) -> None:
    """A DNP3 session of its own, with the SCADA master's link address."""
    master = Master(config=MasterConfig(address=1, outstation_address=10))
    link = MasterTcpRunner(master=master, host="10.20.1.41", response_timeout=3.0, link_reset=LinkResetPolicy.NEVER)
    await link.open()
    try:
        await steps(master, link)
    except Exception as error:
        print("        dnp3", type(error).__name__, error, flush=True)
    finally:
        await link.close()


story.at(T0, 128, "looks who is there")
knock()

story.at(T0, 143, "asks who they are")
modbus = ModbusTcpClient("10.20.1.31", timeout=2)
story.attempt("modbus", modbus.connect)
story.attempt("43/14", lambda: modbus.read_device_information(read_code=1, object_id=0, device_id=1).information)
story.attempt("server id", lambda: modbus.report_device_id(device_id=1))
plc2 = snap7.Client()
story.attempt("s7", lambda: plc2.connect("10.20.1.32", 0, 2))
story.attempt("order code", plc2.get_order_code)
story.attempt("cpu info", plc2.get_cpu_info)
story.attempt("operating mode", lambda: plc2.read_szl(0x0424, 0))
story.attempt("list identity", lambda: CIPDriver.list_identity("10.20.1.33"))

story.at(T0, 157, "reads")
story.attempt("registers", lambda: len(modbus.read_holding_registers(0, count=120, device_id=1).registers))
story.attempt("beyond the end", lambda: modbus.read_holding_registers(4000, count=10, device_id=1))
story.attempt("program", lambda: len(plc2.upload(10)))


async def read_all(master, link) -> None:
    """An integrity poll: every point of the outstation."""
    await link.integrity_poll()


asyncio.run(outstation(read_all))

story.at(T0, 172, "writes the level setpoint of tank 1")
story.attempt("setpoint", lambda: modbus.write_register(100, 98, device_id=1))
story.at(T0, 176, "switches pump 1 off")
story.attempt("coil", lambda: modbus.write_coil(0, False, device_id=1))

story.at(T0, 188, "stops PLC-2")
story.attempt("stop", plc2.plc_stop)

story.at(T0, 202.5, "restarts the outstation of the intake")


async def restart(master, link) -> None:
    """Switches unsolicited reports off, then restarts."""
    await link.disable_unsolicited()
    await asyncio.sleep(0.8)
    await link.request(build_cold_restart_request(seq=master.next_request_sequence()))


asyncio.run(outstation(restart))
story.at(T0, 210, "leaves")
modbus.close()
plc2.disconnect()
