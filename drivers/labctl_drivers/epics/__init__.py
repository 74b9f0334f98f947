"""A furnace on an EPICS network: a simulated one to practise on (``ioc``), and the driver for it."""
