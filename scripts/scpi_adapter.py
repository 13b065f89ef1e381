"""Example: any source meter that speaks an SCPI dialect, with a switch matrix, behind tiocross's instrument protocol.

Copy the class and put your instruments' own commands in: the ones below are generic. ``meter`` is any object with
``write(text)`` and ``query(text) -> text``, such as what a VISA package opens; tiocross imports none of them.

    chip = SourceMeterCrossbar(meter, (8, 8), read_voltage=0.2)
    with EventLog("chip.csv", shape=chip.shape) as log:
        report = program_array(chip, targets, PulseScheme(), on_event=log)
    print(report.summary())

A positive amplitude is SET and raises the conductance. If a positive voltage at your word lines lowers it, exchange the
leads or turn the sign in ``pulse``; `program_array` stops after three devices that move the wrong way. The relays switch only while the output is off, and no device stays connected between
calls. SCPI's 9.91E37 for "not a number" comes out as an impossible conductance, which drivers treat as a failed reading.
Set compliance, range, integration time and edges on the meter beforehand.
"""


class SourceMeterCrossbar:
    """Rows are word lines, columns bit lines; voltages in V, times in s, readings in S."""

    def __init__(self, meter, shape, *, read_voltage=0.2):
        self.meter, self.shape, self.read_voltage = meter, shape, read_voltage

    def read(self, row, column):
        self.meter.write(f"ROUT:CLOS (@{row + 1}!{column + 1})")  # instruments count lines from 1
        self.meter.write(f"SOUR:VOLT {self.read_voltage!r};:OUTP ON")
        current = float(self.meter.query("MEAS:CURR?"))
        self.make_safe()
        return current / self.read_voltage

    def pulse(self, row, column, amplitude, width):
        self.meter.write(f"ROUT:CLOS (@{row + 1}!{column + 1})")
        self.meter.write(f"SOUR:PULS:VOLT {amplitude!r};WIDT {width!r};:OUTP ON;:INIT")
        self.meter.query("*OPC?")  # answers once the pulse is over
        self.make_safe()

    def make_safe(self):
        self.meter.write("OUTP OFF;:SOUR:VOLT 0;:ROUT:OPEN:ALL")
