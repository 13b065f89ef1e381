"""tiocross: small neural networks on passive TiO2 memristor crossbars, and how well they will work there.

Names are imported when first used: ``import tiocross`` loads neither numba nor matplotlib. Editors and type checkers read
the block under ``TYPE_CHECKING``; a test keeps it equal to `_HOMES`.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    # tasks: labelled points
    "Dataset": "tasks.dataset",
    "Task": "tasks.dataset",
    # learning: networks, training, techniques
    "MLP": "learning.network",
    "Network": "learning.network",
    "Dense": "learning.layer_kinds",
    "Conv1d": "learning.layer_kinds",
    "Conv2d": "learning.layer_kinds",
    "AveragePool1d": "learning.layer_kinds",
    "AveragePool2d": "learning.layer_kinds",
    "train": "learning.training",
    "Checkpoint": "learning.training",
    "TrainingSettings": "learning.settings",
    "Adam": "learning.optimisers",
    "Momentum": "learning.optimisers",
    "Technique": "learning.techniques",
    "NoiseInjection": "learning.techniques",
    "ConductanceDropout": "learning.techniques",
    "RangePenalty": "learning.techniques",
    "Ageing": "learning.ageing",
    "MeanLoss": "learning.losses",
    "PointErrorRate": "learning.losses",
    "TailLoss": "learning.losses",
    "check_pullback": "learning.gradient_check",
    # devices: one memristive cell, its cards and their calibration
    "Device": "devices.device",
    "TuningError": "devices.device",
    "DisturbQuantiles": "devices.device",
    "StateDisturb": "devices.state_disturb",
    "StuckDevices": "devices.device",
    "LineFailures": "devices.device",
    "ReadNoise": "devices.reads",
    "Nonlinearity": "devices.reads",
    "Retention": "devices.retention",
    "TIO2": "devices.tio2",
    "TIO2_8X8": "devices.tio2",
    "TIO2_STATE": "devices.tio2_state",
    "TIO2_STATE_8X8": "devices.tio2_state",
    "TIO2_FOLLOW_UP": "devices.follow_up",
    "TIO2_RETENTION": "devices.retention_cards",
    "RRAM_B": "devices.retention_cards",
    "RRAM_C": "devices.retention_cards",
    "load_device": "devices.files",
    "save_device": "devices.files",
    "program": "devices.programming",
    "Passes": "devices.rewriting",
    "calibrate": "devices.calibration.card",
    "Calibration": "devices.calibration.card",
    "fit_tuning": "devices.calibration.tuning",
    "fit_disturb": "devices.calibration.disturb",
    "fit_faults": "devices.calibration.faults",
    "fit_state_disturb": "devices.calibration.state",
    "ArrayRuns": "devices.calibration.state",
    "fit_retention": "devices.calibration.retention",
    # mapping: weights <-> conductances, layouts, known faults
    "Mapping": "mapping.mappings",
    "DifferentialPairs": "mapping.mappings",
    "ReferenceColumn": "mapping.mappings",
    "map_weights": "mapping.targets",
    "Targets": "mapping.targets",
    "arrange": "mapping.arrangements",
    "share_arrays": "mapping.arrangements",
    "Layout": "mapping.layout",
    "place_around": "mapping.placement",
    "offset_partners": "mapping.faults",
    "stuck_outside_window": "mapping.faults",
    "stuck_unmoved": "mapping.faults",
    # circuit: volts and amperes
    "Crossbar": "circuit.crossbar",
    "Sinh": "circuit.laws",
    "Cubic": "circuit.laws",
    "Polynomial": "circuit.laws",
    "AbsolutePolynomial": "circuit.laws",
    "Asymmetric": "circuit.laws",
    "Tabulated": "circuit.curves",
    "Selector": "circuit.series",
    "Transistor": "circuit.series",
    "Biasing": "circuit.biasing",
    "read_columns": "circuit.biasing",
    "read_device": "circuit.biasing",
    "write_device": "circuit.biasing",
    "custom": "circuit.biasing",
    "Solution": "circuit.solution",
    "read_crossbar": "circuit.readout",
    "read_errors": "circuit.margins",
    "read_margin": "circuit.margins",
    "solve": "circuit.solver",
    "transfer_matrix": "circuit.matrices",
    "transfer_matrix_with_pullback": "circuit.adjoint",
    "sensitivities": "circuit.sensitivity",
    "read_netlist": "circuit.netlists.reading",
    "compensate": "circuit.compensation",
    "Compensation": "circuit.compensation",
    # periphery: what stands between arrays
    "Periphery": "periphery.electronics",
    "Converter": "periphery.parts",
    "Driver": "periphery.parts",
    "Sensing": "periphery.parts",
    "MeasuredCurve": "periphery.measured",
    "read_activation_csv": "periphery.measured",
    "save_periphery": "periphery.files",
    "load_periphery": "periphery.files",
    "IDEAL_PERIPHERY": "periphery.presets",
    "PERIPHERY_8_BIT": "periphery.presets",
    "PERIPHERY_6_BIT": "periphery.presets",
    "PERIPHERY_FOLLOW_UP": "periphery.presets",
    # lab: a chip on the table
    "CrossbarInstrument": "lab.instrument",
    "PulseScheme": "lab.write_verify",
    "WriteVerify": "lab.write_verify",
    "tune_device": "lab.programming",
    "program_array": "lab.programming",
    "ProgramReport": "lab.report",
    "InstrumentError": "lab.report",
    "EventLog": "lab.log",
    "read_events": "lab.log",
    "SimulatedCrossbar": "lab.simulated",
    "SimulatedFab": "lab.fab",
    "SwitchingModel": "lab.switching",
    "TIO2_SWITCHING": "lab.switching",
    "characterise": "lab.characterisation",
    "plan": "lab.plans",
    "Plan": "lab.plans",
    "load_plan": "lab.plans",
    "save_readback": "lab.plan_files",
    "load_readback": "lab.plan_files",
    "LabMap": "lab.resistance_maps",
    "read_lab_map": "lab.resistance_maps",
    "write_lab_map": "lab.resistance_maps",
    "read_conductance_csv": "lab.tables",
    "write_conductance_csv": "lab.tables",
    "read_voltage_csv": "lab.tables",
    "read_disturb_csv": "lab.tables",
    "read_tuning_csv": "lab.tables",
    # transfers: networks on chips
    "WiresInLoop": "transfers.wires",
    "PeripheryInLoop": "transfers.electronics",
    "compensate_targets": "transfers.compensated",
    "Adaptation": "transfers.adaptation",
    "refit_output": "transfers.adaptation",
    "retrain_around": "transfers.adaptation",
    "transfer": "transfers.judging",
    "refresh_schedule": "transfers.refresh",
    "RefreshSchedule": "transfers.refresh",
    "tabulate_summaries": "transfers.summary",
    "effect_costs": "transfers.costs",
    "EffectCosts": "transfers.costs",
    "energy_of": "transfers.energy",
    "EnergyBudget": "transfers.energy",
    "compensability": "transfers.compensation",
    "Compensability": "transfers.compensation",
    "judge_plan": "transfers.planned",
    "judge_readback": "transfers.planned",
    "ReadbackAccuracy": "transfers.planned",
    "Transfer": "transfers.outcomes",
    "sweep": "transfers.sweeps",
    "Sweep": "transfers.sweeps",
    "infer": "transfers.prediction",
    "predict_logits": "transfers.prediction",
    "measure_logits": "transfers.prediction",
    "write_netlist": "transfers.netlists",
    "compare_outputs": "transfers.comparing",
    # study: the paper's experiment and the comparison
    "train_robust": "study.methods",
    "ROBUST": "study.methods",
    # errors: what goes wrong in a computation
    # report: pages for people
    "write_report": "report.write",
    "ConvergenceError": "errors",
}
_MODULES = ("tasks", "units", "plot", "errors")

__all__ = [*_HOMES, *_MODULES, "__version__"]

if TYPE_CHECKING:
    from tiocross import errors as errors
    from tiocross import plot as plot
    from tiocross import tasks as tasks
    from tiocross import units as units
    from tiocross.tasks.dataset import Dataset as Dataset
    from tiocross.tasks.dataset import Task as Task
    from tiocross.learning.network import MLP as MLP
    from tiocross.learning.network import Network as Network
    from tiocross.learning.layer_kinds import Dense as Dense
    from tiocross.learning.layer_kinds import Conv1d as Conv1d
    from tiocross.learning.layer_kinds import Conv2d as Conv2d
    from tiocross.learning.layer_kinds import AveragePool1d as AveragePool1d
    from tiocross.learning.layer_kinds import AveragePool2d as AveragePool2d
    from tiocross.learning.training import train as train
    from tiocross.learning.training import Checkpoint as Checkpoint
    from tiocross.learning.settings import TrainingSettings as TrainingSettings
    from tiocross.learning.optimisers import Adam as Adam
    from tiocross.learning.optimisers import Momentum as Momentum
    from tiocross.learning.techniques import Technique as Technique
    from tiocross.learning.techniques import NoiseInjection as NoiseInjection
    from tiocross.learning.techniques import ConductanceDropout as ConductanceDropout
    from tiocross.learning.techniques import RangePenalty as RangePenalty
    from tiocross.learning.ageing import Ageing as Ageing
    from tiocross.learning.losses import MeanLoss as MeanLoss
    from tiocross.learning.losses import PointErrorRate as PointErrorRate
    from tiocross.learning.losses import TailLoss as TailLoss
    from tiocross.learning.gradient_check import check_pullback as check_pullback
    from tiocross.devices.device import Device as Device
    from tiocross.devices.device import TuningError as TuningError
    from tiocross.devices.device import DisturbQuantiles as DisturbQuantiles
    from tiocross.devices.state_disturb import StateDisturb as StateDisturb
    from tiocross.devices.device import StuckDevices as StuckDevices
    from tiocross.devices.device import LineFailures as LineFailures
    from tiocross.devices.reads import ReadNoise as ReadNoise
    from tiocross.devices.reads import Nonlinearity as Nonlinearity
    from tiocross.devices.retention import Retention as Retention
    from tiocross.devices.tio2 import TIO2 as TIO2
    from tiocross.devices.tio2 import TIO2_8X8 as TIO2_8X8
    from tiocross.devices.tio2_state import TIO2_STATE as TIO2_STATE
    from tiocross.devices.tio2_state import TIO2_STATE_8X8 as TIO2_STATE_8X8
    from tiocross.devices.follow_up import TIO2_FOLLOW_UP as TIO2_FOLLOW_UP
    from tiocross.devices.retention_cards import TIO2_RETENTION as TIO2_RETENTION
    from tiocross.devices.retention_cards import RRAM_B as RRAM_B
    from tiocross.devices.retention_cards import RRAM_C as RRAM_C
    from tiocross.devices.files import load_device as load_device
    from tiocross.devices.files import save_device as save_device
    from tiocross.devices.programming import program as program
    from tiocross.devices.rewriting import Passes as Passes
    from tiocross.devices.calibration.card import calibrate as calibrate
    from tiocross.devices.calibration.card import Calibration as Calibration
    from tiocross.devices.calibration.tuning import fit_tuning as fit_tuning
    from tiocross.devices.calibration.disturb import fit_disturb as fit_disturb
    from tiocross.devices.calibration.faults import fit_faults as fit_faults
    from tiocross.devices.calibration.state import fit_state_disturb as fit_state_disturb
    from tiocross.devices.calibration.state import ArrayRuns as ArrayRuns
    from tiocross.devices.calibration.retention import fit_retention as fit_retention
    from tiocross.mapping.mappings import Mapping as Mapping
    from tiocross.mapping.mappings import DifferentialPairs as DifferentialPairs
    from tiocross.mapping.mappings import ReferenceColumn as ReferenceColumn
    from tiocross.mapping.targets import map_weights as map_weights
    from tiocross.mapping.targets import Targets as Targets
    from tiocross.mapping.arrangements import arrange as arrange
    from tiocross.mapping.arrangements import share_arrays as share_arrays
    from tiocross.mapping.layout import Layout as Layout
    from tiocross.mapping.placement import place_around as place_around
    from tiocross.mapping.faults import offset_partners as offset_partners
    from tiocross.mapping.faults import stuck_outside_window as stuck_outside_window
    from tiocross.mapping.faults import stuck_unmoved as stuck_unmoved
    from tiocross.circuit.crossbar import Crossbar as Crossbar
    from tiocross.circuit.laws import Sinh as Sinh
    from tiocross.circuit.laws import Cubic as Cubic
    from tiocross.circuit.laws import Polynomial as Polynomial
    from tiocross.circuit.laws import AbsolutePolynomial as AbsolutePolynomial
    from tiocross.circuit.laws import Asymmetric as Asymmetric
    from tiocross.circuit.curves import Tabulated as Tabulated
    from tiocross.circuit.series import Selector as Selector
    from tiocross.circuit.series import Transistor as Transistor
    from tiocross.circuit.biasing import Biasing as Biasing
    from tiocross.circuit.biasing import read_columns as read_columns
    from tiocross.circuit.biasing import read_device as read_device
    from tiocross.circuit.biasing import write_device as write_device
    from tiocross.circuit.biasing import custom as custom
    from tiocross.circuit.solution import Solution as Solution
    from tiocross.circuit.readout import read_crossbar as read_crossbar
    from tiocross.circuit.margins import read_errors as read_errors
    from tiocross.circuit.margins import read_margin as read_margin
    from tiocross.circuit.solver import solve as solve
    from tiocross.circuit.matrices import transfer_matrix as transfer_matrix
    from tiocross.circuit.adjoint import transfer_matrix_with_pullback as transfer_matrix_with_pullback
    from tiocross.circuit.sensitivity import sensitivities as sensitivities
    from tiocross.circuit.netlists.reading import read_netlist as read_netlist
    from tiocross.circuit.compensation import compensate as compensate
    from tiocross.circuit.compensation import Compensation as Compensation
    from tiocross.periphery.electronics import Periphery as Periphery
    from tiocross.periphery.parts import Converter as Converter
    from tiocross.periphery.parts import Driver as Driver
    from tiocross.periphery.parts import Sensing as Sensing
    from tiocross.periphery.measured import MeasuredCurve as MeasuredCurve
    from tiocross.periphery.measured import read_activation_csv as read_activation_csv
    from tiocross.periphery.files import save_periphery as save_periphery
    from tiocross.periphery.files import load_periphery as load_periphery
    from tiocross.periphery.presets import IDEAL_PERIPHERY as IDEAL_PERIPHERY
    from tiocross.periphery.presets import PERIPHERY_8_BIT as PERIPHERY_8_BIT
    from tiocross.periphery.presets import PERIPHERY_6_BIT as PERIPHERY_6_BIT
    from tiocross.periphery.presets import PERIPHERY_FOLLOW_UP as PERIPHERY_FOLLOW_UP
    from tiocross.lab.instrument import CrossbarInstrument as CrossbarInstrument
    from tiocross.lab.write_verify import PulseScheme as PulseScheme
    from tiocross.lab.write_verify import WriteVerify as WriteVerify
    from tiocross.lab.programming import tune_device as tune_device
    from tiocross.lab.programming import program_array as program_array
    from tiocross.lab.report import ProgramReport as ProgramReport
    from tiocross.lab.report import InstrumentError as InstrumentError
    from tiocross.lab.log import EventLog as EventLog
    from tiocross.lab.log import read_events as read_events
    from tiocross.lab.simulated import SimulatedCrossbar as SimulatedCrossbar
    from tiocross.lab.fab import SimulatedFab as SimulatedFab
    from tiocross.lab.switching import SwitchingModel as SwitchingModel
    from tiocross.lab.switching import TIO2_SWITCHING as TIO2_SWITCHING
    from tiocross.lab.characterisation import characterise as characterise
    from tiocross.lab.plans import plan as plan
    from tiocross.lab.plans import Plan as Plan
    from tiocross.lab.plans import load_plan as load_plan
    from tiocross.lab.plan_files import save_readback as save_readback
    from tiocross.lab.plan_files import load_readback as load_readback
    from tiocross.lab.resistance_maps import LabMap as LabMap
    from tiocross.lab.resistance_maps import read_lab_map as read_lab_map
    from tiocross.lab.resistance_maps import write_lab_map as write_lab_map
    from tiocross.lab.tables import read_conductance_csv as read_conductance_csv
    from tiocross.lab.tables import write_conductance_csv as write_conductance_csv
    from tiocross.lab.tables import read_voltage_csv as read_voltage_csv
    from tiocross.lab.tables import read_disturb_csv as read_disturb_csv
    from tiocross.lab.tables import read_tuning_csv as read_tuning_csv
    from tiocross.transfers.wires import WiresInLoop as WiresInLoop
    from tiocross.transfers.electronics import PeripheryInLoop as PeripheryInLoop
    from tiocross.transfers.compensated import compensate_targets as compensate_targets
    from tiocross.transfers.adaptation import Adaptation as Adaptation
    from tiocross.transfers.adaptation import refit_output as refit_output
    from tiocross.transfers.adaptation import retrain_around as retrain_around
    from tiocross.transfers.judging import transfer as transfer
    from tiocross.transfers.refresh import refresh_schedule as refresh_schedule
    from tiocross.transfers.refresh import RefreshSchedule as RefreshSchedule
    from tiocross.transfers.summary import tabulate_summaries as tabulate_summaries
    from tiocross.transfers.costs import effect_costs as effect_costs
    from tiocross.transfers.costs import EffectCosts as EffectCosts
    from tiocross.transfers.energy import energy_of as energy_of
    from tiocross.transfers.energy import EnergyBudget as EnergyBudget
    from tiocross.transfers.compensation import compensability as compensability
    from tiocross.transfers.compensation import Compensability as Compensability
    from tiocross.transfers.planned import judge_plan as judge_plan
    from tiocross.transfers.planned import judge_readback as judge_readback
    from tiocross.transfers.planned import ReadbackAccuracy as ReadbackAccuracy
    from tiocross.transfers.outcomes import Transfer as Transfer
    from tiocross.transfers.sweeps import sweep as sweep
    from tiocross.transfers.sweeps import Sweep as Sweep
    from tiocross.transfers.prediction import infer as infer
    from tiocross.transfers.prediction import predict_logits as predict_logits
    from tiocross.transfers.prediction import measure_logits as measure_logits
    from tiocross.transfers.netlists import write_netlist as write_netlist
    from tiocross.transfers.comparing import compare_outputs as compare_outputs
    from tiocross.study.methods import train_robust as train_robust
    from tiocross.study.methods import ROBUST as ROBUST
    from tiocross.report.write import write_report as write_report
    from tiocross.errors import ConvergenceError as ConvergenceError


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
