"""What can be named in a campaign file, and where it lives: strategies and instruments."""

from collections.abc import Mapping

from labctl_drivers.registry import KINDS

STRATEGIES: Mapping[str, str] = {
    "space_filling": "labctl.strategies.initial:SpaceFilling",
    "random_start": "labctl.strategies.initial:RandomStart",
    "replicate": "labctl.strategies.replicate:Replicate",
    "improve": "labctl.strategies.improve:Improve",
    "improve_by_cost": "labctl.strategies.by_cost:ImproveByCost",
    "vetoed": "labctl.strategies.vetoed:Vetoed",
    "optimism": "labctl.strategies.optimism:Optimism",
    "thompson": "labctl.strategies.thompson:Thompson",
    "knowledge_gradient": "labctl.strategies.knowledge_gradient:KnowledgeGradient",
    "plugged": "labctl.strategies.plugged:Plugged",
    "explore": "labctl.strategies.explore:Explore",
    "gaps": "labctl.strategies.gaps:Gaps",
    "novelty": "labctl.strategies.novelty:Novelty",
    "outcome_novelty": "labctl.strategies.outcome_novelty:OutcomeNovelty",
    "learned_novelty": "labctl.strategies.learned_novelty:LearnedNovelty",
    "cells": "labctl.strategies.cells:Cells",
    "random": "labctl.strategies.random:Random",
}
"""Where each strategy lives; a new one is one file in that folder and one line here."""

_UNASKED = ("space_filling", "random_start", "replicate", "improve_by_cost", "vetoed")
ARMS = tuple(name for name in STRATEGIES if name not in _UNASKED)
"""The strategies that a campaign may share its budget among after the start."""

FOR_ONE_GOAL = ("optimism", "thompson", "knowledge_gradient")
"""Strategies that rank by a prediction of one goal to be maximised or minimised."""

INSTRUMENTS = ("replay", *KINDS, "hand")
"""The kinds of instrument; a driver's own kinds are named in ``labctl_drivers.registry``."""
