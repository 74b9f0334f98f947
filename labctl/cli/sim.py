"""Commands around simulated instruments: their panel of faults, and what they need."""

import typer

from labctl.cli import sim_faults, sim_ioc

sim = typer.Typer(help="Simulated instruments to practise on.", no_args_is_help=True)

sim.command("panel")(sim_faults.panel)
sim.command("fault")(sim_faults.fault)
sim.command("refill")(sim_faults.refill)
sim.command("ioc")(sim_ioc.ioc)
