"""Ways to choose the next experiments, one file each, behind the protocol in ``protocol.py``."""
