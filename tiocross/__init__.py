"""tiocross: small neural networks on passive TiO2 memristor crossbars, and honestly how well they will work there.

Names are imported when first used: ``import tiocross`` loads neither numba nor matplotlib.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "MLP": "learning.network",
    "train": "learning.training",
    "TrainingSettings": "learning.training",
    "NoiseInjection": "learning.techniques",
    "ConductanceDropout": "learning.techniques",
    "RangePenalty": "learning.techniques",
    "MeanLoss": "learning.losses",
    "PointErrorRate": "learning.losses",
    "TailLoss": "learning.losses",
    "check_pullback": "learning.gradient_check",
    "train_robust": "study.methods",
    "WiresInLoop": "transfers.wires",
    "compensate_targets": "transfers.compensated",
    "ROBUST": "study.methods",
    "Adaptation": "transfers.adaptation",
    "adapted_transfer": "transfers.adapted_transfers",
    "refit_output": "transfers.adaptation",
    "retrain_around": "transfers.adaptation",
    "Device": "devices.device",
    "TuningError": "devices.device",
    "DisturbQuantiles": "devices.device",
    "DisturbSamples": "devices.device",
    "StuckDevices": "devices.device",
    "TIO2": "devices.tio2",
    "TIO2_8X8": "devices.tio2",
    "load_device": "devices.files",
    "save_device": "devices.files",
    "program": "devices.writes",
    "map_weights": "mapping.pairs",
    "Crossbar": "circuit.crossbar",
    "Sinh": "circuit.laws",
    "Cubic": "circuit.laws",
    "Biasing": "circuit.biasing",
    "read_columns": "circuit.biasing",
    "read_device": "circuit.biasing",
    "write_device": "circuit.biasing",
    "custom": "circuit.biasing",
    "Solution": "circuit.solution",
    "solve": "circuit.solver",
    "transfer_matrix": "circuit.matrices",
    "sensitivities": "circuit.sensitivity",
    "compensate": "circuit.compensation",
    "Compensation": "circuit.compensation",
    "transfer": "transfers.judging",
    "Transfer": "transfers.judging",
    "CrossbarInstrument": "lab.instrument",
    "RecordingInstrument": "lab.instrument",
    "PulseScheme": "lab.scheme",
    "WriteVerify": "lab.write_verify",
    "tune_device": "lab.programming",
    "program_array": "lab.programming",
    "ProgramReport": "lab.report",
    "InstrumentError": "lab.report",
    "EventLog": "lab.log",
    "read_events": "lab.log",
    "SimulatedCrossbar": "lab.simulated",
    "SwitchingModel": "lab.switching",
    "TIO2_SWITCHING": "lab.switching",
    "characterise": "lab.characterisation",
    "LineFailures": "devices.device",
    "plan": "lab.plans",
    "Plan": "lab.plans",
    "load_plan": "lab.plans",
    "save_readback": "lab.plan_files",
    "load_readback": "lab.plan_files",
    "arrange": "mapping.layout",
    "Layout": "mapping.layout",
    "place_around": "mapping.placement",
    "offset_partners": "mapping.faults",
    "stuck_outside_window": "mapping.faults",
    "stuck_unmoved": "mapping.faults",
    "calibrate": "devices.calibration.card",
    "Calibration": "devices.calibration.card",
    "fit_tuning": "devices.calibration.tuning",
    "fit_disturb": "devices.calibration.disturb",
    "fit_faults": "devices.calibration.faults",
    "LabMap": "lab.resistance_maps",
    "read_lab_map": "lab.resistance_maps",
    "write_lab_map": "lab.resistance_maps",
    "read_conductance_csv": "lab.tables",
    "write_conductance_csv": "lab.tables",
    "read_voltage_csv": "lab.tables",
    "read_disturb_csv": "lab.tables",
    "read_tuning_csv": "lab.tables",
    "infer": "transfers.prediction",
    "predict_logits": "transfers.prediction",
    "measure_logits": "transfers.prediction",
    "compare_outputs": "transfers.prediction",
    "ConvergenceError": "errors",
    "Dataset": "tasks.dataset",
    "Task": "tasks.dataset",
}
_MODULES = ("tasks", "units", "plot", "errors")

__all__ = [*_HOMES, *_MODULES, "__version__"]


def __getattr__(name):
    if name in _HOMES:
        value = getattr(importlib.import_module(f"tiocross.{_HOMES[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"tiocross.{name}")
    else:
        raise AttributeError(f"module 'tiocross' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
