"""What the furnace's process variables are called: the one thing that the IOC and the driver share."""

from typing import Final

PREFIX: Final = "furnace:"
HOST: Final = "127.0.0.1"
PORT: Final = 5094
"""Away from 5064, where the IOCs of a real lab are found."""

# What a client may put. A put to START, with a key, begins the furnace's own program for the three settings.
TEMPERATURE_SP: Final = "TEMP:SP"
HOLD_SP: Final = "HOLD:SP"
QUENCH_SP: Final = "QUENCH:SP"
START: Final = "START"
STOP: Final = "STOP"
ASK: Final = "ASK"

# What became of the last put: empty, or why it was refused. Channel Access tells a client nothing of that.
FAULT: Final = "FAULT"

# What the furnace says of itself.
TEMPERATURE: Final = "TEMP"
HOLD: Final = "HOLD"
QUENCH: Final = "QUENCH"
HUMIDITY: Final = "HUMIDITY"
HARDNESS: Final = "HARDNESS"
INDENTS: Final = "INDENTS"
STATE: Final = "STATE"
HEATER: Final = "HEATER"
INTERLOCK: Final = "INTERLOCK"
HEARTBEAT: Final = "HEARTBEAT"
KEY: Final = "KEY"
RAMP: Final = "RAMP"
EXPECTED: Final = "EXPECTED"
RESULT: Final = "RESULT"
ANSWER: Final = "ANSWER"
MEMORY: Final = "MEMORY"
BOOT: Final = "BOOT"

# What a person can do to the simulated furnace.
SIM_DOOR: Final = "SIM:DOOR"
SIM_RUNAWAY: Final = "SIM:RUNAWAY"

STATES: Final = ("idle", "heating", "holding", "quenching", "measuring")
HEARTBEAT_S: Final = 0.2
LONGEST_TEXT: Final = 8000
LONGEST_KEY: Final = 400
