"""What stands below the figures of a study: title, how to read it, and what is seen for who cannot see it."""

EXPERIMENT = {
    "decision_maps": (
        "Decision maps",
        "The plane of the two features, one panel for each way of training. The solid line is the boundary in software. "
        "Grey is where chips disagree: the darker, the more of them answer against the majority. Points are test points, "
        "coloured by the share of chips that are right there. Look for grey that reaches into the crowd of points: these "
        "are lost on many chips.",
        "Maps of where simulated chips disagree, with the decision boundary and the test points"),
    "rate_curves": (
        "Rates of points",
        "Share of the test points that are right on at least x % of the chips. The height at the left end is what one may "
        "hope for, the height at 95 % is the robust share of the table. A good curve is high and stays level to the "
        "right.",
        "Curves of the share of test points against the share of chips on which they are right"),
    "accuracy_histograms": (
        "Accuracies of chips",
        "How many chips have which accuracy. Dashed: mean. Dotted: 5th percentile; 95 % of the chips are better. A long "
        "tail to the left is chips that one would throw away.",
        "Histograms of the accuracy over simulated chips, one for each way of training"),
    "conductance_maps": (
        "One chip",
        "Targets of one network, what a chip holds after programming, and the difference, layer by layer. Word lines run "
        "from left to right, the bias is on the last of them. Deep colour in the difference is a device that is stuck or "
        "was disturbed by later writes.",
        "Maps of target conductances, programmed conductances and their difference"),
}
COMPARISON = {
    "methods": (
        "All methods",
        "Each method at its accuracy in software (to the right is better) and its robust share (upwards is better). Black "
        "line: no rival is better in both. Nothing can be above the diagonal, for a point that is wrong in software cannot "
        "be robust. Bars go from the lowest to the highest training seed. A second panel is the upper corner of the first.",
        "Robust share against nominal accuracy of every method"),
    "conditions": (
        "Other chips",
        "Robust share of some methods on chips that they were not trained for. The grey line is what they were trained "
        "for. A curve that falls early asks for training with the chips at hand.",
        "Curves of the robust share over stuck devices, write disturb, wire resistance and number of devices"),
}
CALIBRATION = {
    "tuning": (
        "Writes",
        "Relative error of each measured write against its target. The band holds 95 % of the errors if the fit is right. "
        "Points far outside it, or a slope that the band does not follow, are what the card leaves out.",
        "Relative errors of measured writes over their targets, with the fitted band"),
    "disturb": (
        "Write disturb",
        "Measured changes of devices against the number of devices that were programmed later, with their quantiles and "
        "those of the card. Where the lines end, the card extrapolates.",
        "Changes of conductance against the number of later writes, measured and fitted"),
    "faults": (
        "Faults",
        "Devices that do not answer, one map for each file; white ones answer. Whole lines of one colour are failed "
        "lines.",
        "Maps of devices that do not answer, with their conductances"),
}
