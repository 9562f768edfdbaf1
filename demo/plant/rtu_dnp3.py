"""RTU-1, the intake station: a DNP3 outstation (dnp3py), address 10."""

import asyncio
import math
import sys
import time

import dnp3.database as db
import dnp3.outstation.handler as handler
from dnp3.outstation import Outstation, OutstationConfig, OutstationTcpRunner


class Commands(handler.DefaultCommandHandler):
    """Accepts controls and restarts."""

    restarted = None

    def cold_restart(self):
        """Answers a cold restart: back in 12 s. `main` takes the station away for as long."""
        print("cold restart", flush=True)
        self.restarted.set()
        return 12000

    def warm_restart(self):
        """Answers a warm restart."""
        return 500


def database() -> db.Database:
    """The points of the station."""
    points = db.Database()
    for i in range(6):
        points.add_binary_input(i, db.BinaryInputConfig())
        points.add_binary_output(i, db.BinaryOutputConfig())
    for i in range(4):
        points.add_analog_input(i, db.AnalogInputConfig())
    points.add_analog_output(0, db.AnalogOutputConfig())
    points.add_counter(0, db.CounterConfig())
    return points


async def field(points: db.Database) -> None:
    """What the intake does: level, flow, a switch that bounces, a counter."""
    n = 0
    while True:
        await asyncio.sleep(4)
        n += 1
        points.update_analog_input(0, value=round(3.1 + 0.2 * math.sin(time.time() / 11), 3))
        points.update_analog_input(1, value=float(40 + n % 6))
        points.update_binary_input(2, value=n % 5 == 0)
        points.update_counter(0, value=1000 + n)


async def main() -> None:
    """Serves until restarted, is away for 12 s, and serves again with its restart indication set."""
    while True:
        points, commands = database(), Commands()
        commands.restarted = asyncio.Event()
        outstation = Outstation(database=points, config=OutstationConfig(address=10), handler=commands)
        runner = OutstationTcpRunner(outstation=outstation, host=sys.argv[1], port=20000)
        tasks = [asyncio.create_task(runner.run()), asyncio.create_task(field(points))]
        await commands.restarted.wait()
        await asyncio.sleep(0.5)
        await runner.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(12)


asyncio.run(main())
