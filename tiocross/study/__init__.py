"""The paper's experiment and the comparison of methods: recipes, runs, rows, figures."""
