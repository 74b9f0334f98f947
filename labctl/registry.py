"""What can be named in a campaign file, and where it lives: strategies and instruments."""

from collections.abc import Mapping

from labctl_drivers.registry import KINDS

STRATEGIES: Mapping[str, str] = {
    "space_filling": "labctl.strategies.initial:SpaceFilling",
    "random_start": "labctl.strategies.initial:RandomStart",
    "replicate": "labctl.strategies.replicate:Replicate",
    "improve": "labctl.strategies.improve:Improve",
    "explore": "labctl.strategies.explore:Explore",
    "gaps": "labctl.strategies.gaps:Gaps",
    "novelty": "labctl.strategies.novelty:Novelty",
    "outcome_novelty": "labctl.strategies.outcome_novelty:OutcomeNovelty",
    "learned_novelty": "labctl.strategies.learned_novelty:LearnedNovelty",
    "cells": "labctl.strategies.cells:Cells",
    "random": "labctl.strategies.random:Random",
}
"""Where each strategy lives; a new one is one file in that folder and one line here."""

ARMS = tuple(name for name in STRATEGIES if name not in ("space_filling", "random_start", "replicate"))
"""The strategies that a campaign may share its budget among after the start."""

INSTRUMENTS = ("replay", *KINDS, "hand")
"""The kinds of instrument; a driver's own kinds are named in ``labctl_drivers.registry``."""
