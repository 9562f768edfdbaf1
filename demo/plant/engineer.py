"""The engineering workstation 10.20.1.20: planned work on PLC-2 in the maintenance window.
Looks at the CPU, saves the recipe, stops it, loads a new one, starts it."""

import struct

import snap7

import story

T0 = story.t0()
story.at(T0, 60, "engineer goes online with PLC-2")
client = snap7.Client()
client.connect("10.20.1.32", 0, 2)
story.attempt("order code", client.get_order_code)
story.attempt("cpu info", client.get_cpu_info)
story.attempt("operating mode", lambda: client.read_szl(0x0424, 0))
story.at(T0, 64, "gives the password")
story.attempt("password", lambda: client.set_session_password("Dosing24"))
story.at(T0, 67, "lists and uploads the recipe block")
story.attempt("list", client.list_blocks)
story.attempt("upload", lambda: len(client.upload(10)))
story.at(T0, 76, "stops the CPU")
story.attempt("stop", client.plc_stop)
story.at(T0, 79, "downloads the new recipe")
block = bytearray(128)
struct.pack_into(">fffH", block, 0, 7.4, 1.6, 40.0, 4)
story.attempt("download", lambda: client.download(block, 10))
story.at(T0, 86, "starts the CPU")
story.attempt("start", client.plc_hot_start)
story.at(T0, 90)
story.attempt("operating mode", lambda: client.read_szl(0x0424, 0))
client.disconnect()
