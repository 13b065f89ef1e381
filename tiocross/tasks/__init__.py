"""What is to be classified: records of labelled points, generated tasks, shipped data, the user's CSV files.

This room knows points and labels only. A `Dataset` is checked once, so that nothing behind it needs to check again.
"""

from tiocross.tasks.dataset import PARTS, Dataset, Scaling, Task
from tiocross.tasks.enumerated import LETTERS, LOGICAL_CLASSES, SurfaceCode, enumerate_surface_code, make_letters
from tiocross.tasks.files import load_moons, read_dataset, save_moons
from tiocross.tasks.generated import (
    PATTERNS, YIN_YANG, generate_circles, generate_moons, generate_patterns, generate_spirals, generate_yin_yang)
from tiocross.tasks.glyphs import generate_glyphs
from tiocross.tasks.shipped import SHIPPED, load
from tiocross.tasks.tables import read_task

__all__ = ["LETTERS", "LOGICAL_CLASSES", "PARTS", "PATTERNS", "SHIPPED", "YIN_YANG", "Dataset", "Scaling", "SurfaceCode",
           "Task", "enumerate_surface_code", "generate_circles", "generate_glyphs", "generate_moons", "generate_patterns",
           "generate_spirals", "generate_yin_yang", "load", "load_moons", "make_letters", "read_dataset", "read_task",
           "save_moons"]
