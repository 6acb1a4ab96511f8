"""The random forest that detects shift, as of Arangopipe 0.0.70."""

from arangopipe.compat.shift import RF_DatasetShiftDetector as RF_DatasetShiftDetector
