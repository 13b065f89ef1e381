"""What is to be classified: records of labelled points, generated tasks, the shipped half moons, CSV files.

This room knows points and labels only. A `Dataset` is checked once, so that nothing behind it needs to check again.
"""

from tiocross.tasks.dataset import PARTS, Dataset, Task
from tiocross.tasks.files import load_moons, read_dataset, save_moons
from tiocross.tasks.generated import PATTERNS, generate_circles, generate_moons, generate_patterns, generate_spirals
from tiocross.tasks.glyphs import generate_glyphs

__all__ = ["PARTS", "PATTERNS", "Dataset", "Task", "generate_circles", "generate_glyphs", "generate_moons",
           "generate_patterns", "generate_spirals", "load_moons", "read_dataset", "save_moons"]
