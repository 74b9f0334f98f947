"""Which columns of a stranger's table are settings, what laws they obey, and how long to search it."""

from labctl.guess.goal import find_goal
from labctl.guess.guesses import Guess, Law, Plan
from labctl.guess.planning import plan
from labctl.guess.remarks import Remark, is_bound, remarks

__all__ = ["Guess", "Law", "Plan", "Remark", "find_goal", "is_bound", "plan", "remarks"]
